// expect: Millrace: FinishBundle, timer handlers and OnWindowExpiration can only emit to an Output<T> that
// ProcessElement has, too
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

struct Buffer {
  void ProcessElement(const std::string& line, Output<std::string> out) { out.Emit(line); }
  void FinishBundle(Output<std::int64_t> out) { out.Emit(1, Timestamp::Min(), BoundedWindow::Global()); }
};

int main() {
  Pipeline pipeline;
  auto lines = pipeline | "Lines" >> Create(std::vector<std::string>{"a"});
  lines | "Buffer" >> ParDo(Buffer{});
}
