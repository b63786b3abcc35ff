#include "runner/native/native_runner.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "base/status_macros.h"
#include "exec/plan.h"
#include "millrace/io/view_sink.h"
#include "millrace/runner/status.h"
#include "runner/native/checkpointer.h"
#include "runner/native/log_dead_letters.h"
#include "runner/native/status_snapshot.h"
#include "runner/native/worker.h"

namespace millrace::native {

namespace {

using Clock = std::chrono::steady_clock;

Timestamp SystemNow() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return Timestamp(std::chrono::duration_cast<Duration>(now));
}

Status DeclareViews(const detail::Graph& graph, ViewSink* sink) {
  if (sink == nullptr) return OkStatus();
  for (const detail::Transform& transform : graph.transforms()) {
    const auto* view = std::get_if<detail::ViewPayload>(&transform.payload);
    if (view == nullptr) continue;
    const ViewDescriptor descriptor{.name = view->name,
                                    .key = view->key_type,
                                    .value = view->value_type,
                                    .key_column = view->key_column,
                                    .value_column = view->value_column,
                                    .merges_windows = detail::MergesWindows(graph, transform)};
    const Status declared = sink->Declare(descriptor);
    if (!declared.ok()) return declared.WithContext(transform.label);
  }
  return OkStatus();
}

// Sources' restrictions and the stores of side inputs.
Status Prepare(const exec::Plan& plan, const RunOptions& options, const Checkpointer* checkpointer, Shared& shared) {
  const SplitOptions split{.workers = shared.workers, .streaming = shared.streaming};
  for (const exec::PlanNode& node : plan.nodes) {
    std::unique_ptr<SharedRestrictions> restrictions;
    std::unique_ptr<SharedSideInput> side_input;
    if (node.is_source) {
      std::optional<std::vector<Restriction>> left;
      if (checkpointer != nullptr) left = checkpointer->RestrictionsOf(node.label);
      const auto given = options.restrictions.find(node.label);
      if (!left && given != options.restrictions.end()) {
        restrictions = std::make_unique<SharedRestrictions>(given->second, shared.workers);
        restrictions->set_each_alone();
      } else if (left) {
        restrictions = std::make_unique<SharedRestrictions>(*std::move(left), shared.workers);
        MILLRACE_ASSIGN_OR_RETURN(Beginnings beginnings, checkpointer->BeginningsOf(node.label));
        restrictions->set_beginnings(std::move(beginnings));
        restrictions->set_total(checkpointer->RestrictionsInAll(node.label));
      } else {
        StatusOr<std::vector<Restriction>> initial = node.read->initial_restrictions(split);
        if (!initial.ok()) return initial.status().WithContext(node.label);
        if (checkpointer != nullptr && node.read->retain) {
          MILLRACE_RETURN_IF_ERROR(node.read->retain(*initial, checkpointer->reader()).WithContext(node.label));
        }
        Beginnings beginnings;
        AddBeginnings(*initial, &beginnings);
        restrictions = std::make_unique<SharedRestrictions>(*std::move(initial), shared.workers);
        restrictions->set_beginnings(std::move(beginnings));
      }
    }
    if (node.is_collector) {
      const std::unique_ptr<detail::Operator> collector = node.make();
      side_input = std::make_unique<SharedSideInput>(node.side_window_fn,
                                                     static_cast<detail::SideInputOperator&>(*collector).Empty());
    }
    shared.restrictions.push_back(std::move(restrictions));
    shared.side_inputs.push_back(std::move(side_input));
  }
  return OkStatus();
}

class Run {
 public:
  Run(const detail::Graph& graph, const RunOptions& options)
      : graph_(graph), options_(options), shared_(WorkersOf(options), options) {}

  PipelineResult Execute() {
    const Status status = Start();
    if (!status.ok()) {
      result_.state = PipelineResult::State::kFailed;
      result_.status = status;
      return std::move(result_);
    }
    Watch();
    for (std::thread& thread : threads_) thread.join();
    Conclude();
    return std::move(result_);
  }

 private:
  static int WorkersOf(const RunOptions& options) {
    const unsigned threads = options.threads > 0 ? static_cast<unsigned>(options.threads)
                                                 : std::max(1U, std::thread::hardware_concurrency());
    return static_cast<int>(std::min<unsigned>(threads, detail::kShards));
  }

  Status Start() {
    started_ = Clock::now();
    exec::PlanSinks sinks{.views = options_.views.get(),
                          .dead_letters = options_.dead_letters.get(),
                          .late = options_.dead_letters.get(),
                          .drops_others = options_.without_sinks};
    if (options_.without_sinks) sinks.views = nullptr;
    if (sinks.dead_letters == nullptr) {
      log_letters_ = std::make_unique<LogDeadLetters>();
      sinks.dead_letters = log_letters_.get();
    }
    if (Status declared = DeclareViews(graph_, sinks.views); !declared.ok()) return declared;
    plan_ = exec::MakePlan(graph_, sinks);
    shared_.streaming = options_.streaming;
    shared_.clock = options_.processing_time ? options_.processing_time : SystemNow;
    for (int i = 0; i < shared_.workers; ++i) {
      shared_.inboxes.push_back(
          std::make_unique<Inbox>(plan_.nodes.size(), static_cast<std::size_t>(std::max(1, options_.queue_batches))));
      shared_.reading_at.push_back(std::make_unique<std::atomic<std::int64_t>>(Timestamp::Max().micros()));
    }
    if (options_.checkpoints) {
      auto checkpointer = Checkpointer::Open(*options_.checkpoints, plan_, options_.streaming, sinks);
      if (!checkpointer.ok()) return checkpointer.status();
      checkpointer_ = *std::move(checkpointer);
    }
    if (Status opened = OpenStateBackend(); !opened.ok()) return opened;
    if (Status prepared = Prepare(plan_, options_, checkpointer_.get(), shared_); !prepared.ok()) return prepared;
    exec::ReadLimits limits;
    limits.bundle_elements = std::max<std::int64_t>(1, options_.bundle_elements);
    limits.generation = options_.generation;
    for (int i = 0; i < shared_.workers; ++i) {
      workers_.push_back(std::make_unique<Worker>(i, plan_, shared_, limits));
    }
    if (checkpointer_ != nullptr) checkpointer_->Start(shared_, workers_);
    running_ = shared_.workers;
    for (auto& worker : workers_) {
      threads_.emplace_back([this, &worker] {
        worker->Run();
        const std::lock_guard lock(mutex_);
        --running_;
        finished_.notify_one();
      });
    }
    return OkStatus();
  }

  Status OpenStateBackend() {
    const StateOptions& state = options_.state;
    if (state.backend == StateBackend::kMemory) return OkStatus();
    if (state.folder.empty()) return InvalidArgumentError("the state backend rocksdb needs a folder");
    if (state.memory_bytes <= 0) return InvalidArgumentError("the memory for state must be more than nothing");
    if (!state.open) {
      return FailedPreconditionError(
          "this program is built without the state backend rocksdb: set its options by RocksdbState "
          "(millrace/runner/rocksdb_state.h)");
    }
    MILLRACE_ASSIGN_OR_RETURN(spill_store_, state.open(state));
    shared_.state_memory = {.store = spill_store_.get(),
                            .bytes_max = static_cast<std::size_t>(state.memory_bytes / shared_.workers),
                            .keeps_changes = checkpointer_ != nullptr};
    return OkStatus();
  }

  // Until the workers have finished: reports progress, and carries a cancellation over.
  void Watch() {
    const bool reports = options_.on_progress != nullptr || options_.status != nullptr;
    const bool may_end = options_.cancel != nullptr || options_.close_windows != nullptr;
    const auto interval = std::chrono::microseconds(
        may_end ? std::min<Duration>(options_.progress_interval, std::chrono::milliseconds(20))
                : options_.progress_interval);
    auto next_report = started_ + options_.progress_interval;
    std::unique_lock lock(mutex_);
    while (running_ > 0) {
      if (!reports && !may_end) {
        finished_.wait(lock);
        continue;
      }
      finished_.wait_for(lock, interval);
      if (options_.cancel != nullptr && options_.cancel->load() && !cancelled_) {
        cancelled_ = running_ > 0;
        lock.unlock();
        TakeLastCheckpoint();
        shared_.state.Cancel();
        lock.lock();
      }
      if (options_.close_windows != nullptr && options_.close_windows->load()) shared_.reading_ends.store(true);
      if (reports && running_ > 0 && Clock::now() >= next_report) {
        lock.unlock();
        Report(false);
        next_report = Clock::now() + options_.progress_interval;
        lock.lock();
      }
    }
    lock.unlock();
    if (reports) Report(true);
  }

  void Report(bool done) {
    if (options_.status != nullptr) PublishStatus(StateText(done));
    if (options_.on_progress != nullptr) options_.on_progress(CurrentProgress(done));
  }

  std::string StateText(bool done) const {
    if (cancelled_) return "stopping";
    return done || shared_.reading_ends.load() ? "draining" : "running";
  }

  void PublishStatus(std::string state) {
    RunStatus status = SnapshotOf(graph_, plan_, workers_);
    status.mode = options_.streaming ? "streaming" : "batch";
    status.state = std::move(state);
    status.started_at = started_at_;
    status.now = SystemNow();
    if (result_.state == PipelineResult::State::kFailed) status.failure = result_.status.message();
    if (checkpointer_ != nullptr) {
      status.checkpoint = checkpointer_->status();
      status.generation = options_.checkpoints->generation;
      status.attempt = options_.checkpoints->attempt;
      for (ViewStatus& view : status.views) view.committed_epoch = status.checkpoint.last_epoch;
    }
    options_.status->Publish(std::move(status));
  }

  // So that a later run goes on from where this one is stopped.
  void TakeLastCheckpoint() {
    if (checkpointer_ == nullptr || shared_.state.ended()) return;
    const Status taken = checkpointer_->TakeNow();
    if (!taken.ok() && taken.code() != StatusCode::kCancelled) shared_.state.Fail(taken);
  }

  Progress CurrentProgress(bool done) const {
    Progress progress;
    progress.watermark = Timestamp::Max();
    for (const auto& worker : workers_) {
      progress.elements_read += worker->graph().elements_read();
      progress.watermark = std::min(progress.watermark, worker->source_watermark());
    }
    progress.fraction = FractionRead();
    progress.elapsed_s = std::chrono::duration<double>(Clock::now() - started_).count();
    progress.done = done;
    return progress;
  }

  std::optional<double> FractionRead() const {
    ReadSpan all;
    for (const auto& restrictions : shared_.restrictions) {
      if (restrictions == nullptr) continue;
      const ReadSpan span = restrictions->span();
      if (!span.bounded) return std::nullopt;
      all.total += span.total;
      all.read += span.read;
    }
    return all.total > 0 ? std::optional(all.read / all.total) : std::nullopt;
  }

  void Conclude() {
    if (checkpointer_ != nullptr) checkpointer_->Stop();
    result_.status = shared_.state.status();
    if (result_.status.ok() && !cancelled_ && checkpointer_ != nullptr) result_.status = checkpointer_->Conclude();
    if (result_.status.ok() && !cancelled_) result_.status = FinishSinks();
    if (!result_.status.ok()) {
      result_.state = PipelineResult::State::kFailed;
    } else if (cancelled_) {
      result_.status = FinishSinks();
      result_.state = result_.status.ok() ? PipelineResult::State::kCancelled : PipelineResult::State::kFailed;
    }
    if (result_.status.ok() && !cancelled_) {
      for (auto& worker : workers_) worker->FinalizeSources();
    }
    for (std::size_t node = 0; node < plan_.nodes.size(); ++node) {
      const std::string& label = plan_.nodes[node].label;
      StepCounts& counts = result_.steps[label];
      if (checkpointer_ != nullptr) AddMetrics(checkpointer_->MetricsBefore(label), label, counts);
      for (const auto& worker : workers_) {
        AddMetrics(worker->graph().Metrics(static_cast<int>(node)), label, counts);
        counts.elements_out += worker->graph().ElementsOut(static_cast<int>(node));
      }
    }
    result_.ledger = checkpointer_ != nullptr ? checkpointer_->ledger() : LedgerOfRun();
    result_.wall_s = std::chrono::duration<double>(Clock::now() - started_).count();
    if (options_.status == nullptr) return;
    const bool failed = result_.state == PipelineResult::State::kFailed;
    PublishStatus(failed ? "failed" : cancelled_ ? "cancelled" : "done");
  }

  // Of a run without checkpoints: one epoch, if it has come to its end; one that ends early stops anywhere.
  Ledger LedgerOfRun() const {
    if (!result_.status.ok() || cancelled_) return {};
    std::vector<Worker*> workers;
    for (const auto& worker : workers_) workers.push_back(worker.get());
    LedgerBook book(plan_);
    book.Close({.first_epoch = 1,
                .epoch = 1,
                .attempt = 1,
                .written_at = SystemNow(),
                .is_end = true,
                .sources = {},
                .steps = {}},
               ReadLedgerOf(plan_, workers));
    book.Commit();
    return book.ledger();
  }

  void AddMetrics(const StepMetrics& metrics, const std::string& label, StepCounts& counts) {
    result_.metrics[label].Add(metrics);
    const auto late = metrics.counters.find("late_dropped");
    if (late != metrics.counters.end()) counts.late_dropped += late->second;
  }

  Status FinishSinks() {
    if (options_.views != nullptr) {
      if (Status finished = options_.views->Finish(); !finished.ok()) return finished;
    }
    return options_.dead_letters != nullptr ? options_.dead_letters->Finish() : OkStatus();
  }

  const detail::Graph& graph_;
  const RunOptions& options_;
  Clock::time_point started_;
  const Timestamp started_at_ = SystemNow();
  std::unique_ptr<LogDeadLetters> log_letters_;
  exec::Plan plan_;
  std::shared_ptr<detail::SpillStore> spill_store_;  // outlives the workers' tables
  Shared shared_;
  std::unique_ptr<Checkpointer> checkpointer_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::condition_variable finished_;
  int running_ = 0;
  bool cancelled_ = false;
  PipelineResult result_;
};

}  // namespace

PipelineResult RunNative(const detail::Graph& graph, const RunOptions& options) {
  return Run(graph, options).Execute();
}

}  // namespace millrace::native
