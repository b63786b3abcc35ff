// expect: Millrace: each worker gets a copy of the DoFn, and this one cannot be copied
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

struct Client {
  std::unique_ptr<int> connection;
  void ProcessElement(const std::string& line, Output<std::string> out) const { out.Emit(line); }
};

int main() {
  Pipeline pipeline;
  auto lines = pipeline | "Lines" >> Create(std::vector<std::string>{"a"});
  lines | "Look up" >> ParDo(Client{}) | "Count" >> Count::PerElement();
}
