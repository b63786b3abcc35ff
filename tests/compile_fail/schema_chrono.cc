// expect: Millrace: a duration is stored in microseconds
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

struct Row {
  std::chrono::seconds wait{0};
};

int main() { static_cast<void>(TypeOf<Row>()); }
