// expect: Millrace: CoGroupByKey needs PCollections of KV<K, V> with one key type K
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

int main() {
  Pipeline pipeline;
  auto lines = pipeline | "Lines" >> Create(std::vector<std::string>{"a"});
  auto keyed = lines | "Key" >> WithKeys([](const std::string& line) { return line; });

  auto sizes = lines | "Size" >> WithKeys([](const std::string& line) { return line.size(); });
  CoGroupByKey(keyed, sizes).As("Join") | "Keys" >> Keys();
}
