// expect: Millrace: a DoFn's parameter after the element is none of Output<T>
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

void Parse(const std::string& line, int attempt, Output<std::string> out) {
  if (attempt == 0) out.Emit(line);
}

int main() {
  Pipeline pipeline;
  auto lines = pipeline | "Lines" >> Create(std::vector<std::string>{"a"});
  auto parsed = lines | "Parse" >> ParDo<Parse>();
  parsed | "Length" >> Map([](const std::string& line) { return line.size(); });
}
