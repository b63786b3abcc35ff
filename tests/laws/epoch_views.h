// A sink that is exactly once as docs promise: what it takes becomes visible with the checkpoint that holds it, or not
// at all. It outlives the runs and stands for a store; a restart forgets what no checkpoint has.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "millrace/io/view_sink.h"
#include "millrace/millrace.h"

namespace millrace::laws {

/// Views of KV<int64, int64>. Thread safe.
class EpochViews final : public ViewSink {
 public:
  struct Row {
    BoundedWindow window;
    std::int64_t key;
    std::int64_t value;
    CellTiming timing;
  };

  Status Declare(const ViewDescriptor&) override { return OkStatus(); }
  Status Write(std::string_view view, std::span<const Cell> cells) override {
    const std::lock_guard lock(mutex_);
    for (const Cell& cell : cells) {
      open_[std::string(view)].push_back({{cell.window_start, cell.window_end},
                                          *static_cast<const std::int64_t*>(cell.key),
                                          *static_cast<const std::int64_t*>(cell.value),
                                          cell.timing});
    }
    return OkStatus();
  }
  Status Finish() override { return OkStatus(); }

  StatusOr<EpochBatch> Snapshot(std::uint64_t epoch) override {
    const std::lock_guard lock(mutex_);
    sealed_[epoch] = std::exchange(open_, {});
    return EpochBatch{std::make_shared<const std::string>(std::to_string(epoch))};
  }
  Status CommitEpoch(std::uint64_t epoch) override {
    const std::lock_guard lock(mutex_);
    Commit(epoch);
    return OkStatus();
  }
  Status Restore(std::uint64_t epoch, std::string_view batch, std::uint64_t attempt) override {
    const std::lock_guard lock(mutex_);
    if (epoch != 0 && batch != std::to_string(epoch)) return DataLossError("another batch was given");
    if (attempt <= attempt_) return FailedPreconditionError("attempts must rise");
    attempt_ = attempt;
    restored_epoch_ = epoch;
    Commit(epoch);
    sealed_.clear();
    open_.clear();
    return OkStatus();
  }

  /// What is visible, in the order in which it was written.
  std::vector<Row> Rows(const std::string& view) const {
    const std::lock_guard lock(mutex_);
    const auto found = visible_.find(view);
    return found == visible_.end() ? std::vector<Row>() : found->second;
  }
  std::uint64_t restored_epoch() const {
    const std::lock_guard lock(mutex_);
    return restored_epoch_;
  }

 private:
  using RowsByView = std::map<std::string, std::vector<Row>>;

  // An epoch that is visible already is not made so again.
  void Commit(std::uint64_t epoch) {
    const bool is_new = epoch > last_epoch_;
    last_epoch_ = std::max(last_epoch_, epoch);
    while (!sealed_.empty() && sealed_.begin()->first <= epoch) {
      for (auto& [view, rows] : sealed_.begin()->second) {
        if (is_new) visible_[view].insert(visible_[view].end(), rows.begin(), rows.end());
      }
      sealed_.erase(sealed_.begin());
    }
  }

  mutable std::mutex mutex_;
  RowsByView open_;
  std::map<std::uint64_t, RowsByView> sealed_;  // by epoch
  RowsByView visible_;
  std::uint64_t attempt_ = 0;
  std::uint64_t restored_epoch_ = 0;
  std::uint64_t last_epoch_ = 0;
};

/// A folder for checkpoints that goes with the object.
class TemporaryCheckpoints {
 public:
  TemporaryCheckpoints() {
    std::string name = (std::filesystem::temp_directory_path() / "millrace-checkpoints-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~TemporaryCheckpoints() { std::filesystem::remove_all(path_); }
  TemporaryCheckpoints(const TemporaryCheckpoints&) = delete;
  TemporaryCheckpoints& operator=(const TemporaryCheckpoints&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace millrace::laws
