// Takes the checkpoints of a run: asks the workers to a barrier, gathers what they and the sinks hand out while they
// stand still, and writes it on a thread of its own while they go on. The rename of the manifest commits; after it the
// sinks are told to make the epoch visible and the sources what has been read for good.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "exec/plan.h"
#include "millrace/runner/run_options.h"
#include "millrace/runner/status.h"
#include "runner/native/ledger_book.h"
#include "runner/native/restored_checkpoint.h"
#include "runner/native/worker.h"
#include "storage/checkpoint_store.h"

namespace millrace::native {

class Checkpointer final : public BarrierHooks {
 public:
  /// Finds the checkpoint to go on from, if there is one, and gives the sinks back what they had not made visible.
  static StatusOr<std::unique_ptr<Checkpointer>> Open(const CheckpointOptions& options, const exec::Plan& plan,
                                                      bool streaming, const exec::PlanSinks& sinks);
  ~Checkpointer() override;

  /// What is still to be read of a source; nothing where the checkpoint does not know it, or there is none.
  std::optional<std::vector<Restriction>> RestrictionsOf(const std::string& label) const;
  /// Where the reading of its partitions began, before all the runs that this one goes on from.
  StatusOr<Beginnings> BeginningsOf(const std::string& label) const;
  /// How many restrictions the source had at first; 0 where that is not known.
  std::uint64_t RestrictionsInAll(const std::string& label) const;
  /// What the step had counted before this run.
  StepMetrics MetricsBefore(const std::string& label) const;

  /// Begins to take checkpoints. Both must outlive it, or `Stop` be called before.
  void Start(Shared& shared, const std::vector<std::unique_ptr<Worker>>& workers);
  /// Takes a checkpoint now and waits until it is committed. Any thread but a worker's.
  Status TakeNow();
  /// No more checkpoints are begun; waits for the one that is being written.
  void Stop();
  /// After all workers have come to the end of their input: commits what the sinks have taken since.
  Status Conclude();

  CheckpointStatus status() const;
  /// `CheckpointOptions::reader`.
  const std::string& reader() const { return options_.reader; }
  /// As far as checkpoints are committed. After `Stop`.
  const Ledger& ledger() const { return book_.ledger(); }

 private:
  Checkpointer(CheckpointOptions options, const exec::Plan& plan, bool streaming, const exec::PlanSinks& sinks,
               storage::CheckpointStore store)
      : options_(std::move(options)),
        plan_(plan),
        streaming_(streaming),
        sinks_(sinks),
        store_(std::move(store)),
        book_(plan) {}

  StatusOr<std::vector<exec::RestoredNode>> Restored(const exec::WorkerGraph& graph) override;
  void RestoreDone() override;
  const std::vector<bool>& full() const override { return full_; }
  void Add(int worker, exec::WorkerSnapshot snapshot) override;
  Status Complete() override;

  Status RestoreSinks();
  void Loop();
  Status Take();
  void DecideFull();
  bool Align();
  storage::CheckpointContents Header() const;
  storage::CheckpointContents Contents();
  void AddStates(std::size_t node, storage::CheckpointContents* contents);
  void AddSource(std::size_t node, storage::CheckpointContents* contents) const;
  void AddWatermarks(storage::CheckpointContents* contents) const;
  void AddLedger(LedgerReading reading, bool is_end, storage::CheckpointContents* contents);
  Status Write(const storage::CheckpointContents& contents);
  Status SnapshotSinks();
  Status CommitSinks();
  void FinalizeSources();
  void RetainSources(const std::vector<storage::SourcePosition>& positions);

  const CheckpointOptions options_;
  const exec::Plan& plan_;
  const bool streaming_;
  const exec::PlanSinks sinks_;
  storage::CheckpointStore store_;
  std::uint64_t attempt_ = 0;

  std::optional<RestoredCheckpoint> restored_;
  StatesByNode states_;

  Shared* shared_ = nullptr;
  std::vector<Worker*> workers_;
  std::thread thread_;

  // Of the checkpoint that is being taken; the workers write it at the barrier.
  std::vector<bool> full_;  // by node
  std::vector<exec::WorkerSnapshot> snapshots_;
  std::vector<EpochBatch> batches_;  // of the sinks
  Timestamp created_at_;
  std::uint64_t epoch_ = 0;
  std::deque<std::vector<storage::SourcePosition>> kept_;  // of the checkpoints that are kept, the oldest first
  LedgerBook book_;
  bool write_all_ = false;  // the last one failed: what was handed out is lost

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  bool ready_ = false;  // the workers have started and their states are known
  bool aligned_ = false;
  bool wanted_ = false;
  bool stopping_ = false;
  std::uint64_t rounds_ = 0;  // checkpoints that were begun and are over
  Status last_outcome_;
  CheckpointStatus status_;
};

}  // namespace millrace::native
