// The rows of a statement as text.
#pragma once

#include <ostream>
#include <string>

#include "columnar/database.h"
#include "millrace/core/status.h"

namespace millrace::cli {

/// Runs one statement and prints its rows; `format` as for `MakeRowWriter`. Ends early when `out` fails.
Status PrintSqlRows(columnar::Connection& connection, const std::string& statement, const std::string& format,
                    std::ostream& out);

}  // namespace millrace::cli
