// expect: Millrace: Top's comparison cannot compare two values
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
  auto clicks = pipeline | "Clicks" >> Create(std::vector<Click>{});
  clicks | "Newest" >> CombineGlobally(Top<>{.n = 3});
}
