// expect: Millrace: CombiningState needs a CombineFn for one type of value: CountFn<V>, SumFn<V>
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

struct Total {
  void ProcessElement(const KV<std::string, std::int64_t>&, CombiningState<"sum", Sum>, Output<std::int64_t>) const {}
};

int main() {
  Pipeline pipeline;
  auto lines = pipeline | "Lines" >> Create(std::vector<std::string>{"a"});
  auto sizes = lines | "Sizes" >> Map([](const std::string& line) { return KV<std::string, std::int64_t>{line, 1}; });
  sizes | "Total" >> ParDo(Total{});
}
