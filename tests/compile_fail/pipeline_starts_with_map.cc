// expect: Millrace: this transform needs an input, so a pipeline cannot start with it
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

int main() {
  Pipeline pipeline;
  auto lines = pipeline | "Lines" >> Create(std::vector<std::string>{"a"});
  pipeline | "Sizes" >> Map([](const std::string& line) { return line.size(); }) | "Count" >> Count::PerElement();
}
