// expect: Millrace: AsMap gives a std::map, so < must compare its keys
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

struct Place {
  std::int64_t x = 0;
};

int main() {
  Pipeline pipeline;
  auto lines = pipeline | "Lines" >> Create(std::vector<std::string>{"a"});
  auto places = lines | "Place" >> Map([](const std::string& line) { return KV<Place, std::string>{{}, line}; });
  auto side = AsMap(places);
  static_cast<void>(side);
}
