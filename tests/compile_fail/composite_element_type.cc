// expect: Millrace: this cannot be applied to a PCollection of this element type
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

struct Total {
  PCollection<std::int64_t> Expand(const PCollection<std::int64_t>& in) const {
    return in | "Sum" >> CombineGlobally(Sum{});
  }
};

int main() {
  Pipeline pipeline;
  auto lines = pipeline | "Lines" >> Create(std::vector<std::string>{"a"});
  PCollection<std::int64_t> total = lines.Apply("Total", Total{});
  total | "Count" >> Count::PerElement();
}
