// expect: Millrace: WithEventTime needs a field of type millrace::Timestamp
#include <cstdint>

#include "millrace/io/parquet.h"
#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

struct Flight {
  std::int64_t date = 0;
};

int main() {
  Pipeline pipeline;
  pipeline | "In" >> parquet::Read<Flight>("flights.parquet").WithEventTime(&Flight::date);
}
