// expect: Millrace: csv::Read needs a struct, whose fields are the columns
#include <string>

#include "millrace/io/csv.h"
#include "millrace/millrace.h"

using namespace millrace;  // NOLINT

int main() {
  Pipeline pipeline;
  pipeline | "In" >> csv::Read<std::string>("rows.csv");
}
