// expect: Millrace: the elements of std::vector<bool> have no addresses
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

struct Row {
  std::vector<bool> flags;
};

int main() { static_cast<void>(TypeOf<Row>()); }
