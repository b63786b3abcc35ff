// expect: Millrace: each worker gets a copy of this function, and it cannot be copied
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

int main() {
  Pipeline pipeline;
  auto lines = pipeline | "Lines" >> Create(std::vector<std::string>{"a"});
  auto client = std::make_unique<int>(1);
  lines |
      "Add" >> Map([client = std::move(client)](const std::string& line) { return line + std::to_string(*client); });
}
