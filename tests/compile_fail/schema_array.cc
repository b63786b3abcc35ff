// expect: Millrace: this struct holds a C array, a std::array or a field that {} cannot make
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

struct Row {
  std::int64_t hours[24] = {};
};

int main() { static_cast<void>(TypeOf<Row>()); }
