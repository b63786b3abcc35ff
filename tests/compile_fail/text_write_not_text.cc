// expect: Millrace: text::Write needs a PCollection<std::string>. Map the elements to text first
#include "millrace/io/text.h"

#include <cstdint>
#include <vector>

#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

int main() {
  Pipeline pipeline;
  pipeline | "In" >> Create(std::vector<std::int64_t>{1}) | "Out" >> text::Write("out");
}
