// Computes cells by SQL of the author's over the raw events: the seam between a recompute and the warehouse that runs
// the SQL. DuckDB is the one that there is. What a file sees and must give is in docs/formats/batch.md.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "batch/partitioning.h"
#include "millrace/core/schema.h"
#include "millrace/core/status.h"
#include "millrace/io/view_store.h"

namespace millrace::batch {

/// A view and the file that says how its cells are made.
struct SqlView {
  ViewDescriptor view;
  std::string path;
  std::string text;
};

/// A variable that a file reads by getvariable('NAME').
struct SqlVariable {
  std::string name;
  const Type* type = nullptr;
  const void* value = nullptr;  // of that type
};

/// What the files see. Its events are those of `files` before `cut` with an event time in `event_times`.
struct SqlInput {
  std::vector<std::string> files;  // Parquet, of the columns of an archive (docs/formats/archive.md)
  std::vector<std::int64_t> cut;   // the next offset of each partition of the topic
  TimeRange event_times;
  TimeRange range;  // whole partitions: cells of other windows are dropped; the variables range_from and range_to
  std::vector<SqlVariable> variables;
};

/// A warehouse at work on one range. One thread, but for `Interrupt`.
class SqlEngine {
 public:
  virtual ~SqlEngine() = default;

  /// Makes the relation `events` and the variables; gives the number of the events. Once, before all else.
  virtual StatusOr<std::int64_t> Begin(const SqlInput& input) = 0;
  /// Runs the file of a view and writes the cells of the range to a Parquet file: the columns of the view, in its
  /// order, each cell once. Else an error names the view, the file, and all columns that are missing or of another
  /// type, or the row that cannot be a cell.
  virtual Status Compute(const SqlView& view, const std::string& parquet_path) = 0;
  /// Makes what goes on fail with CANCELLED. Any thread.
  virtual void Interrupt() = 0;
};

/// How DuckDB is opened for it.
struct DuckdbSqlOptions {
  std::string folder;  // for what does not fit into memory
  int threads = 1;
  std::size_t memory_limit_mib = 2048;
};
StatusOr<std::unique_ptr<SqlEngine>> OpenDuckdbSql(const DuckdbSqlOptions& options);

}  // namespace millrace::batch
