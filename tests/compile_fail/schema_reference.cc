// expect: Millrace: this struct cannot be made without arguments (a reference
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

struct Row {
  std::string& text;
};

int main() { static_cast<void>(TypeOf<Row>()); }
