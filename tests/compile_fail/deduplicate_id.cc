// expect: Millrace: this type cannot be a key (or an id)
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

int main() {
  Pipeline pipeline;
  auto lines = pipeline | "Lines" >> Create(std::vector<std::string>{"a"});
  lines | "Dedupe" >> Deduplicate([](const std::string& line) { return &line; }).Within(std::chrono::hours(1));
}
