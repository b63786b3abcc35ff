// expect: Millrace: this number is too wide
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

struct Row {
  long double value = 0;
};

int main() { static_cast<void>(TypeOf<Row>()); }
