// The source API, shaped like Beam's splittable DoFn
// (https://beam.apache.org/documentation/programming-guide/#splittable-dofns): a source describes its input as
// restrictions, and reads one by claiming position after position until a claim is refused. All sources are written on
// it, bounded and unbounded.
//
//   struct Numbers {
//     using Element = std::int64_t;
//     std::int64_t count = 0;
//     StatusOr<std::vector<Restriction>> InitialRestrictions(const SplitOptions&) const {
//       return std::vector{Restriction{.from = 0, .to = count}};
//     }
//     StatusOr<ProcessContinuation> Read(RestrictionTracker& tracker, WatermarkEstimator&, SourceOutput<Element>& out)
//     {
//       for (std::int64_t i = tracker.from(); tracker.TryClaim(i); ++i) out.Emit(i, Timestamp::Min());
//       return ProcessContinuation::Stop();
//     }
//   };
//   auto numbers = pipeline | "Numbers" >> Read(Numbers{.count = 10});
//
// A source that must tell somebody what has been read (acknowledge messages, delete files) has
//
//   void Finalize(const Restriction& read);   // Beam's bundle finalization
//
// which is called, on any thread and on a copy of the source of its own, with each part that was read once everything
// computed from it is safe: the run has ended well and its sinks have finished. After a failure it is not called.
//
// One whose input may be removed when nobody needs it any more (a log's old segments) has
//
//   Status Retain(const std::vector<Restriction>& unfinished) const;
//
// which is called by a run with checkpoints: before it reads anything, where a failure ends it, and after each
// checkpoint with what the oldest one that is kept has still to read, on any thread and on a copy of the source of its
// own, where a failure is reported as that of the checkpoint.
//
// Each restriction is read by a copy of the source object of its own, which lives as long as the restriction: a file
// source keeps its open reader in a member and goes on where it stopped. One thread uses it at a time.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "millrace/core/status.h"
#include "millrace/core/timestamp.h"
#include "millrace/detail/batch.h"

namespace millrace {

/// A part of a source's input: the positions [from, to) of a partition, such as the rows of a file or the offsets of a
/// log's partition.
struct Restriction {
  static constexpr std::int64_t kUnbounded = std::numeric_limits<std::int64_t>::max();

  std::string partition;
  std::int64_t from = 0;
  std::int64_t to = kUnbounded;
  /// No element of it is older, as far as is known before reading (from a file's statistics, say).
  Timestamp least_event_time = Timestamp::Min();

  bool bounded() const { return to != kUnbounded; }
};

/// What a source is told when it is to describe its input.
struct SplitOptions {
  /// The number of workers; a bounded source should give a multiple of it, in the order of event time if it knows one.
  int workers = 1;
  bool streaming = false;
};

/// Grants positions of one restriction to its reader. The runner may shorten the restriction at any time that its
/// thread has control (while a batch is being handed on), so a reader must claim a position before it emits what is
/// there, and return when a claim is refused.
class RestrictionTracker {
 public:
  explicit RestrictionTracker(Restriction restriction, std::uint64_t generation = 0, std::int64_t began = 0)
      : restriction_(std::move(restriction)),
        next_(restriction_.from),
        limit_(restriction_.to),
        generation_(generation),
        began_(began) {}

  const std::string& partition() const { return restriction_.partition; }
  /// The first position not yet claimed: where reading starts or goes on.
  std::int64_t from() const { return next_; }
  std::int64_t to() const { return limit_; }
  /// Of the results that the run computes; 0: of none.
  std::uint64_t generation() const { return generation_; }
  /// Where the reading of the partition began for these results, by this run or the first of those that it goes on
  /// from: nothing before is in them. 0: that is not known.
  std::int64_t began() const { return began_; }

  /// Claims `position`, which must be greater than every one claimed before. False: return from Read.
  bool TryClaim(std::int64_t position) {
    if (position >= limit_) [[unlikely]] {
      refused_ = true;
      return false;
    }
    next_ = position + 1;
    return true;
  }

  /// Beam's trySplit: keeps that fraction (in [0, 1)) of the positions that are not claimed yet, and gives up the rest,
  /// which is the result; nothing if that would be no position. What is unbounded can only be split at 0.
  std::optional<Restriction> TrySplit(double fraction_of_remainder) {
    const std::int64_t left = limit_ - next_;
    const bool bounded = limit_ != Restriction::kUnbounded;
    if (left <= 0 || fraction_of_remainder < 0 || fraction_of_remainder >= 1) return std::nullopt;
    if (!bounded && fraction_of_remainder > 0) return std::nullopt;
    const std::int64_t split =
        next_ + (bounded ? static_cast<std::int64_t>(static_cast<double>(left) * fraction_of_remainder) : 0);
    Restriction residual = restriction_;
    residual.from = split;
    residual.to = limit_;
    limit_ = split;
    return residual;
  }
  /// TrySplit(0): ends the restriction after the last claimed position. `Residual` is then what is left.
  void Checkpoint() { limit_ = next_; }
  bool checkpointed() const { return limit_ != restriction_.to; }
  Restriction Residual() const {
    Restriction residual = restriction_;
    residual.from = next_;
    return residual;
  }
  /// Every position has been claimed, or found to hold nothing.
  bool done() const { return !checkpointed() && refused_; }

 private:
  Restriction restriction_;
  std::int64_t next_;
  std::int64_t limit_;
  std::uint64_t generation_;
  std::int64_t began_;
  bool refused_ = false;
};

/// Where a source says how far event time has come: no later element of this restriction will be older. Without a word
/// from the source, and without a declared `max_disorder`, the watermark stays at the restriction's least event time.
class WatermarkEstimator {
 public:
  /// Beam's manual estimator. Going back is ignored.
  void Set(Timestamp watermark) {
    if (watermark > watermark_) watermark_ = watermark;
  }
  Timestamp current() const { return watermark_; }

  /// That nothing has come for so long that the restriction has stepped aside, or that this is over: for those who
  /// watch the run. It moves no watermark; the source does, by `Set`.
  void SetIdle(bool idle) { idle_ = idle; }
  bool idle() const { return idle_; }

 private:
  Timestamp watermark_ = Timestamp::Min();
  bool idle_ = false;
};

/// What a call of Read leaves behind.
class ProcessContinuation {
 public:
  /// The restriction is finished, or a claim was refused.
  static ProcessContinuation Stop() { return {}; }
  /// There is nothing to read now; call again after `delay`.
  static ProcessContinuation Resume(Duration delay) {
    ProcessContinuation result;
    result.resume_ = true;
    result.delay_ = delay;
    return result;
  }
  bool resume() const { return resume_; }
  Duration delay() const { return delay_; }

 private:
  bool resume_ = false;
  Duration delay_{0};
};

/// A record that a source could not read: it goes to the dead letters.
struct BadRecord {
  std::string origin;         // the file, or the topic and partition
  std::int64_t position = 0;  // the row (from 0), line (from 1) or offset
  std::string field;          // empty where the whole record is at fault
  std::string reason;
  std::string record;  // as it was read, if that is possible
};

namespace detail {
/// Takes full batches from a source. Implemented by the read operator.
class SourceSink {
 public:
  virtual ~SourceSink() = default;
  virtual void TakeBatch(BatchBase& batch) = 0;
  virtual void TakeBadRecord(BadRecord record) = 0;
  /// The origin of position 0 of the restriction that is being read; unknown where nobody wants origins.
  virtual Origin OriginOfRestriction() const { return kUnknownOrigin; }
};
}  // namespace detail

/// Where a source emits to.
template <class T>
class SourceOutput {
 public:
  explicit SourceOutput(detail::SourceSink& sink) : sink_(&sink) { Reserve(); }

  /// Emits an element with its event time; sources that know none give `Timestamp::Min()`, as in Beam.
  template <class U>
  void Emit(U&& value, Timestamp event_time) {
    batch_.values.AppendReserved(std::forward<U>(value));
    batch_.timestamps.AppendReserved(event_time);
    if (origin_ != detail::kUnknownOrigin) [[unlikely]] {
      AppendOrigins(1);
    }
    if (batch_.size() >= detail::kBatchElements) Flush();
  }

  /// For readers that fill rows in place: `count` default rows (at most `kBatchElements`), whose timestamps must then
  /// be set by `SetTime`, or removed by `Truncate`. The last positions that were claimed are theirs.
  T* Extend(std::size_t count) {
    if (batch_.size() + count > detail::kBatchElements) Flush();
    batch_.timestamps.Extend(count);
    if (origin_ != detail::kUnknownOrigin) AppendOrigins(count);
    return batch_.values.Extend(count);
  }
  /// Keeps the first `size` rows of the batch.
  void Truncate(std::size_t size) {
    batch_.values.Truncate(size);
    batch_.timestamps.Truncate(size);
    if (origin_ != detail::kUnknownOrigin) batch_.origins.Truncate(size);
  }
  /// Says that row `row` of the batch is of that position.
  void SetPosition(std::size_t row, std::int64_t position) {
    if (origin_ != detail::kUnknownOrigin) batch_.origins[row] = OriginAt(position);
  }
  detail::Batch<T>& batch() { return batch_; }

  void EmitBadRecord(BadRecord record) { sink_->TakeBadRecord(std::move(record)); }

  /// For the reader behind this: elements are of the position that `tracker` has claimed last.
  void Follow(const RestrictionTracker& tracker) {
    tracker_ = &tracker;
    origin_ = sink_->OriginOfRestriction();
    batch_.has_origins = origin_ != detail::kUnknownOrigin;
  }

  void Flush() {
    if (!batch_.empty()) sink_->TakeBatch(batch_);
    batch_.Clear();
    Reserve();
  }

 private:
  void Reserve() {
    batch_.values.Reserve(detail::kBatchElements);
    batch_.timestamps.Reserve(detail::kBatchElements);
  }
  detail::Origin OriginAt(std::int64_t position) const {
    const bool fits = position >= 0 && position >> detail::kOriginPositionBits == 0;
    return fits ? origin_ | static_cast<detail::Origin>(position) : detail::kUnknownOrigin;
  }
  [[gnu::noinline]] void AppendOrigins(std::size_t count) {
    const std::int64_t end = tracker_->from();
    for (std::size_t left = count; left > 0; --left) {
      batch_.origins.Append(OriginAt(end - static_cast<std::int64_t>(left)));
    }
  }

  detail::Batch<T> batch_;
  detail::SourceSink* sink_;
  const RestrictionTracker* tracker_ = nullptr;
  detail::Origin origin_ = detail::kUnknownOrigin;  // of position 0
};

}  // namespace millrace
