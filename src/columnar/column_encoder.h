// From C++ values to a DuckDB vector, by type. Internal to this room.
#pragma once

#include <duckdb.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "columnar/column.h"
#include "millrace/core/schema.h"
#include "millrace/core/status.h"

namespace millrace::columnar {

/// Whether DuckDB takes it as VARCHAR.
bool IsUtf8(std::string_view text);

/// Whether values of `type` can be written into a column of `column_type` unchanged; INVALID_ARGUMENT names both
/// types (the caller adds the column's name).
Status CheckEncodable(duckdb_logical_type column_type, const Type& type);

/// Writes the values [first, first + count) of `source` into `vector` at [at, at + count). The types must have passed
/// `CheckEncodable`. INVALID_ARGUMENT says which of these rows (counted from `first`) is no valid UTF-8 or is a time
/// that DuckDB cannot hold.
Status EncodeColumn(duckdb_vector vector, const Type& type, const ColumnSource& source, std::size_t first,
                    std::size_t count, std::size_t at);

}  // namespace millrace::columnar
