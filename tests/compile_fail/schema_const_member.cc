// expect: Millrace: this struct cannot be copied (a const member
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

struct Row {
  const std::int64_t id = 0;
};

int main() { static_cast<void>(TypeOf<Row>()); }
