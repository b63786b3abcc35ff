// expect: Millrace: a DoFn must not change its element, which others read, too
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

void Shorten(std::string& line, Output<std::string> out) {
  line.pop_back();
  out.Emit(line);
}

int main() {
  Pipeline pipeline;
  auto lines = pipeline | "Lines" >> Create(std::vector<std::string>{"a"});
  lines | "Shorten" >> ParDo<Shorten>() | "Count" >> Count::PerElement();
}
