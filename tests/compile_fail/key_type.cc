// expect: Millrace: this type cannot be a key (or an id)
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

int main() {
  Pipeline pipeline;
  auto lines = pipeline | "Lines" >> Create(std::vector<std::string>{"a"});
  auto keyed = lines | "Key" >> WithKeys([](const std::string& line) { return std::map<std::string, int>{{line, 1}}; });
  keyed | "Group" >> GroupByKey() | "Sizes" >> Map([](const auto& group) { return group.value.size(); });
}
