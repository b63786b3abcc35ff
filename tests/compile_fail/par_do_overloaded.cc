// expect: Millrace: ParDo needs a function, a lambda or a class with one public ProcessElement
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

struct Twice {
  void ProcessElement(const std::string&, Output<std::string>) const {}
  void ProcessElement(const std::int64_t&, Output<std::int64_t>) const {}
};

int main() {
  Pipeline pipeline;
  auto lines = pipeline | "Lines" >> Create(std::vector<std::string>{"a"});
  lines | "Twice" >> ParDo(Twice{});
}
