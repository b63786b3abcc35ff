// expect: Millrace: a character has no schema
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

struct Row {
  char grade = 0;
};

int main() { static_cast<void>(TypeOf<Row>()); }
