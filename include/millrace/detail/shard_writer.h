// The seam between the sinks that write files and the formats of these files.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "millrace/core/schema.h"
#include "millrace/core/status.h"
#include "millrace/detail/graph.h"

namespace millrace::detail {

/// One file in the making. One thread at a time.
class ShardWriter {
 public:
  virtual ~ShardWriter() = default;
  /// Appends `count` objects at `rows`, `stride` bytes apart.
  virtual Status Append(const void* rows, std::size_t stride, std::size_t count) = 0;
  /// The file is complete and durable when it returns. Once.
  virtual Status Close() = 0;
};

/// Opens a shard at a path; a file that is there is replaced. Called by several threads at once.
using ShardOpener = std::function<StatusOr<std::unique_ptr<ShardWriter>>(const std::string& path)>;

/// Where a sink writes and how.
struct FileSink {
  std::string prefix;
  std::string suffix;
  bool overwrite = false;
  std::size_t stride = 0;  // of the elements, in bytes
  ShardOpener open;
};

/// Makes the operators that write `prefix-00000-of-0000N`+`suffix`, one shard per worker. What they promise is said in
/// io/file_sink.h.
OperatorFactory MakeFileSink(FileSink sink);

/// Lines, JSON lines and CSV with a header row: objects of `type` as text.
enum class LineSyntax : std::uint8_t { kLine, kJsonLine, kCsv };
ShardOpener OpenLineShards(LineSyntax syntax, const Type& type, char delimiter);

/// Parquet: structs of `schema`.
ShardOpener OpenParquetShards(const Schema& schema, std::size_t row_group_rows);

}  // namespace millrace::detail
