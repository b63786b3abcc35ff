// The sinks of a run without checkpoints.
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "base/status_macros.h"
#include "cli/result_sinks.h"

namespace millrace::cli {

namespace {

using Clock = std::chrono::steady_clock;

// Until it is tried again to hand on an epoch that is old enough, because the stores had no room.
constexpr std::chrono::milliseconds kRetry{5};

class DirectSinks final : public ResultSinks {
 public:
  DirectSinks(const RunResultsOptions& options, std::unique_ptr<StoreWriters> writers)
      : options_(options), writers_(std::move(writers)) {
    if (options_.is_streaming) timer_ = std::thread([this] { EndOldEpochs(); });
  }
  ~DirectSinks() override { Close(); }

  Status Declare(const ViewDescriptor& view) override {
    MILLRACE_RETURN_IF_ERROR(CheckViewName(view));
    MILLRACE_RETURN_IF_ERROR(writers_->Declare(view));
    pools_.try_emplace(view.name, std::make_shared<CellBlockPool>(view));
    return OkStatus();
  }

  Status Write(std::string_view view, std::span<const Cell> cells) override {
    if (cells.empty()) return OkStatus();
    const auto pool = pools_.find(view);
    if (pool == pools_.end()) return InternalError("view " + std::string(view) + " was not declared before the run");
    std::shared_ptr<CellBlock> block = pool->second->Take();
    block->Fill(cells, options_.generation, 1);
    return AddToPortion(cells.size(), [&] {
      portion_->Add(std::move(block));
      counts_.cells += cells.size();
    });
  }

  Status WriteLetters(std::vector<DeadLetterRow> letters) override {
    const std::size_t count = letters.size();
    return AddToPortion(count, [&] {
      portion_->AddLetters(std::move(letters));
      counts_.letters += count;
    });
  }

  Status Finish() override {
    {
      const std::lock_guard lock(mutex_);
      if (epoch_cells_ > 0) MILLRACE_RETURN_IF_ERROR(writers_->Push(SealPortion(true)));
    }
    MILLRACE_RETURN_IF_ERROR(writers_->WaitUntilIdle());
    // What is read from now on is not written to again.
    return writers_->CompactWarehouse();
  }

  RunResultsCounts counts() const override {
    const std::lock_guard lock(mutex_);
    RunResultsCounts counts = counts_;
    counts.epochs = epoch_ - 1;
    if (writers_ == nullptr) return counts;
    counts.warehouse_s = writers_->warehouse_s();
    counts.lookup_s = writers_->lookup_s();
    return counts;
  }

  void Close() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    if (timer_.joinable()) timer_.join();
    writers_.reset();
  }

 private:
  bool IsFull() const { return portion_->size() >= options_.portion_cells_max; }

  // Ends the portion, and the epoch with it if that is said; the next one is empty.
  std::shared_ptr<const CellPortion> SealPortion(bool ends_epoch) {
    portion_->Seal(epoch_, ends_epoch);
    counts_.superseded += portion_->dropped();
    if (ends_epoch) {
      ++epoch_;
      epoch_cells_ = 0;
    }
    return std::exchange(portion_, std::make_shared<CellPortion>());
  }

  // Where the stores have no room for a full portion, all writes wait: none could add to it.
  template <class Add>
  Status AddToPortion(std::size_t count, Add&& add) {
    const std::lock_guard lock(mutex_);
    if (IsFull()) MILLRACE_RETURN_IF_ERROR(writers_->Push(SealPortion(epoch_cells_ >= options_.epoch_cells_max)));
    if (epoch_cells_ == 0) {
      epoch_began_ = Clock::now();
      changed_.notify_all();  // the timer waits for its age from now on
    }
    epoch_cells_ += count;
    add();
    return OkStatus();
  }

  void EndOldEpochs() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      const Clock::time_point due = epoch_began_ + options_.epoch_age_max;
      if (epoch_cells_ == 0) {
        changed_.wait(lock);
      } else if (Clock::now() < due) {
        changed_.wait_until(lock, due);
      } else if (!writers_->HasRoom()) {
        changed_.wait_for(lock, kRetry);
      } else if (!writers_->Push(SealPortion(true)).ok()) {
        return;  // the next write tells
      }
    }
  }

  const RunResultsOptions options_;
  std::unique_ptr<StoreWriters> writers_;
  std::map<std::string, std::shared_ptr<CellBlockPool>, std::less<>> pools_;  // by view; not changed after the start

  mutable std::mutex mutex_;  // guards what follows; taken before that of the writers
  std::condition_variable changed_;
  std::shared_ptr<CellPortion> portion_ = std::make_shared<CellPortion>();
  std::uint64_t epoch_ = 1;        // that is being filled
  std::size_t epoch_cells_ = 0;    // in it
  Clock::time_point epoch_began_;  // when its first cell came
  RunResultsCounts counts_;
  bool stopping_ = false;
  std::thread timer_;
};

}  // namespace

std::shared_ptr<ResultSinks> MakeDirectSinks(const RunResultsOptions& options, std::unique_ptr<StoreWriters> writers) {
  return std::make_shared<DirectSinks>(options, std::move(writers));
}

}  // namespace millrace::cli
