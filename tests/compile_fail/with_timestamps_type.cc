// expect: Millrace: WithTimestamps' function must return a millrace::Timestamp
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

struct Click {
  std::string user;
  std::int64_t at_ms = 0;
};

int main() {
  Pipeline pipeline;
  auto lines = pipeline | "Lines" >> Create(std::vector<std::string>{"a"});
  auto clicks = pipeline | "Clicks" >> Create(std::vector<Click>{});
  clicks | "Times" >> WithTimestamps(&Click::at_ms) | "ByUser" >> WithKeys(&Click::user) |
      "Count" >> CombinePerKey(Count{});
}
