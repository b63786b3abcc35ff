// expect: Millrace: this is no CombineFn for the elements of its input
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

int main() {
  Pipeline pipeline;
  auto lines = pipeline | "Lines" >> Create(std::vector<std::string>{"a"});
  lines | "Longest" >> CombineGlobally([](const std::string& a, const std::string& b) { return std::max(a, b); });
}
