// expect: Millrace: ParDo needs a function, a lambda or a class with one public ProcessElement
// expect: a generic lambda (auto) hides which outputs it has
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

int main() {
  Pipeline pipeline;
  auto lines = pipeline | "Lines" >> Create(std::vector<std::string>{"a"});
  auto parsed = lines | "Parse" >> ParDo([](const auto& line, Output<std::string> out) { out.Emit(line); });
  parsed | "Length" >> Map([](const std::string& line) { return line.size(); }) | "Count" >> Count::PerElement();
}
