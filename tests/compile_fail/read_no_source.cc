// expect: Millrace: Read needs a source: a type with Element, InitialRestrictions and Read
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

struct File {
  using Element = std::string;
  std::string path;
};

int main() {
  Pipeline pipeline;
  auto lines = pipeline | "Lines" >> Create(std::vector<std::string>{"a"});
  auto rows = pipeline | "Rows" >> Read(File{"rows.txt"});
  rows | "Count" >> Count::PerElement();
}
