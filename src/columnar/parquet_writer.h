// Writes rows into one Parquet file, which appears complete or not at all.
//
// Rows are gathered in DuckDB's memory (beyond `memory_limit_mib` in a folder beside the file) and written, compressed
// with zstd, by `Close`: to a temporary name, synced, then renamed. Thread safety: one thread at a time per writer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "columnar/column.h"
#include "columnar/database.h"
#include "millrace/core/schema.h"
#include "millrace/core/status.h"

namespace millrace::columnar {

/// How a Parquet file is written.
struct ParquetWriteOptions {
  std::size_t row_group_rows = 122'880;  // a multiple of 2048
  std::size_t memory_limit_mib = 1024;
  std::vector<std::pair<std::string, std::string>> metadata = {};  // key-value metadata of the file
  bool overwrite = false;  // false: a file that exists is an error, told by `Open` and again by `Close`
};

/// A Parquet file in the making. Destroyed without `Close`, it leaves nothing behind.
class ParquetWriter {
 public:
  /// ALREADY_EXISTS, NOT_FOUND for a missing folder, INVALID_ARGUMENT for a struct that Parquet cannot hold.
  static StatusOr<ParquetWriter> Open(const std::string& path, const Schema& schema,
                                      const ParquetWriteOptions& options = {});

  ParquetWriter(ParquetWriter&&) noexcept;
  ParquetWriter& operator=(ParquetWriter&&) noexcept;
  ~ParquetWriter();

  /// Appends `count` structs at `rows`, `stride` bytes apart. INVALID_ARGUMENT names the column and the row.
  Status Append(const void* rows, std::size_t stride, std::size_t count);
  /// The number of rows appended so far.
  std::uint64_t row_count() const;

  /// Adds to the key-value metadata of the file, before `Close`.
  void AddMetadata(std::string key, std::string value);

  /// Writes the file and makes it visible and durable under its name. Once.
  Status Close();

  /// Opaque.
  struct Impl;

 private:
  explicit ParquetWriter(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::columnar
