// expect: Millrace: Values needs a keyed input
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

int main() {
  Pipeline pipeline;
  auto lines = pipeline | "Lines" >> Create(std::vector<std::string>{"a"});
  lines | "Values" >> Values() | "Count" >> Count::PerElement();
}
