// expect: Millrace: Map's function returns nothing
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

int main() {
  Pipeline pipeline;
  auto lines = pipeline | "Lines" >> Create(std::vector<std::string>{"a"});
  auto out = lines | "Print" >> Map([](const std::string& line) { std::puts(line.c_str()); });
  out | "Count" >> Count::PerElement() | View("counts");
}
