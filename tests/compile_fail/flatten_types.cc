// expect: Millrace: Flatten needs PCollections of one element type
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

int main() {
  Pipeline pipeline;
  auto lines = pipeline | "Lines" >> Create(std::vector<std::string>{"a"});
  auto sizes = lines | "Sizes" >> Map([](const std::string& line) { return line.size(); });
  Flatten(lines, sizes).As("All") | "Count" >> Count::PerElement();
}
