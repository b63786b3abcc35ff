// expect: Millrace: this is no CombineFn for the values of its input
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

struct Longest {
  std::string CreateAccumulator() const { return ""; }
  void AddInput(std::string& longest, const std::string& line) const { longest = std::max(longest, line); }
};

int main() {
  Pipeline pipeline;
  auto lines = pipeline | "Lines" >> Create(std::vector<std::string>{"a"});
  auto keyed = lines | "Key" >> WithKeys([](const std::string& line) { return line; });
  keyed | "Longest" >> CombinePerKey(Longest{}) | View("longest");
}
