// The read operator: runs one source's restrictions on one worker, bundle by bundle.
#pragma once

#include <algorithm>
#include <limits>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "millrace/core/source.h"
#include "millrace/detail/operator.h"

namespace millrace::detail {

/// Hands out a source's restrictions, in order. Thread safe.
class RestrictionQueue {
 public:
  virtual ~RestrictionQueue() = default;
  virtual std::optional<Restriction> Claim(int worker) = 0;
  /// No element of a restriction that is not claimed yet is older.
  virtual Timestamp PendingLow() const = 0;
};

/// How much a bundle may read, and how a partition's watermark follows from what was read.
struct ReadLimits {
  std::int64_t bundle_elements = 16'384;
  /// Elements are at most this much out of order within a partition; negative where that is not known.
  Duration max_disorder{-1};
};

class SourceOperator : public Operator {
 public:
  enum class State : std::uint8_t { kMore, kWaiting, kDone };

  virtual void Start(RestrictionQueue& queue, const ReadLimits& limits) = 0;
  virtual State RunBundle() = 0;
  /// No element that this worker will read of the source is older.
  virtual Timestamp Watermark() const = 0;
  /// When a waiting source wants to be called again.
  virtual Timestamp ResumeAt() const = 0;
  void Process(BatchBase&, int) final {}
};

template <class Source>
class ReadKernel final : public SourceOperator, public SourceSink {
 public:
  using T = typename Source::Element;

  explicit ReadKernel(Source source) : prototype_(std::move(source)) {}

  void Open(OperatorContext& context) override {
    Operator::Open(context);
    output_ = std::make_unique<SourceOutput<T>>(*this);
  }

  void Start(RestrictionQueue& queue, const ReadLimits& limits) override {
    queue_ = &queue;
    limits_ = limits;
  }

  State RunBundle() override {
    if (context().stopping()) return State::kDone;
    const Timestamp now = context().processing_time();
    Active* active = Next(now);
    if (active == nullptr) return active_.empty() ? State::kDone : State::kWaiting;
    budget_ = limits_.bundle_elements;
    running_ = active;
    StatusOr<ProcessContinuation> outcome = [&]() -> StatusOr<ProcessContinuation> {
      const MetricsScope scope(context().metrics());
      return active->source.Read(active->tracker, active->estimator, *output_);
    }();
    output_->Flush();
    running_ = nullptr;
    if (!outcome.ok()) throw PipelineFailure(outcome.status().WithContext(context().label()));
    if (active->tracker.checkpointed()) {
      active->tracker = RestrictionTracker(active->tracker.Residual());
      if (active->tracker.from() >= active->tracker.to()) Retire(active);
    } else if (outcome->resume()) {
      active->resume_at = now + outcome->delay();
    } else {
      Retire(active);
    }
    return State::kMore;
  }

  Timestamp Watermark() const override {
    Timestamp low = queue_->PendingLow();
    for (const auto& active : active_) low = std::min(low, active->Low());
    return low;
  }

  Timestamp ResumeAt() const override {
    Timestamp first = Timestamp::Max();
    for (const auto& active : active_) first = std::min(first, active->resume_at);
    return first;
  }

 private:
  struct Active {
    Active(Source s, Restriction restriction)
        : source(std::move(s)), least(restriction.least_event_time), tracker(std::move(restriction)) {}
    Timestamp Low() const { return std::max({least, estimator.current(), observed}); }

    Source source;
    Timestamp least;
    RestrictionTracker tracker;
    WatermarkEstimator estimator;
    Timestamp observed = Timestamp::Min();  // the greatest event time less the declared disorder
    Timestamp resume_at = Timestamp::Min();
  };

  // The next restriction to read, in turn; a bounded one is claimed only when none is in hand.
  Active* Next(Timestamp now) {
    while (true) {
      for (std::size_t i = 0; i < active_.size(); ++i) {
        turn_ = (turn_ + 1) % active_.size();
        if (active_[turn_]->resume_at <= now) return active_[turn_].get();
      }
      if (exhausted_ || !active_.empty()) return nullptr;
      std::optional<Restriction> claimed = queue_->Claim(context().worker());
      while (claimed && !claimed->bounded()) {  // a worker reads all its unbounded partitions in turn
        active_.push_back(std::make_unique<Active>(prototype_, *std::move(claimed)));
        claimed = queue_->Claim(context().worker());
      }
      if (claimed) active_.push_back(std::make_unique<Active>(prototype_, *std::move(claimed)));
      if (active_.empty()) {
        exhausted_ = true;
        return nullptr;
      }
    }
  }

  void Retire(Active* active) {
    std::erase_if(active_, [active](const auto& owned) { return owned.get() == active; });
  }

  void TakeBatch(BatchBase& batch) override {
    if (limits_.max_disorder.count() >= 0) {
      std::int64_t greatest = std::numeric_limits<std::int64_t>::min();
      for (const Timestamp time : batch.timestamps) greatest = std::max(greatest, time.micros());
      running_->observed = std::max(running_->observed, Timestamp::FromMicros(greatest) - limits_.max_disorder);
    }
    budget_ -= static_cast<std::int64_t>(batch.size());
    batch.windows.SetUniform(BoundedWindow::Global());
    batch.panes.SetUniform(PaneInfo{});
    context().output(0).Deliver(batch);
    if (budget_ <= 0 || context().stopping()) running_->tracker.Checkpoint();
  }

  void TakeBadRecord(BadRecord record) override {
    Batch<BadRecord> batch;
    batch.values.Append(std::move(record));
    batch.timestamps.Append(Timestamp::Min());
    if (!context().output(1).connected()) {
      const BadRecord& bad = batch.values[0];
      throw PipelineFailure(DataLossError(context().label() + ": " + bad.origin + ", record " +
                                          std::to_string(bad.position) +
                                          (bad.field.empty() ? "" : ", field " + bad.field) + ": " + bad.reason));
    }
    context().output(1).Deliver(batch);
  }

  Source prototype_;
  RestrictionQueue* queue_ = nullptr;
  ReadLimits limits_;
  std::vector<std::unique_ptr<Active>> active_;
  std::size_t turn_ = 0;
  bool exhausted_ = false;
  Active* running_ = nullptr;
  std::int64_t budget_ = 0;
  std::unique_ptr<SourceOutput<T>> output_;
};

}  // namespace millrace::detail
