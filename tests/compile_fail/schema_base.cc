// expect: Millrace: this struct has a base, which reflection cannot see into
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

struct Base {
  std::int64_t id = 0;
};
struct Row : Base {
  std::string text;
};

int main() { static_cast<void>(TypeOf<Row>()); }
