// expect: Millrace: take Output, Timestamp, State and what else a DoFn asks for by value
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

void Copy(const std::string& line, Output<std::string>& out) { out.Emit(line); }

int main() {
  Pipeline pipeline;
  auto lines = pipeline | "Lines" >> Create(std::vector<std::string>{"a"});
  lines | "Copy" >> ParDo<Copy>() | "Count" >> Count::PerElement();
}
