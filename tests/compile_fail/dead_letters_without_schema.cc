// expect: Millrace: a dead letter is kept as JSON, so its type needs a schema
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

class Broken {
 public:
  explicit Broken(std::string line) : line_(std::move(line)) {}

 private:
  std::string line_;
};

int main() {
  Pipeline pipeline;
  auto lines = pipeline | "Lines" >> Create(std::vector<std::string>{"a"});
  auto broken = lines | "Break" >> Map([](const std::string& line) { return Broken(line); });
  broken | DeadLetters("lines");
}
