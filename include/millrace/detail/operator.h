// The seam between the engine and the typed kernels: an operator takes batches and hands batches on. The engine knows
// operators only through this interface; a kernel knows the engine only through `OperatorContext`.
//
// An operator belongs to one worker and is called by that worker's thread alone. Watermarks are not passed along with
// batches: after each bundle the worker walks the operators in topological order (`exec/worker_graph.h`).
#pragma once

#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "millrace/core/metrics.h"
#include "millrace/core/status.h"
#include "millrace/core/windowing.h"
#include "millrace/detail/batch.h"
#include "millrace/detail/ledger.h"
#include "millrace/detail/saved_state.h"

namespace millrace::detail {

class Operator;
class Spiller;

/// Number of shards that the space of keys is divided into; a key's shard is the top 8 bits of its hash. Part of the
/// checkpoint format.
inline constexpr int kShards = 256;
constexpr int ShardOf(std::uint64_t hash) { return static_cast<int>(hash >> 56); }
constexpr int OwnerOf(std::uint64_t hash, int workers) { return (ShardOf(hash) * workers) >> 8; }

/// How often an element is tried before its failure fails the job; Beam's runners try a bundle four times.
inline constexpr int kElementAttempts = 4;

/// Ends the pipeline with a status; thrown by operators, caught by the worker's loop.
class PipelineFailure : public std::exception {
 public:
  explicit PipelineFailure(Status status) : status_(std::move(status)), text_(status_.ToString()) {}
  const Status& status() const { return status_; }
  const char* what() const noexcept override { return text_.c_str(); }

 private:
  Status status_;
  std::string text_;
};

/// Where an operator's output goes: the operators that read that PCollection.
class OutputPort {
 public:
  void Connect(Operator* consumer, int input) { consumers_.push_back({consumer, input}); }
  bool connected() const { return !consumers_.empty(); }
  /// A step ahead wants to know where elements came from.
  void WantOrigins() { wants_origins_ = true; }
  bool wants_origins() const { return wants_origins_; }
  /// Hands the batch to every consumer; its contents are undefined afterwards. Empty batches are not delivered.
  void Deliver(BatchBase& batch);
  std::int64_t elements() const { return elements_.load(std::memory_order_relaxed); }

 private:
  struct Consumer {
    Operator* operator_to;
    int input;
  };
  std::vector<Consumer> consumers_;
  bool wants_origins_ = false;
  std::atomic<std::int64_t> elements_{0};
};

/// The contents of a side input for one of its windows: an immutable value whose type the reader knows.
using SideInputValue = std::shared_ptr<const void>;

/// An origin, for people and dead letters.
struct NamedOrigin {
  std::string partition;  // as its source names it; empty where it is not known
  std::int64_t position = 0;
};

/// What an operator may ask of its worker.
class OperatorContext {
 public:
  virtual ~OperatorContext() = default;

  virtual const std::string& label() const = 0;
  virtual int worker() const = 0;
  virtual int workers() const = 0;
  /// Streaming mode; in batch mode nothing is late and no processing time passes.
  virtual bool streaming() const = 0;
  virtual Timestamp processing_time() const = 0;
  virtual OutputPort& output(int index) = 0;
  virtual MetricsContainer& metrics() = 0;
  /// Sends a batch to the same operator of another worker, which gets it by `ProcessRemote`. May run operators that
  /// come later, and `ProcessRemote` of this one, while it waits for room: call it with no reference into one's own
  /// state.
  virtual void Ship(int worker, std::unique_ptr<BatchBase> batch) = 0;
  /// An empty batch that this operator has received from another worker, to be filled and shipped again, or null.
  /// Without it memory would wander from the sender's to the receiver's thread.
  virtual std::unique_ptr<BatchBase> TakeSpare() = 0;
  /// The side input `index` for the window that the main window `window` maps to, or null while it is not ready.
  virtual SideInputValue GetSideInput(int index, const BoundedWindow& window) = 0;
  /// The pipeline is being cancelled: sources stop claiming.
  virtual bool stopping() const = 0;
  /// An element of the input was dropped for `window`, which had expired: it is kept with the dead letters of the run.
  virtual void RecordLate(const BoundedWindow& window, Timestamp time, const void* element, Origin origin) = 0;
  virtual NamedOrigin NameOrigin(Origin origin) const = 0;
  /// Sources take what they have not read yet as the end of their input.
  virtual bool reading_ends() const = 0;
  /// What the operator needs to keep state outside memory; null: all of it stays there.
  virtual std::unique_ptr<Spiller> MakeSpiller() = 0;
};

/// An empty batch of that type: a spare one if there is one.
template <class BatchType>
std::unique_ptr<BatchType> SpareBatch(OperatorContext& context) {
  std::unique_ptr<BatchBase> spare = context.TakeSpare();
  if (auto* typed = dynamic_cast<BatchType*>(spare.get())) {
    static_cast<void>(spare.release());
    return std::unique_ptr<BatchType>(typed);
  }
  return std::make_unique<BatchType>();
}

class Operator {
 public:
  Operator() = default;
  Operator(const Operator&) = delete;
  Operator& operator=(const Operator&) = delete;
  virtual ~Operator() = default;

  /// Once, before anything else, on the worker's thread.
  virtual void Open(OperatorContext& context) { context_ = &context; }
  virtual void Process(BatchBase& batch, int input) = 0;
  /// A batch of a step before this one: what the step takes in is counted here, whatever becomes of it.
  void Take(BatchBase& batch, int input) {
    ledger_.rows += static_cast<std::int64_t>(batch.size());
    Process(batch, input);
  }
  /// A batch that the same operator of another worker shipped here: every key in it is this worker's.
  virtual void ProcessRemote(BatchBase& batch) { Process(batch, 0); }
  /// Ships what is kept back for other workers.
  virtual void FlushRemote() {}
  /// Ships what other workers need before they learn that the watermark here is `watermark`.
  virtual void FlushRemoteBefore(Timestamp /*watermark*/) { FlushRemote(); }
  /// The other workers have been told of this worker's part of the input watermark.
  virtual void WatermarkSent(Timestamp /*watermark*/) {}
  /// The input watermark has advanced to `watermark`: fires what is due and gives the output watermark.
  virtual Timestamp AdvanceWatermark(Timestamp watermark) { return watermark; }
  /// Something is due at the watermark that the operator has: `AdvanceWatermark` is called though it has not moved.
  virtual bool Due() const { return false; }
  /// Processing time has advanced: fires what is due.
  virtual void AdvanceProcessingTime(Timestamp /*now*/) {}
  /// When `AdvanceProcessingTime` next has something to do.
  virtual Timestamp NextProcessingTime() const { return Timestamp::Max(); }
  virtual void StartBundle() {}
  virtual void FinishBundle() {}
  /// Once, after the last bundle, also when the pipeline has failed.
  virtual void Close() {}
  /// What it keeps beyond a barrier. Asked after `Open`, always with the same answer.
  virtual std::vector<StateDescription> States() const { return {}; }
  /// Writes the states, in the order of `States`. At a barrier: nothing is on its way, buffers for other workers are
  /// empty, and what the watermark makes due has fired.
  virtual void SaveState(StateWriter& /*writer*/) {}
  /// Takes back a part of a state: of all workers, of which it keeps what is its own. After `Open`, state by state, the
  /// parts of one state in the order in which they were written.
  virtual Status RestoreState(const SavedSection& section) {
    return InternalError(std::string(section.origin) + " is state of a step that keeps none");
  }
  /// After the last part: the watermark that its input had at the barrier.
  virtual void FinishRestore(Timestamp /*watermark*/) {}
  /// What has become of the input. On the worker's thread, between two bundles or after the run.
  virtual LedgerCounts Ledger() const { return ledger_; }
  /// Each unit that is emitted gives exactly one element of output.
  virtual bool EmitsOneEach() const { return false; }
  /// Bytes of memory that state takes; an estimate.
  virtual std::size_t StateBytes() const { return 0; }
  /// Moves at least `wanted` bytes of state out of memory, if it can, and returns how many. Between two bundles, in
  /// runs with a state backend.
  virtual std::size_t SpillState(std::size_t /*wanted*/) { return 0; }

 protected:
  OperatorContext& context() { return *context_; }
  const OperatorContext& context() const { return *context_; }

  LedgerCounts ledger_;

 private:
  OperatorContext* context_ = nullptr;
};

inline void OutputPort::Deliver(BatchBase& batch) {
  if (batch.empty()) return;
  Add(elements_, static_cast<std::int64_t>(batch.size()));
  if (consumers_.empty()) return;
  const bool shared = batch.shared;
  const bool has_origins = batch.has_origins;
  batch.has_origins = has_origins && wants_origins_;
  for (std::size_t i = 0; i + 1 < consumers_.size(); ++i) {
    batch.shared = true;
    consumers_[i].operator_to->Take(batch, consumers_[i].input);
  }
  batch.shared = shared;
  consumers_.back().operator_to->Take(batch, consumers_.back().input);
  batch.has_origins = has_origins;
}

}  // namespace millrace::detail
