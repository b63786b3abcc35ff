// expect: Millrace: name the function in the type, ParDo<Parse>()
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

void Parse(const std::string& line, Output<std::string> out) { out.Emit(line); }

int main() {
  Pipeline pipeline;
  auto lines = pipeline | "Lines" >> Create(std::vector<std::string>{"a"});
  auto parsed = lines | "Parse" >> ParDo(Parse);
  parsed | "Length" >> Map([](const std::string& line) { return line.size(); });
  auto all = Flatten(parsed, lines).As("All");
  all | "Count" >> Count::PerElement();
}
