// One worker: a thread that reads sources, runs operators, and exchanges batches with the other workers.
//
// Queues are bounded. A worker that meets a full queue of operator k works on its own messages for operators k and
// later until there is room. Since the last operators ship nothing, some worker always gets on, so bounded queues
// cannot lock each other up; and since a kernel ships only when it holds no reference into its state, receiving in the
// middle of shipping is safe.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "exec/worker_graph.h"
#include "runner/native/inbox.h"
#include "runner/native/shared_state.h"

namespace millrace::native {

/// What the workers of a run have in common.
struct Shared {
  int workers = 1;
  bool streaming = false;
  std::function<Timestamp()> clock;
  RunState state;
  std::vector<std::unique_ptr<Inbox>> inboxes;                    // by worker
  std::vector<std::unique_ptr<SharedRestrictions>> restrictions;  // by node; null if no source
  std::vector<std::unique_ptr<SharedSideInput>> side_inputs;      // by node; null if no collector
};

class Worker final : private exec::WorkerEnvironment {
 public:
  Worker(int index, const exec::Plan& plan, Shared& shared, const exec::ReadLimits& limits);

  /// Runs to the end of all input, or until the run has ended. Errors go to the shared state. To be called once, on the
  /// worker's thread.
  void Run();

  const exec::WorkerGraph& graph() const { return graph_; }
  /// After a run that has ended well.
  void FinalizeSources() { graph_.FinalizeSources(); }
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
  void Ship(int node, int worker, std::unique_ptr<detail::BatchBase> batch) override;
  void SendWatermark(int node, int worker, Timestamp watermark) override;
  detail::SideInputValue GetSideInput(int collector, const BoundedWindow& main_window) override;
  detail::SideInputStore& StoreOf(int collector) override;
  exec::RestrictionQueue& RestrictionsOf(int source) override;

  void Loop();
  bool Receive(int first_node, int at_most);
  void WaitForWork();

  int index_;
  Shared& shared_;
  Inbox& inbox_;
  Timestamp now_;
  std::atomic<std::int64_t> source_watermark_{Timestamp::Min().micros()};
  exec::WorkerGraph graph_;
};

}  // namespace millrace::native
