// expect: Millrace: a pointer has no schema
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

struct Row {
  const char* text = nullptr;
};

int main() { static_cast<void>(TypeOf<Row>()); }
