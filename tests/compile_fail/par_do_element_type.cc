// expect: Millrace: the DoFn's first parameter is not the element type of the PCollection it is applied to
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

void Halve(const std::int64_t& n, Output<std::int64_t> even, Output<std::int64_t> odd) {
  (n % 2 == 0 ? even : odd).Emit(n / 2);
}

int main() {
  Pipeline pipeline;
  auto lines = pipeline | "Lines" >> Create(std::vector<std::string>{"a"});
  auto [even, odd] = lines | "Halve" >> ParDo<Halve>();  // the outputs are known all the same
  even | "Count" >> Count::PerElement() | View("even");
  Flatten(even, odd).As("All");
}
