#include "exec/read.h"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

namespace millrace::exec {

using detail::PipelineFailure;

// A restriction in hand, with the copy of the source that reads it.
struct ReadOperator::Active {
  Active(std::unique_ptr<detail::SourceCopy> source, Restriction restriction, std::uint64_t generation,
         std::int64_t began, detail::Origin origin_of_it)
      : copy(std::move(source)),
        least(restriction.least_event_time),
        origin(origin_of_it),
        covered_from(restriction.from),
        tracker(std::move(restriction), generation, began) {}
  Timestamp Low() const { return std::max({least, estimator.current(), observed}); }

  std::unique_ptr<detail::SourceCopy> copy;
  Timestamp least;
  detail::Origin origin;      // of position 0
  std::int64_t covered_from;  // the first position that `TakeCovered` has not told
  RestrictionTracker tracker;
  WatermarkEstimator estimator;
  Timestamp observed = Timestamp::Min();  // the greatest event time less the declared disorder
  Timestamp resume_at = Timestamp::Min();
  std::int64_t elements = 0;
  Timestamp last_event_time = Timestamp::Min();
  Timestamp last_read_at = Timestamp::Min();
};

ReadOperator::ReadOperator(const detail::ReadPayload& read) : reader_(read.make(*this)) {}
ReadOperator::~ReadOperator() = default;

void ReadOperator::Start(RestrictionQueue& queue, const ReadLimits& limits, Origins& origins) {
  queue_ = &queue;
  limits_ = limits;
  origins_ = &origins;
}

void ReadOperator::Process(detail::BatchBase& /*batch*/, int /*input*/) {}  // a source has no input

ReadOperator::State ReadOperator::RunBundle() {
  if (context().stopping()) return State::kDone;
  if (context().reading_ends()) {
    ended_ = true;
    return State::kDone;
  }
  const Timestamp now = context().processing_time();
  Active* active = Next(now);
  if (active == nullptr) return active_.empty() ? State::kDone : State::kWaiting;
  budget_ = limits_.bundle_elements;
  running_ = active;
  const std::int64_t from = active->tracker.from();
  const StatusOr<ProcessContinuation> outcome = [&] {
    const detail::MetricsScope scope(context().metrics());
    return reader_->Read(*active->copy, active->tracker, active->estimator);
  }();
  running_ = nullptr;
  if (!outcome.ok()) throw PipelineFailure(outcome.status().WithContext(context().label()));
  if (reader_->finalizes() && active->tracker.from() > from) {
    read_.push_back({.partition = active->tracker.partition(), .from = from, .to = active->tracker.from()});
  }
  if (active->tracker.checkpointed()) {
    active->tracker = RestrictionTracker(active->tracker.Residual(), limits_.generation, active->tracker.began());
    if (active->tracker.from() >= active->tracker.to()) Retire(active);
  } else if (outcome->resume()) {
    active->resume_at = now + outcome->delay();
  } else {
    Retire(active);
  }
  return State::kMore;
}

void ReadOperator::Finalize(const std::vector<Restriction>& read) {
  for (const Restriction& part : read) reader_->Finalize(part);
}

std::vector<Restriction> ReadOperator::Unfinished() const {
  std::vector<Restriction> unfinished;
  for (const auto& active : active_) {
    Restriction left = active->tracker.Residual();
    left.least_event_time = active->Low();
    unfinished.push_back(std::move(left));
  }
  return unfinished;
}

std::vector<PartitionStatus> ReadOperator::Partitions() const {
  std::vector<PartitionStatus> partitions;
  for (const auto& active : active_) {
    PartitionStatus& partition = partitions.emplace_back();
    partition.partition = active->tracker.partition();
    partition.position = active->tracker.from();
    if (active->tracker.to() != Restriction::kUnbounded) partition.end = active->tracker.to();
    partition.watermark = active->Low();
    partition.idle = active->estimator.idle();
    partition.elements_read = active->elements;
    if (active->elements == 0) continue;
    partition.last_position = active->tracker.from() - 1;
    partition.last_read_at = active->last_read_at;
    if (active->last_event_time > Timestamp::Min()) partition.last_event_time = active->last_event_time;
  }
  return partitions;
}

Timestamp ReadOperator::Watermark() const {
  if (ended_) return Timestamp::Max();
  Timestamp low = queue_->PendingLow();
  for (const auto& active : active_) low = std::min(low, active->Low());
  return low;
}

Timestamp ReadOperator::ResumeAt() const {
  Timestamp first = Timestamp::Max();
  for (const auto& active : active_) first = std::min(first, active->resume_at);
  return first;
}

Timestamp ReadOperator::ReadableLow(Timestamp now) const {
  Timestamp low = Timestamp::Max();
  for (const auto& active : active_) {
    if (active->resume_at <= now) low = std::min(low, active->Low());
  }
  return low;
}

// The next restriction to read; a bounded one is claimed only when none is in hand.
ReadOperator::Active* ReadOperator::Next(Timestamp now) {
  while (true) {
    if (Active* next = NextInHand(now)) return next;
    if (exhausted_ || !active_.empty()) return nullptr;
    std::optional<Restriction> claimed = queue_->Claim(context().worker());
    while (claimed && !claimed->bounded()) {  // a worker reads all its unbounded partitions in turn
      Add(*std::move(claimed));
      claimed = queue_->Claim(context().worker());
    }
    if (claimed) Add(*std::move(claimed));
    if (active_.empty()) {
      exhausted_ = true;
      return nullptr;
    }
  }
}

// The one that is furthest behind in event time, so that those that are read together stay together and few windows are
// open between them; now and then the next in turn, so that none waits for good.
ReadOperator::Active* ReadOperator::NextInHand(Timestamp now) {
  Active* next = nullptr;
  const bool in_turn = ++picks_ % kPicksInTurnEvery == 0;
  for (std::size_t i = 0; i < active_.size(); ++i) {
    Active* candidate = active_[(turn_ + 1 + i) % active_.size()].get();
    if (candidate->resume_at > now) continue;
    if (next == nullptr || (!in_turn && candidate->Low() < next->Low())) next = candidate;
  }
  if (!active_.empty()) turn_ = (turn_ + 1) % active_.size();
  return next;
}

void ReadOperator::Add(Restriction restriction) {
  const bool is_wanted = context().output(0).wants_origins();
  const detail::Origin origin = is_wanted ? origins_->OfPartition(restriction.partition) : detail::kUnknownOrigin;
  const std::int64_t began = queue_->Began(restriction);
  active_.push_back(
      std::make_unique<Active>(reader_->Copy(), std::move(restriction), limits_.generation, began, origin));
}

detail::Origin ReadOperator::OriginOfRestriction() const { return running_->origin; }

std::vector<Restriction> ReadOperator::TakeCovered() {
  std::vector<Restriction> covered = std::exchange(covered_, {});
  for (const auto& active : active_) {
    if (active->tracker.from() == active->covered_from) continue;
    covered.push_back(
        {.partition = active->tracker.partition(), .from = active->covered_from, .to = active->tracker.from()});
    active->covered_from = active->tracker.from();
  }
  return covered;
}

void ReadOperator::Retire(Active* active) {
  if (active->tracker.from() > active->covered_from) {
    covered_.push_back(
        {.partition = active->tracker.partition(), .from = active->covered_from, .to = active->tracker.from()});
  }
  std::erase_if(active_, [active](const auto& owned) { return owned.get() == active; });
}

void ReadOperator::TakeBatch(detail::BatchBase& batch) {
  if (limits_.max_disorder.count() >= 0) {
    std::int64_t greatest = std::numeric_limits<std::int64_t>::min();
    for (const Timestamp time : batch.timestamps) greatest = std::max(greatest, time.micros());
    running_->observed = std::max(running_->observed, Timestamp::FromMicros(greatest) - limits_.max_disorder);
  }
  budget_ -= static_cast<std::int64_t>(batch.size());
  running_->elements += static_cast<std::int64_t>(batch.size());
  running_->last_event_time = batch.timestamps[batch.size() - 1];
  running_->last_read_at = context().processing_time();
  batch.windows.SetUniform(BoundedWindow::Global());
  batch.panes.SetUniform(PaneInfo{});
  context().output(0).Deliver(batch);
  if (budget_ <= 0 || context().stopping()) running_->tracker.Checkpoint();
}

void ReadOperator::TakeBadRecord(BadRecord record) {
  detail::Batch<BadRecord> batch;
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

}  // namespace millrace::exec
