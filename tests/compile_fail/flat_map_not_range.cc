// expect: Millrace: FlatMap's function must return something to iterate over
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

int main() {
  Pipeline pipeline;
  auto lines = pipeline | "Lines" >> Create(std::vector<std::string>{"a"});
  auto parts = lines | "Split" >> FlatMap([](const std::string& line) { return line.size(); });
  parts | "Count" >> Count::PerElement();
}
