// expect: Millrace: a DoFn with State or Timer needs a keyed input
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

struct Seen {
  void ProcessElement(const std::string& line, State<"seen", bool> seen, Output<std::string> out) const {
    if (!seen.Read()) out.Emit(line);
    seen.Write(true);
  }
};

int main() {
  Pipeline pipeline;
  auto lines = pipeline | "Lines" >> Create(std::vector<std::string>{"a"});
  lines | "Seen" >> ParDo(Seen{}) | "Count" >> Count::PerElement();
}
