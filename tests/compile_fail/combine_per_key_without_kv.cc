// expect: Millrace: CombinePerKey needs a keyed input, PCollection<KV<K, V>>
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

int main() {
  Pipeline pipeline;
  auto lines = pipeline | "Lines" >> Create(std::vector<std::string>{"a"});
  lines | "Count" >> CombinePerKey(Count{}) | View("counts");
}
