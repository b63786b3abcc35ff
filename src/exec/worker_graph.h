// One worker's operators, wired by a plan: who hands batches to whom, how watermarks walk from operator to operator,
// and what is exchanged with the other workers. It has no thread of its own; `runner/native` drives it.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "engine/watermark.h"
#include "exec/origins.h"
#include "exec/plan.h"
#include "exec/read.h"
#include "exec/worker_status.h"
#include "millrace/detail/operator.h"
#include "millrace/detail/side_input_kernel.h"
#include "millrace/detail/spill.h"

namespace millrace::exec {

/// Where the state of a worker's operators may be.
struct StateMemory {
  detail::SpillStore* store = nullptr;  // for what does not fit; null: all of it stays in memory
  std::size_t bytes_max = 0;            // in memory, of this worker
  bool keeps_changes = false;           // there are checkpoints
};

/// What a worker's operators need of the runner around them.
class WorkerEnvironment {
 public:
  virtual ~WorkerEnvironment() = default;
  virtual int worker() const = 0;
  virtual int workers() const = 0;
  virtual bool streaming() const = 0;
  virtual Timestamp processing_time() const = 0;
  virtual bool stopping() const = 0;
  virtual bool reading_ends() const = 0;
  /// Hands a batch to operator `node` of another worker; waits while that worker's queue is full.
  virtual void Ship(int node, int worker, std::unique_ptr<detail::BatchBase> batch) = 0;
  virtual void SendWatermark(int node, int worker, Timestamp watermark) = 0;
  virtual detail::SideInputValue GetSideInput(int collector, const BoundedWindow& main_window) = 0;
  virtual detail::SideInputStore& StoreOf(int collector) = 0;
  virtual RestrictionQueue& RestrictionsOf(int source) = 0;
  virtual const StateMemory& state_memory() const = 0;
  virtual Origins& origins() = 0;
};

/// One state of one step, as one worker wrote it at a barrier.
struct WrittenState {
  bool full = true;
  std::vector<detail::ChunkSource> sources;  // pieces that come before `chunks`
  std::vector<std::string> chunks;
};

/// What a step on one worker has counted since the run began.
struct StepLedger {
  detail::LedgerCounts counts;
  std::vector<std::int64_t> out;  // elements, by output
  bool one_each = false;          // see detail::Operator::EmitsOneEach
};

/// What a worker has at a barrier, by node of the plan.
struct WorkerSnapshot {
  struct Node {
    std::vector<WrittenState> states;  // as the operator describes them
    Timestamp input_watermark = Timestamp::Min();
    Timestamp output_watermark = Timestamp::Min();
    std::vector<Restriction> unfinished;  // of a source
    std::vector<Restriction> read;        // of a source that wants to know what is safe
    std::vector<Restriction> covered;     // of a source: what was read since the last barrier
    StepMetrics metrics;
    StepLedger ledger;
  };
  std::vector<Node> nodes;
};

/// A section of a state in a checkpoint, of all workers; see detail::SavedSection.
struct RestoredSection {
  std::size_t state = 0;
  std::string layout;
  std::string origin;
  detail::ChunkSource read;
};

/// What a step had at the barrier that a run starts from. `sections` are in the order of writing; all workers read
/// them.
struct RestoredNode {
  std::vector<RestoredSection> sections;
  Timestamp input_watermark = Timestamp::Min();
  Timestamp output_watermark = Timestamp::Min();
};

/// Used by one thread, except for `Metrics`, `ElementsOut` and `elements_read`, which any thread may call.
class WorkerGraph {
 public:
  WorkerGraph(const Plan& plan, WorkerEnvironment& environment, const ReadLimits& limits);
  ~WorkerGraph();

  /// Makes nothing but calls `Open` on every operator; before anything else, on the worker's thread.
  void Open();
  /// Calls `Close` on every operator that was opened.
  void Close();

  /// A batch, or a watermark, from another worker for operator `node`.
  void ReceiveBatch(int node, std::unique_ptr<detail::BatchBase> batch);
  void ReceiveWatermark(int node, int from, Timestamp watermark);

  /// Runs one bundle of the source that is furthest behind in event time, of those that may run.
  ReadOperator::State RunSource();
  void FinishBundle();
  /// Walks the watermarks through the operators, firing what is due. `broadcast`: tell the other workers, too.
  /// `idle`: nothing is read now, so nothing is kept back for more to come.
  void PropagateWatermarks(bool broadcast, bool idle);
  void AdvanceProcessingTime(Timestamp now);
  Timestamp NextProcessingTime() const;
  /// When a source that waits wants to run again.
  Timestamp SourceResumeAt() const;
  /// Of what the sources could read now: no element is older. The end of time where there is nothing.
  Timestamp SourceReadableLow() const;

  // A barrier: no source reads until it is over. For each exchange, in order, every worker calls `Settle`, waits until
  // all have, and receives what has come; then `Settle(nodes)` and `Save`.
  /// The nodes that exchange batches between workers, in topological order.
  const std::vector<int>& exchanges() const { return exchanges_; }
  int size() const { return static_cast<int>(nodes_.size()); }
  /// Lets the nodes before `node` that were not settled yet fire what is due, and ships what `node` has kept back.
  void Settle(int node);
  /// `full[node]`: write that node's states wholly. After the last `Settle`; the next barrier begins anew.
  WorkerSnapshot Save(const std::vector<bool>& full);
  /// After `Open`, before anything is read: brings each node to where `restored` says.
  Status Restore(const std::vector<RestoredNode>& restored);
  /// What node `node` keeps beyond a barrier. After `Open`.
  std::vector<detail::StateDescription> StatesOf(int node) const;

  /// Moves state out of memory if it has become too much. Between two bundles.
  void LimitState();

  /// Every operator has seen the end of its input.
  bool done() const;
  /// The least watermark of this worker's sources.
  Timestamp SourceWatermark() const;

  /// Tells a source that all computed from `read` is safe.
  void FinalizeSource(int node, const std::vector<Restriction>& read);
  /// Tells the sources about all that has been read since the last barrier. After the run has ended well, on any
  /// thread.
  void FinalizeSources();

  std::int64_t elements_read() const;
  /// User metrics and counts of operator `node` on this worker.
  StepMetrics Metrics(int node) const;
  std::int64_t ElementsOut(int node) const;
  std::int64_t ElementsOut(int node, int output) const;
  /// On the worker's thread, or after the run.
  StepLedger LedgerOf(int node) const;
  /// What a source has read since it was asked last.
  std::vector<Restriction> TakeCovered(int node);
  /// On the worker's thread.
  WorkerStatus CurrentStatus() const;

 private:
  struct Node;

  bool MayRun(const Node& node) const;
  Timestamp LocalWatermark(const Node& node) const;
  void SendWatermark(Node& node, Timestamp local);
  void Advance(Node& node, Timestamp input);
  Status RestoreNode(Node& node, const RestoredNode& from);

  WorkerEnvironment& environment_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::vector<int> sources_;
  std::vector<int> exchanges_;
  int settled_ = 0;  // nodes before it, at a barrier
  std::size_t turn_ = 0;
};

}  // namespace millrace::exec
