// What the columnar room says about columns: their names and SQL types, where their values sit in memory, and what
// went wrong with a single value. No DuckDB type appears here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/core/schema.h"
#include "millrace/core/status.h"
#include "millrace/core/timestamp.h"

namespace millrace::columnar {

/// A column of a table, a file or a query's result: its name and its DuckDB type as SQL text, such as "BIGINT[]".
struct Column {
  std::string name;
  std::string sql_type;
};

/// A column to create or to write: its name and the C++ type of its values.
struct ColumnSpec {
  std::string name;
  const Type* type = nullptr;
};

/// Where the values of one column are. Value i is at `objects[i] + offset` if `objects` is set, where a null pointer
/// means SQL NULL; else at `base + i * stride + offset` (all in bytes).
struct ColumnSource {
  const void* base = nullptr;
  std::size_t stride = 0;
  const void* const* objects = nullptr;
  std::size_t offset = 0;

  const void* At(std::size_t index) const {
    const void* object = objects != nullptr ? objects[index] : static_cast<const char*>(base) + index * stride;
    return object == nullptr ? nullptr : static_cast<const char*>(object) + offset;
  }
};

/// One value that does not fit its field. The row counts from 0 (in the file, or in the result); nested fields are
/// given as a path, such as "address.zip" or "tags[]".
struct FieldIssue {
  std::uint64_t row = 0;
  std::string field;
  std::string reason;

  /// "row 12, field delay: 70000 is out of the range of int16".
  std::string ToString() const;
};

/// The fields of a struct as columns, in order.
std::vector<ColumnSpec> ColumnsOf(const Schema& schema);

/// The DuckDB type that holds `type`, as SQL text: TIMESTAMP for a timestamp (microseconds, UTC), BIGINT for a
/// duration (microseconds), the underlying integer for an enum, LIST, STRUCT and MAP for the composites. An optional
/// has the type of its value. INVALID_ARGUMENT for what has no column type, such as an optional of an optional.
StatusOr<std::string> SqlType(const Type& type);

/// `name` in double quotes, for use as an SQL identifier.
std::string QuoteIdentifier(std::string_view name);

/// `text` in single quotes, for use as an SQL string.
std::string QuoteLiteral(std::string_view text);

/// The time as an SQL expression of the type TIMESTAMP.
std::string SqlTimestamp(Timestamp time);

}  // namespace millrace::columnar
