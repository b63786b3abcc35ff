// How a pipeline is run by the native runner.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "millrace/core/source.h"
#include "millrace/core/status.h"
#include "millrace/core/timestamp.h"
#include "millrace/runner/checkpoint_options.h"

namespace millrace {

class ViewSink;
class DeadLetterSink;
class StatusBoard;

/// How far a run has come; see `RunOptions::on_progress`.
struct Progress {
  std::int64_t elements_read = 0;
  Timestamp watermark = Timestamp::Min();  // the least of all sources
  double elapsed_s = 0;
  /// How much of the input has been read, from 0 to 1, by whole restrictions; none while a source has no end.
  std::optional<double> fraction = std::nullopt;
  bool done = false;
};

namespace detail {
class SpillStore;
}

enum class StateBackend : std::uint8_t {
  kMemory,   // all state in memory
  kRocksdb,  // what does not fit into the memory that it may take is in a RocksDB
};

/// Where a run has the state of its keyed steps (aggregations, stateful DoFns, Deduplicate). Checkpoints do not depend
/// on it: a run may go on with another backend than the one before it. In memory always: side inputs, timers, and any
/// single key's state.
struct StateOptions {
  StateBackend backend = StateBackend::kMemory;
  /// Of kRocksdb: removed with all that is in it at the start and the end of a run.
  std::string folder = {};
  /// Of kRocksdb: about so much memory the entries take, of all threads together; RocksDB's buffers come on top.
  std::int64_t memory_bytes = std::int64_t{1} << 30;
  /// Opens the backend. Set by `RocksdbState` (runner/rocksdb_state.h) and by `Main`, so that a program which does
  /// without RocksDB need not load it.
  std::function<StatusOr<std::shared_ptr<detail::SpillStore>>(const StateOptions&)> open = nullptr;
};

struct RunOptions {
  /// Streaming mode: triggers fire early, late data exists, watermarks follow the declared disorder. In batch mode
  /// every window fires once, complete.
  bool streaming = false;
  /// Worker threads; 0: one per core.
  int threads = 1;
  /// Elements that a source reads before the runner looks after timers, watermarks and other sources.
  std::int64_t bundle_elements = 16'384;
  /// Batches that may wait between two workers; a producer that meets a full queue waits.
  int queue_batches = 64;
  /// Where `View` transforms write; null: their cells are counted and dropped.
  std::shared_ptr<ViewSink> views = nullptr;
  /// Where dead letters go; null: the first are logged as warnings, all are counted.
  std::shared_ptr<DeadLetterSink> dead_letters = nullptr;
  /// Set by anyone to end the run early: sources stop, what was read is finished, open windows do not fire. With
  /// checkpoints a last one is taken, so that a later run goes on without a gap.
  std::shared_ptr<std::atomic<bool>> cancel = nullptr;
  /// Set by anyone to end the input here, as if there were no more: sources stop, open windows fire, the run is done.
  std::shared_ptr<std::atomic<bool>> close_windows = nullptr;
  /// While it is set by anyone, sources read nothing; windows fire and checkpoints are taken as ever.
  std::shared_ptr<std::atomic<bool>> paused = nullptr;
  /// So many elements all sources together read in a second at most; 0: as many as they can.
  double elements_per_s_max = 0;
  StateOptions state = {};
  /// Null: nothing is kept, and a run that is killed begins anew.
  std::optional<CheckpointOptions> checkpoints = {};
  /// The number of the generation of results that the run computes; 0: of none. Records that were put into the log
  /// again count in the generation that they were meant for (docs/guide/ledger.md).
  std::uint64_t generation = 0;
  /// What is read of a source, by label, instead of what it describes itself.
  std::map<std::string, std::vector<Restriction>> restrictions = {};
  /// Nothing is written: cells are counted and dropped, and so is what other sinks are given. Dead letters are told,
  /// and DoFns that write somewhere by themselves do so.
  bool without_sinks = false;
  /// Called about every `progress_interval` from the calling thread of `Run`, and once at the end.
  std::function<void(const Progress&)> on_progress = nullptr;
  Duration progress_interval = std::chrono::milliseconds(200);
  /// Where the run's status is published, about every `progress_interval` and once at the end; null: nowhere.
  std::shared_ptr<StatusBoard> status = nullptr;
  /// Processing time; null: the system's clock. Tests give one of their own.
  std::function<Timestamp()> processing_time = nullptr;
};

}  // namespace millrace
