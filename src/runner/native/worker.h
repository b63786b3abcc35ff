// One worker: a thread that reads sources, runs operators, and exchanges batches with the other workers.
//
// Queues are bounded. A worker that meets a full queue of operator k works on its own messages for operators k and
// later until there is room. Since the last operators ship nothing, some worker always gets on, so bounded queues
// cannot lock each other up; and since a kernel ships only when it holds no reference into its state, receiving in the
// middle of shipping is safe.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "exec/worker_graph.h"
#include "millrace/runner/run_options.h"
#include "runner/native/barrier.h"
#include "runner/native/inbox.h"
#include "runner/native/read_pace.h"
#include "runner/native/shared_state.h"

namespace millrace::native {

/// What happens while the workers of a run with checkpoints stand still. Each function is called by one worker.
class BarrierHooks {
 public:
  virtual ~BarrierHooks() = default;
  /// Before anything is read: what each node starts from, by what worker 0's graph says of its states. Empty: nothing.
  virtual StatusOr<std::vector<exec::RestoredNode>> Restored(const exec::WorkerGraph& graph) = 0;
  /// All workers have taken what is theirs.
  virtual void RestoreDone() = 0;
  /// Which nodes are to write their states wholly at the barrier that is requested.
  virtual const std::vector<bool>& full() const = 0;
  /// A worker's part of the barrier.
  virtual void Add(int worker, exec::WorkerSnapshot snapshot) = 0;
  /// All have added theirs, nothing moves.
  virtual Status Complete() = 0;
};

/// What the workers of a run have in common.
struct Shared {
  Shared(int worker_count, const RunOptions& options)
      : workers(worker_count), pace(options.elements_per_s_max, options.paused), barrier(worker_count) {}
  int workers;
  bool streaming = false;
  std::function<Timestamp()> clock;
  ReadPace pace;
  RunState state;
  Barrier barrier;
  BarrierHooks* hooks = nullptr;                // of a run with checkpoints
  std::atomic<int> done{0};                     // workers that have come to the end of all input
  std::atomic<bool> reading_ends{false};        // sources are to take what they have not read as the end of their input
  std::vector<std::unique_ptr<Inbox>> inboxes;  // by worker
  std::vector<std::unique_ptr<SharedRestrictions>> restrictions;  // by node; null if no source
  std::vector<std::unique_ptr<SharedSideInput>> side_inputs;      // by node; null if no collector
  std::vector<exec::RestoredNode> restored;                       // while the workers start from a checkpoint
  exec::StateMemory state_memory;                                 // of each worker
  // By worker, where its sources are in event time while it has something to read; else the end of time.
  std::vector<std::unique_ptr<std::atomic<std::int64_t>>> reading_at;
  exec::Origins origins;
};

class Worker final : private exec::WorkerEnvironment {
 public:
  Worker(int index, const exec::Plan& plan, Shared& shared, const exec::ReadLimits& limits);

  /// Runs to the end of all input, or until the run has ended. Errors go to the shared state. To be called once, on the
  /// worker's thread.
  void Run();

  const exec::WorkerGraph& graph() const { return graph_; }
  /// Has the worker's thread tell the source `node` that all computed from `read` is safe. Any thread may call it.
  void FinalizeSoon(int node, std::vector<Restriction> read);
  /// What the worker has counted of node `node`. After the run.
  exec::StepLedger LedgerOf(int node) const { return graph_.LedgerOf(node); }
  std::vector<Restriction> TakeCovered(int node) { return graph_.TakeCovered(node); }
  /// After a run that has ended well.
  void FinalizeSources() { graph_.FinalizeSources(); }
  /// What the worker told when it was asked before; it tells anew between its next two bundles. Any thread may ask.
  exec::WorkerStatus AskStatus();
  /// The least watermark of this worker's sources; any thread may ask.
  Timestamp source_watermark() const {
    return Timestamp::FromMicros(source_watermark_.load(std::memory_order_relaxed));
  }

 private:
  int worker() const override { return index_; }
  int workers() const override { return shared_.workers; }
  bool streaming() const override { return shared_.streaming; }
  Timestamp processing_time() const override { return now_; }
  bool stopping() const override { return shared_.state.ended(); }
  bool reading_ends() const override { return shared_.reading_ends.load(std::memory_order_relaxed); }
  void Ship(int node, int worker, std::unique_ptr<detail::BatchBase> batch) override;
  void SendWatermark(int node, int worker, Timestamp watermark) override;
  detail::SideInputValue GetSideInput(int collector, const BoundedWindow& main_window) override;
  detail::SideInputStore& StoreOf(int collector) override;
  exec::RestrictionQueue& RestrictionsOf(int source) override;
  const exec::StateMemory& state_memory() const override { return shared_.state_memory; }
  exec::Origins& origins() override { return shared_.origins; }

  void Restore();
  void Loop();
  void AwaitOthers();
  void RunBarrier();
  bool Meet();
  void FinalizeRead();
  exec::ReadOperator::State ReadSources();
  Timestamp WhereItReads();
  void TellOthers(Timestamp reading_at);
  bool IsAhead(Timestamp own) const;
  bool Receive(int first_node, int at_most);
  void TellStatus();
  void WaitForWork();

  int index_;
  Shared& shared_;
  Inbox& inbox_;
  Timestamp now_;
  std::mutex finalize_mutex_;
  std::vector<std::pair<int, std::vector<Restriction>>> finalize_;
  std::atomic<bool> finalizes_{false};
  std::atomic<bool> status_wanted_{false};
  std::mutex status_mutex_;
  exec::WorkerStatus status_;  // guarded by it
  std::atomic<std::int64_t> source_watermark_{Timestamp::Min().micros()};
  Duration bundle_span_{0};  // by how much event time a bundle advances, about
  exec::WorkerGraph graph_;
};

}  // namespace millrace::native
