// Read: runs one source's restrictions on one worker, bundle by bundle.
#pragma once

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "exec/origins.h"
#include "millrace/detail/graph.h"
#include "millrace/detail/operator.h"
#include "millrace/detail/source_reader.h"
#include "millrace/runner/status.h"

namespace millrace::exec {

/// Hands out a source's restrictions, in order. Thread safe.
class RestrictionQueue {
 public:
  virtual ~RestrictionQueue() = default;
  virtual std::optional<Restriction> Claim(int worker) = 0;
  /// No element of a restriction that is not claimed yet is older.
  virtual Timestamp PendingLow() const = 0;
  /// What nobody has claimed yet.
  virtual std::vector<Restriction> Pending() const = 0;
  /// `RestrictionTracker::began` of a restriction that was claimed.
  virtual std::int64_t Began(const Restriction& restriction) const = 0;
};

/// How much a bundle may read, and how a partition's watermark follows from what was read.
struct ReadLimits {
  std::int64_t bundle_elements = 16'384;
  /// Elements are at most this much out of order within a partition; negative where that is not known.
  Duration max_disorder{-1};
  std::uint64_t generation = 0;  // of the results
};

class ReadOperator final : public detail::Operator, private detail::SourceSink {
 public:
  enum class State : std::uint8_t { kMore, kWaiting, kDone };

  explicit ReadOperator(const detail::ReadPayload& read);
  ~ReadOperator() override;

  void Start(RestrictionQueue& queue, const ReadLimits& limits, Origins& origins);
  void Process(detail::BatchBase& batch, int input) override;
  State RunBundle();
  /// No element that this worker will read of the source is older.
  Timestamp Watermark() const;
  /// When a waiting source wants to be called again.
  Timestamp ResumeAt() const;
  /// Of the restrictions in hand that have something to read now: no element of them is older. The end of time if none
  /// has.
  Timestamp ReadableLow(Timestamp now) const;
  /// What is still to be read of the restrictions in hand; the least event time of each is what is known by now.
  std::vector<Restriction> Unfinished() const;
  /// The restrictions in hand, for people.
  std::vector<PartitionStatus> Partitions() const;
  /// What has been read since the last call, if the source wants to know.
  std::vector<Restriction> TakeRead() { return std::exchange(read_, {}); }
  /// The positions that have been read since the last call, for the ledger.
  std::vector<Restriction> TakeCovered();
  /// Tells the source that all computed from `read` is safe. On the worker's thread, or after the run.
  void Finalize(const std::vector<Restriction>& read);

 private:
  struct Active;

  Active* Next(Timestamp now);
  Active* NextInHand(Timestamp now);
  void Add(Restriction restriction);
  void Retire(Active* active);
  void TakeBatch(detail::BatchBase& batch) override;
  void TakeBadRecord(BadRecord record) override;
  detail::Origin OriginOfRestriction() const override;

  std::unique_ptr<detail::SourceReader> reader_;
  RestrictionQueue* queue_ = nullptr;
  ReadLimits limits_;
  std::vector<std::unique_ptr<Active>> active_;
  static constexpr std::uint64_t kPicksInTurnEvery = 16;
  std::size_t turn_ = 0;
  std::uint64_t picks_ = 0;
  bool exhausted_ = false;
  bool ended_ = false;  // nothing more is read though there may be more
  Active* running_ = nullptr;
  Origins* origins_ = nullptr;
  std::vector<Restriction> covered_;  // by restrictions that are done with
  std::int64_t budget_ = 0;
  std::vector<Restriction> read_;  // what bundles have read, if the source is to be told
};

}  // namespace millrace::exec
