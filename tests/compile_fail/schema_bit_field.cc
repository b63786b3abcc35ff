// expect: Millrace: this struct has a bit-field, which has no address
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

struct Row {
  unsigned flag : 1 = 0;
  unsigned rest : 31 = 0;
};

int main() { static_cast<void>(TypeOf<Row>()); }
