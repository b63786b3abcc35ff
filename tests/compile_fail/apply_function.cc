// expect: Millrace: this cannot be applied to a PCollection of this element type
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

std::size_t Length(const std::string& line) { return line.size(); }

int main() {
  Pipeline pipeline;
  auto lines = pipeline | "Lines" >> Create(std::vector<std::string>{"a"});
  auto lengths = lines | Length;
  lengths | "Count" >> Count::PerElement();
}
