// Reads a Parquet file into an array of structs, a range of rows at a time.
//
// Rows are numbered from 0 in the order of the file, so (file, row) is a stable name of an event. Memory is bounded by
// about one row group of the projected columns. Everything runs on the calling thread. Thread safety: one thread at a
// time per reader; readers are independent of each other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "columnar/column.h"
#include "columnar/database.h"
#include "millrace/core/schema.h"
#include "millrace/core/status.h"
#include "millrace/core/timestamp.h"

namespace millrace::columnar {

/// What the writer of the file noted about one column of one row group. Statistics are optional in Parquet.
struct ColumnStatistics {
  std::string column;              // a nested column is given as "outer, inner"
  std::optional<std::string> min;  // as text
  std::optional<std::string> max;
  std::optional<Timestamp> min_time;  // where the column is a timestamp
  std::optional<Timestamp> max_time;
  std::optional<std::int64_t> null_count;
};

/// A row group: the rows [first_row, first_row + row_count).
struct RowGroup {
  std::uint64_t first_row = 0;
  std::uint64_t row_count = 0;
  std::uint64_t compressed_bytes = 0;
  std::vector<ColumnStatistics> columns;
};

/// What a file says of itself, without reading its rows.
struct ParquetFileInfo {
  std::uint64_t row_count = 0;
  std::vector<Column> columns;
  std::vector<RowGroup> row_groups;
  std::vector<std::pair<std::string, std::string>> metadata;  // the key-value metadata, as written

  /// The first and last time of a timestamp column over the whole file; nothing if a row group has no statistics.
  std::optional<std::pair<Timestamp, Timestamp>> TimeRange(std::string_view column) const;
};

/// Reads the footer of a file. NOT_FOUND, DATA_LOSS and the like name the file.
StatusOr<ParquetFileInfo> ReadParquetInfo(const std::string& path);

/// Which rows to read.
struct ParquetReadOptions {
  std::uint64_t begin_row = 0;
  std::uint64_t end_row = std::numeric_limits<std::uint64_t>::max();
};

/// What one `Read` brought: row `first_row + i` is at index i of the array. Rows in `issues` (sorted by row; possibly
/// several per row) do not fit the struct: their objects are incomplete and to be skipped. `count` 0 means the end.
struct ParquetBatch {
  std::uint64_t first_row = 0;
  std::size_t count = 0;
  std::vector<FieldIssue> issues;
};

/// An open reader of one file; it continues where it stopped.
class ParquetReader {
 public:
  /// Opens the file and checks that each field of the struct has a column that fits it; other columns are not read.
  /// INVALID_ARGUMENT lists all missing and unfitting columns; NOT_FOUND, DATA_LOSS; each names the file.
  static StatusOr<ParquetReader> Open(const std::string& path, const Schema& schema,
                                      const ParquetReadOptions& options = {});

  /// Reads up to `capacity` rows into the array of structs at `rows`, `stride` bytes apart, which the caller made;
  /// strings in them are reused. DATA_LOSS if the file turns out to be damaged.
  StatusOr<ParquetBatch> Read(void* rows, std::size_t stride, std::size_t capacity);

  /// The row that the next `Read` begins with.
  std::uint64_t next_row() const { return next_row_; }

 private:
  ParquetReader(std::string path, std::uint64_t first_row, Connection connection, Result result)
      : path_(std::move(path)), connection_(std::move(connection)), result_(std::move(result)), next_row_(first_row) {}

  std::string path_;
  Connection connection_;
  Result result_;
  std::uint64_t next_row_ = 0;
  std::size_t chunk_position_ = 0;
  bool is_at_end_ = false;
};

}  // namespace millrace::columnar
