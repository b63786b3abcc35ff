// Where a run's views and dead letters go: both view stores and the table `dead_letters` of a generation's folder.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "cli/epoch_buffer.h"
#include "columnar/database.h"
#include "millrace/io/view_sink.h"
#include "millrace/io/view_store.h"

namespace millrace::cli {

/// When cells are handed to the stores, and when they are committed there.
struct RunResultsOptions {
  std::string folder = {};  // of the generation; exists, and is empty unless checkpoints are on
  std::uint64_t generation = 1;
  std::size_t portion_cells_max = 65'536;   // handed on at once: three times as many are in memory at most
  std::size_t epoch_cells_max = 1'000'000;  // committed at once
  /// A streaming run writes cells again and again: they are committed when they are so old, and superseded ones are
  /// removed in the background. A batch run writes each once, and they are nobody's before its end.
  bool is_streaming = false;
  std::chrono::milliseconds epoch_age_max{1000};
  /// Exactly once: epochs are those of the run's checkpoints, and the sinks expect `Restore` before the first write.
  /// `epoch_cells_max` and `epoch_age_max` then mean nothing.
  bool has_checkpoints = false;
  EpochBufferOptions buffer = {};
};

/// What was written.
struct RunResultsCounts {
  std::uint64_t cells = 0;       // that the pipeline gave
  std::uint64_t superseded = 0;  // of them: dropped unwritten, for a newer one came just after it
  std::uint64_t letters = 0;
  std::uint64_t epochs = 0;  // handed to the stores to be committed
  double warehouse_s = 0;    // processor time of the thread that writes to DuckDB
  double lookup_s = 0;       // the same for RocksDB
};

class ResultSinks;
class StoreWriters;

/// The sinks of one run. Cells are copied and written by one thread per store; where these are slower than the
/// pipeline, its writes wait. With checkpoints the dead letters are in the batches of the views' sink.
class RunResults {
 public:
  /// Opens the stores in the folder, or makes them.
  static StatusOr<std::unique_ptr<RunResults>> Create(const RunResultsOptions& options);
  /// Drops what was not committed, and closes the stores.
  ~RunResults();
  RunResults(const RunResults&) = delete;
  RunResults& operator=(const RunResults&) = delete;

  /// Valid as long as the object lives.
  std::shared_ptr<ViewSink> views();
  std::shared_ptr<DeadLetterSink> dead_letters();
  /// After the run.
  RunResultsCounts counts() const;
  /// To read what is committed, beside the run's writes. Valid as long as the object lives; a copy of the database
  /// keeps its file open.
  const ViewStore& lookup() const { return lookup_; }
  const columnar::Database& warehouse() const { return warehouse_; }

 private:
  RunResults(std::shared_ptr<ResultSinks> sinks, const StoreWriters& writers);
  std::shared_ptr<ResultSinks> sinks_;
  const ViewStore& lookup_;  // of the writers, which belong to the sinks
  const columnar::Database& warehouse_;
};

/// The names of the stores in a generation's folder.
std::string WarehousePath(const std::string& generation_folder);
std::string LookupPath(const std::string& generation_folder);
/// The checkpoints of a generation.
std::string CheckpointsPath(const std::string& generation_folder);

/// The table of dead letters, which no view may be named like.
inline constexpr const char* kDeadLettersTable = "dead_letters";

}  // namespace millrace::cli
