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
  auto users = lines | "ByUser" >> WithKeys(&Click::user);
  users | "Count" >> CombinePerKey(Count{});
}
