// Combine and GroupByKey over windows that merge (sessions): each key has windows of its own, which an element may make
// longer or join. Nothing here knows the types of keys and accumulators, so one table serves every aggregation.
#pragma once

#include <memory>
#include <queue>
#include <utility>
#include <vector>

#include "exec/merging_windows.h"
#include "millrace/core/windowing.h"
#include "millrace/detail/sharded_table.h"

namespace millrace::exec {

class MergingCombineOperator final : public detail::Operator {
 public:
  MergingCombineOperator(std::unique_ptr<detail::MergingKernel> kernel, const WindowingStrategy& windowing)
      : kernel_(std::move(kernel)), given_windowing_(windowing), windowing_(windowing) {}

  void Open(detail::OperatorContext& context) override;
  void Process(detail::BatchBase& batch, int input) override;
  void ProcessRemote(detail::BatchBase& batch) override;
  void FlushRemote() override;
  Timestamp AdvanceWatermark(Timestamp watermark) override;
  void AdvanceProcessingTime(Timestamp now) override;
  Timestamp NextProcessingTime() const override;
  std::vector<detail::StateDescription> States() const override;
  void SaveState(detail::StateWriter& writer) override;
  Status RestoreState(const detail::SavedSection& section) override;
  void FinishRestore(Timestamp watermark) override;
  std::size_t StateBytes() const override { return table_.bytes(); }
  std::size_t SpillState(std::size_t wanted) override;

  /// The windows that are open here, of all keys.
  std::size_t open_windows() const { return open_; }

 private:
  using Table = detail::ShardedTable<detail::EncodedKey, MergingWindows>;
  using Entry = Table::Entry;
  template <class At>
  struct Due {
    At at;
    detail::EncodedKey key;
    friend bool operator<(const Due& a, const Due& b) { return a.at != b.at ? a.at > b.at : b.key < a.key; }
  };

  void AddRows(detail::BatchBase& batch, bool are_own);
  void AddRow(const detail::BatchBase& batch, std::size_t row, std::uint64_t hash, const BoundedWindow& window);
  void SendAway(const detail::BatchBase& batch, std::size_t row, std::size_t worker);
  void ShipFull();
  MergingWindow& Place(MergingWindows& of_key, const BoundedWindow& window);
  MergingWindow& Merge(MergingWindows& of_key, std::size_t first, std::size_t count, const BoundedWindow& result);
  void FirePane(Entry& entry, MergingWindow& window, bool at_watermark, bool is_last);
  void FireDue(Entry& entry);
  void Schedule(const detail::EncodedKey& key, MergingWindows& of_key);
  void DropLate(const detail::BatchBase& batch, std::size_t row, const BoundedWindow& window);

  bool Expired(const BoundedWindow& window) const { return windowing_.ExpiryOf(window) < watermark_; }
  bool Past(const BoundedWindow& window) const { return window.max_timestamp() < watermark_; }
  // The watermark that the window waits for next.
  Timestamp DueOf(const MergingWindow& window) const {
    return window.pane.AwaitsWatermark(windowing_.trigger) ? window.window.max_timestamp()
                                                           : windowing_.ExpiryOf(window.window);
  }

  std::unique_ptr<detail::MergingKernel> kernel_;
  WindowingStrategy given_windowing_;
  WindowingStrategy windowing_;  // in batch mode: each window fires once
  Timestamp watermark_ = Timestamp::Min();
  std::int64_t now_micros_ = 0;
  Table table_;
  std::size_t open_ = 0;
  std::priority_queue<Due<Timestamp>> due_;
  std::priority_queue<Due<std::int64_t>> deadlines_;
  detail::EncodedKey key_;  // of the row at hand
  detail::Column<std::uint64_t> hashes_;
  std::vector<std::unique_ptr<detail::BatchBase>> outboxes_;  // by worker
  std::vector<std::pair<int, std::unique_ptr<detail::BatchBase>>> full_;
  std::unique_ptr<detail::Spiller> spiller_;  // null: all state stays in memory
};

}  // namespace millrace::exec
