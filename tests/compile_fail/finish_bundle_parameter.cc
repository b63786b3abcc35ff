// expect: Millrace: FinishBundle has no element, so all it can ask for is Output<T>
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

struct Buffer {
  void ProcessElement(const std::string& line, Output<std::string> out) { out.Emit(line); }
  void FinishBundle(Timestamp /*now*/, Output<std::string> /*out*/) {}
};

int main() {
  Pipeline pipeline;
  auto lines = pipeline | "Lines" >> Create(std::vector<std::string>{"a"});
  lines | "Buffer" >> ParDo(Buffer{});
}
