// expect: Millrace: what a DoFn returns would be lost
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

std::string Shorten(const std::string& line, Output<std::string> /*unused*/) { return line.substr(1); }

int main() {
  Pipeline pipeline;
  auto lines = pipeline | "Lines" >> Create(std::vector<std::string>{"a"});
  auto shorter = lines | "Shorten" >> ParDo<Shorten>();
  shorter | "Count" >> Count::PerElement();
}
