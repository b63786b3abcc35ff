// expect: Millrace: WithKeys' function returns nothing
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

int main() {
  Pipeline pipeline;
  auto lines = pipeline | "Lines" >> Create(std::vector<std::string>{"a"});
  auto keyed = lines | "Key" >> WithKeys([](const std::string& line) { std::puts(line.c_str()); });
  keyed | "Count" >> CombinePerKey(Count{}) | View("counts");
}
