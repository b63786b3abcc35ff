// One worker's operators, wired by a plan: who hands batches to whom, how watermarks walk from operator to operator,
// and what is exchanged with the other workers. It has no thread of its own; `runner/native` drives it.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "engine/watermark.h"
#include "exec/plan.h"
#include "exec/read.h"
#include "millrace/detail/operator.h"
#include "millrace/detail/side_input_kernel.h"

namespace millrace::exec {

/// What a worker's operators need of the runner around them.
class WorkerEnvironment {
 public:
  virtual ~WorkerEnvironment() = default;
  virtual int worker() const = 0;
  virtual int workers() const = 0;
  virtual bool streaming() const = 0;
  virtual Timestamp processing_time() const = 0;
  virtual bool stopping() const = 0;
  /// Hands a batch to operator `node` of another worker; waits while that worker's queue is full.
  virtual void Ship(int node, int worker, std::unique_ptr<detail::BatchBase> batch) = 0;
  virtual void SendWatermark(int node, int worker, Timestamp watermark) = 0;
  virtual detail::SideInputValue GetSideInput(int collector, const BoundedWindow& main_window) = 0;
  virtual detail::SideInputStore& StoreOf(int collector) = 0;
  virtual RestrictionQueue& RestrictionsOf(int source) = 0;
};

/// Used by one thread, except for `Metrics` and `elements_read`, which any thread may call.
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
  void PropagateWatermarks(bool broadcast);
  void AdvanceProcessingTime(Timestamp now);
  Timestamp NextProcessingTime() const;
  /// When a source that waits wants to run again.
  Timestamp SourceResumeAt() const;

  /// Every operator has seen the end of its input.
  bool done() const;
  /// The least watermark of this worker's sources.
  Timestamp SourceWatermark() const;

  /// Tells the sources what has been read for good. After the run has ended well, on any thread.
  void FinalizeSources();

  std::int64_t elements_read() const;
  /// User metrics and counts of operator `node` on this worker.
  StepMetrics Metrics(int node) const;
  std::int64_t ElementsOut(int node) const;

 private:
  struct Node;

  bool MayRun(const Node& node) const;

  WorkerEnvironment& environment_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::vector<int> sources_;
  std::size_t turn_ = 0;
};

}  // namespace millrace::exec
