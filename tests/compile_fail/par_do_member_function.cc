// expect: Millrace: ParDo<F>() needs a plain or static function
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

struct Parse {
  void Line(const std::string& line, Output<std::string> out) { out.Emit(line); }
};

int main() {
  Pipeline pipeline;
  auto lines = pipeline | "Lines" >> Create(std::vector<std::string>{"a"});
  lines | "Parse" >> ParDo<&Parse::Line>();
}
