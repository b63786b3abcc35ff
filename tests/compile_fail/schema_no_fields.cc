// expect: Millrace: Fields() needs at least one Named
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

class Row {
  friend auto MillraceFields(const Row*) { return Fields(); }
};

int main() { static_cast<void>(TypeOf<Row>()); }
