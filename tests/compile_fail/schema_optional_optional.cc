// expect: Millrace: an optional of an optional has no schema
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

struct Row {
  std::optional<std::optional<std::int64_t>> id;
};

int main() { static_cast<void>(TypeOf<Row>()); }
