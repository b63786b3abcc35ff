// expect: Millrace: a DoFn's first parameter is the element; this one has no parameters
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

void Nothing() {}

int main() {
  Pipeline pipeline;
  auto lines = pipeline | "Lines" >> Create(std::vector<std::string>{"a"});
  lines | "Nothing" >> ParDo<Nothing>();
}
