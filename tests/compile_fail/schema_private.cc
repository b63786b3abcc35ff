// expect: Millrace: this class has no schema: it has constructors or private members
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

class Row {
 public:
  std::int64_t id() const { return id_; }

 private:
  std::int64_t id_ = 0;
};

int main() { static_cast<void>(TypeOf<Row>()); }
