// expect: Millrace: Min and Max need values that < compares
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
  clicks | "Newest" >> CombineGlobally(Max{}) | "Users" >> Map([](const Click& click) { return click.user; });
}
