// expect: Millrace: Filter's function must return bool
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

int main() {
  Pipeline pipeline;
  auto lines = pipeline | "Lines" >> Create(std::vector<std::string>{"a"});
  auto kept = lines | "Keep" >> Filter([](const std::string& line) { return line + "?"; });
  kept | "Count" >> Count::PerElement();
}
