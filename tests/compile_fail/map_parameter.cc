// expect: Millrace: this function cannot be called with an element of its input PCollection
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

struct Click {
  std::string user;
};

int main() {
  Pipeline pipeline;
  auto lines = pipeline | "Lines" >> Create(std::vector<std::string>{"a"});
  auto users = lines | "User" >> Map([](const Click& click) { return click.user; });
  users | "Count" >> Count::PerElement();
}
