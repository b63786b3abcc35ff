// expect: Millrace: this transform starts a pipeline (a read or Create), so it has no input
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

int main() {
  Pipeline pipeline;
  auto lines = pipeline | "Lines" >> Create(std::vector<std::string>{"a"});
  lines | "More" >> Create(std::vector<std::string>{"b"}) | "Count" >> Count::PerElement();
}
