// A view as a Parquet file.
#pragma once

#include <cstdint>
#include <string>

#include "columnar/database.h"
#include "millrace/io/view_store.h"

namespace millrace::cli {

/// Writes the view to a file, one row per key and window in this order, and gives their number. What an error leaves
/// there is the caller's to remove.
StatusOr<std::int64_t> WriteParquet(columnar::Connection& connection, const ViewDescriptor& view,
                                    const std::string& path);

/// The same of a view or the table of dead letters in any order, which is quicker.
StatusOr<std::int64_t> WriteUnordered(columnar::Connection& connection, const std::string& name,
                                      const std::string& path);

/// The same of what a SELECT gives, as it comes.
StatusOr<std::int64_t> WriteStatement(columnar::Connection& connection, const std::string& statement,
                                      const std::string& path);

}  // namespace millrace::cli
