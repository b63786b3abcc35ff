// Where a running pipeline's views and dead letters go.
//
// Exactly once, in a run with checkpoints: what a sink takes between two barriers is its epoch. At the barrier the
// runner takes the epoch's bytes by `Snapshot` and stores them in the checkpoint; once the checkpoint is committed, it
// calls `CommitEpoch`, and only then the sink makes the epoch visible. A process that is killed in between finds the
// bytes in the checkpoint and hands them back by `Restore`. A sink that writes where an epoch cannot be applied twice
// unnoticed keeps the number of the last epoch that it applied together with the data.
//
// A run without checkpoints calls none of these; the sink makes things visible when it likes, at the latest in
// `Finish`.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/core/status.h"
#include "millrace/core/timestamp.h"
#include "millrace/core/window.h"
#include "millrace/io/view_store.h"

namespace millrace {

/// The bytes of an epoch, in pieces that are shared and no longer change: nothing is copied at a barrier. One after
/// another they are the batch that `Restore` takes.
using EpochBatch = std::vector<std::shared_ptr<const std::string>>;

/// What both kinds of sink do at checkpoints. The defaults do nothing: such a sink is not exactly once.
/// A sink's calls come one at a time, in this order: `Restore` once; then, for rising epochs, `Snapshot` and later
/// `CommitEpoch`. `Snapshot` of an epoch may come before `CommitEpoch` of the one before it; an epoch whose checkpoint
/// could not be made is never committed, and its content is committed with the next one that is.
class EpochSink {
 public:
  virtual ~EpochSink() = default;

  /// At a barrier, with no write going on: ends the epoch and gives all that a restart needs besides what the sink has
  /// made durable itself (so also earlier epochs that are committed and not yet applied). Everything waits for this:
  /// it hands out what is encoded already, and neither writes nor waits. `epoch` counts from 1 and rises; an epoch
  /// without content is given too.
  virtual StatusOr<EpochBatch> Snapshot(std::uint64_t /*epoch*/) { return EpochBatch{}; }

  /// The checkpoint of `epoch` is committed: it, and epochs before it that were not, can be made visible now. Does not
  /// wait for that; an error of it fails the next call. Called from another thread than the writes, beside them.
  virtual Status CommitEpoch(std::uint64_t /*epoch*/) { return OkStatus(); }

  /// Before the first write of every run with checkpoints: `batch` is what `Snapshot` gave for the last committed
  /// checkpoint, all pieces joined; 0 and an empty batch where there is none. Applies what of it was not applied yet,
  /// and when it returns, no writer of an earlier attempt can change anything any more. `attempt` counts from 1 and
  /// is higher at each restart. DATA_LOSS if the batch is damaged, FAILED_PRECONDITION if the sink holds epochs later
  /// than `epoch`, which must not be mixed with other ones of the same numbers.
  virtual Status Restore(std::uint64_t /*epoch*/, std::string_view /*batch*/, std::uint64_t /*attempt*/) {
    return OkStatus();
  }

  /// Before the run: how the sink asks for a checkpoint before its time, because it holds more than it likes to. The
  /// function returns at once and may be called by any thread, also by one that writes.
  virtual void OnPressure(std::function<void()> /*request_checkpoint*/) {}
};

/// Takes the cells of all views of one run. Thread safe. An error fails the run.
class ViewSink : public EpochSink {
 public:
  /// Before the run and before `Restore`, once per view.
  virtual Status Declare(const ViewDescriptor& view) = 0;
  /// Cells of one view; may wait where the store is slower than the pipeline. `Cell::version.pane` is set by the
  /// caller, generation and attempt by the sink.
  virtual Status Write(std::string_view view, std::span<const Cell> cells) = 0;
  /// After the last cell of a run that has not failed: everything written is visible when it returns; in a run with
  /// checkpoints, everything that is in a committed epoch.
  virtual Status Finish() = 0;
};

/// An element that could not be processed.
struct DeadLetter {
  std::string name;     // as in DeadLetters(name)
  std::string step;     // the label of the step that gave it
  std::string element;  // JSON
  Timestamp event_time;
  /// Of an element that came after the allowed lateness: the window that did without it.
  std::optional<BoundedWindow> window = {};
  /// Why; empty where the element does not say it in a text field `reason`, `error` or `why`.
  std::string reason = {};
  /// The partition (as its source names it, "TOPIC/PARTITION" of the log) and the position of the one element of the
  /// input that it comes from; empty where that is not known, such as behind an aggregation.
  std::string origin = {};
  std::int64_t position = 0;
};

/// The name of the dead letters that are elements which came too late; `step` is the step that dropped them.
inline constexpr const char* kLateName = "late";
inline constexpr const char* kLateReason = "its window was closed";

/// Takes dead letters. Thread safe. An error fails the run.
class DeadLetterSink : public EpochSink {
 public:
  virtual Status Write(std::span<const DeadLetter> letters) = 0;
  virtual Status Finish() = 0;
};

}  // namespace millrace
