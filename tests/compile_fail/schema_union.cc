// expect: Millrace: this type (a union, a function or void) has no schema
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

union Either {
  std::int64_t number;
  double real;
};
struct Row {
  Either either{0};
};

int main() { static_cast<void>(TypeOf<Row>()); }
