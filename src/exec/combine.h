// Combine and GroupByKey: joins the window rules of the engine with a typed kernel that holds the accumulators.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "engine/window_set.h"
#include "millrace/detail/aggregate.h"

namespace millrace::exec {

/// What of a CombinePayload and its input the operator needs.
struct CombineSettings {
  WindowingStrategy windowing;
  bool emit_default = false;  // an empty global window gives the output of an empty accumulator
};

class CombineOperator final : public detail::Operator, private detail::WindowGate {
 public:
  CombineOperator(std::unique_ptr<detail::AggregateKernel> kernel, const CombineSettings& settings);

  void Open(detail::OperatorContext& context) override;
  void Process(detail::BatchBase& batch, int input) override;
  void ProcessRemote(detail::BatchBase& batch) override;
  void FlushRemote() override { FlushRemoteBefore(Timestamp::Max()); }
  void FlushRemoteBefore(Timestamp watermark) override;
  void WatermarkSent(Timestamp watermark) override { sent_watermark_ = watermark; }
  Timestamp AdvanceWatermark(Timestamp watermark) override;
  void AdvanceProcessingTime(Timestamp now) override;
  Timestamp NextProcessingTime() const override;
  std::vector<detail::StateDescription> States() const override;
  void SaveState(detail::StateWriter& writer) override;
  Status RestoreState(const detail::SavedSection& section) override;
  void FinishRestore(Timestamp watermark) override;
  std::size_t StateBytes() const override { return kernel_->StateBytes(); }
  std::size_t SpillState(std::size_t wanted) override { return kernel_->SpillState(wanted); }
  detail::LedgerCounts Ledger() const override;
  /// The windows that are open here.
  const engine::WindowSet& windows() const { return windows_; }

 private:
  bool Admit(const BoundedWindow& window) override;
  int AdmitSlice(const BoundedWindow& slice, int* expired) override;
  bool IsOpen(const BoundedWindow& window, bool is_slice) const override;
  bool PastOnTime(const BoundedWindow& window) const override { return windows_.PastOnTime(window); }
  void SetDeadline(const BoundedWindow& window, std::int64_t deadline_micros) override;
  void DropLate(const BoundedWindow& window, bool is_slice, Timestamp time, const void* element,
                detail::Origin origin) override;
  bool MayBeLateElsewhere(const BoundedWindow& window, bool is_slice) const override;

  Status RestoreWindows(const detail::SavedSection& section);
  Status RestoreContents(const detail::SavedSection& section);
  void AddExpected();
  void Fire(const engine::Firing& firing);
  void FireOnce(const BoundedWindow& window);

  struct Deadline {
    std::int64_t at_micros;
    std::int64_t not_before_micros;  // a window's keys are not walked more often than an eighth of the delay
    std::int64_t due() const { return at_micros > not_before_micros ? at_micros : not_before_micros; }
  };

  std::unique_ptr<detail::AggregateKernel> kernel_;
  CombineSettings settings_;
  detail::AggregatePlan plan_;
  engine::WindowSet windows_;
  Timestamp sent_watermark_ = Timestamp::Min();  // to the other workers
  std::map<BoundedWindow, Deadline> deadlines_;  // of processing time
  bool any_window_ = false;
  // While the state comes back: what the tables of all workers held, if the checkpoint says so.
  std::optional<std::vector<detail::TableContent>> expected_;
};

}  // namespace millrace::exec
