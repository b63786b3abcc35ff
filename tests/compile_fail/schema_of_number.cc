// expect: Millrace: SchemaOf needs a struct
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

int main() { static_cast<void>(SchemaOf<std::int64_t>()); }
