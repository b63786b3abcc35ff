// expect: Millrace: Sum and Mean need numbers
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

int main() {
  Pipeline pipeline;
  auto lines = pipeline | "Lines" >> Create(std::vector<std::string>{"a"});
  auto keyed = lines | "Key" >> WithKeys([](const std::string& line) { return line; });
  keyed | "Mean" >> CombinePerKey(Mean{}) | View("means");
}
