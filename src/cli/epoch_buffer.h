// What the sinks of a run with checkpoints hold in memory: the cells and dead letters that are not in the stores yet,
// encoded as they go into the checkpoint, from the write until their epoch is applied.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cli/epoch_batch.h"
#include "millrace/core/status.h"
#include "millrace/io/view_sink.h"

namespace millrace::cli {

/// How much is held, in bytes of encoded cells.
struct EpochBufferOptions {
  std::size_t block_bytes = 256 << 10;
  /// From here on the open epoch asks for a checkpoint before its time.
  std::size_t pressure_bytes = 64 << 20;
  /// Writes wait while more than this is committed and waits behind the epoch that is being applied: every checkpoint
  /// holds it too.
  std::size_t backlog_bytes_max = 64 << 20;
  /// Of all that is held. Beyond it writes wait while an epoch is on its way to the stores; when none is, only a
  /// checkpoint could help, for which the write must return: it fails.
  std::size_t bytes_max = 512 << 20;
  /// No write waits longer.
  std::chrono::milliseconds wait_max{300'000};
};

/// Blocks of the open epoch, and of those that are sealed, then committed, then applied and gone. Thread safe.
class EpochBuffer {
 public:
  explicit EpochBuffer(const EpochBufferOptions& options) : options_(options) {}

  /// Before the first write. Gives the view's position.
  std::size_t AddView(const ViewDescriptor& view, const std::string& signature);
  /// Before the first write; called without a lock by the thread that writes.
  void OnPressure(std::function<void()> request_checkpoint) { request_checkpoint_ = std::move(request_checkpoint); }

  /// Takes part of the open epoch. May wait; RESOURCE_EXHAUSTED when nothing is left to wait for. After `Fail`, its
  /// status.
  Status AddCells(std::size_t view, std::span<const Cell> cells);
  Status AddLetters(std::span<const DeadLetterRow> letters);

  /// Seals the open epoch as `epoch` and gives the batch of all that is sealed and not applied.
  StatusOr<EpochBatch> Snapshot(std::uint64_t epoch, std::uint64_t generation, std::uint64_t attempt);
  /// Epochs up to `epoch` may be applied. INTERNAL if it was not sealed.
  Status Commit(std::uint64_t epoch);

  /// An epoch that is sealed. Its blocks stay in the buffer until `Applied`.
  struct SealedEpoch {
    std::uint64_t epoch = 0;
    std::vector<std::shared_ptr<const std::string>> blocks;
    std::uint64_t cells = 0;
    std::uint64_t letters = 0;
    std::size_t bytes = 0;
  };
  /// The oldest committed epoch that is not applied. Waits for one; nothing after `Close` or `Fail`.
  std::optional<SealedEpoch> WaitForCommitted();
  /// The oldest epoch is in the stores, durably.
  void Applied();
  /// Ends all waiting; the first status stays.
  void Fail(const Status& status);
  void Close();
  /// Until all that is committed is applied.
  Status WaitUntilApplied();
  Status failure() const;

 private:
  struct View {
    ViewDescriptor descriptor;
    std::vector<EpochBlockWriter> open;  // that no thread writes to
  };

  Status WaitForRoom(std::unique_lock<std::mutex>& lock);
  bool MustWait() const;
  bool HasCommitted() const { return !sealed_.empty() && sealed_.front().epoch <= committed_; }
  void CountWritten(std::size_t bytes, std::unique_lock<std::mutex>& lock);
  SealedEpoch SealOpen(std::uint64_t epoch);
  EpochBlockWriter TakeOpen(std::vector<EpochBlockWriter>* open, const EpochBlockWriter& empty);
  Status GiveBack(EpochBlockWriter block, std::vector<EpochBlockWriter>* open);

  const EpochBufferOptions options_;
  std::function<void()> request_checkpoint_;
  std::vector<BatchView> names_;

  mutable std::mutex mutex_;  // guards what follows; not the descriptors of views
  std::condition_variable changed_;
  std::vector<View> views_;
  std::vector<EpochBlockWriter> open_letters_;
  std::vector<EpochBlockWriter> filled_;
  std::deque<SealedEpoch> sealed_;
  std::size_t open_bytes_ = 0;
  std::size_t sealed_bytes_ = 0;
  std::size_t writers_ = 0;  // that hold a block
  std::uint64_t order_ = 0;
  std::uint64_t committed_ = 0;
  bool has_asked_ = false;  // for a checkpoint of the open epoch
  bool is_closed_ = false;
  Status failure_;
};

}  // namespace millrace::cli
