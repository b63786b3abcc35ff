// What a publish appends, in which order: a function of the input, the seed and the shares, and of nothing else. So a
// publish that is run again gives each record the same sequence.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "millrace/core/status.h"
#include "millrace/core/timestamp.h"
#include "millrace/runner/publishing.h"

namespace millrace::cli {

enum class PublishedKind : std::uint8_t {
  kEvent,      // a record of the input
  kLate,       // one that is held back
  kDuplicate,  // an exact copy of one, later
  kGarbage,    // made of one, and no event
};

/// "event", "late", "duplicate", "garbage".
std::string_view PublishedKindName(PublishedKind kind);

/// A record and its place in the order.
struct PlannedRecord {
  PublishedKind kind = PublishedKind::kEvent;
  std::int64_t sequence = 0;  // from 0, without gaps
  ProducerRecord record;
};

struct PublishPlanOptions {
  std::uint64_t seed = 1;
  double duplicates = 0;  // the share of events that are sent once more, up to `kDuplicateAfterMax` later
  double late = 0;        // the share that is held back until event time has come `late_by` further
  Duration late_by = std::chrono::hours(2);
  double garbage = 0;  // for each event, the chance of a garbage record behind it
};

/// In event time. Less than any sensible horizon of a deduplication.
inline constexpr Duration kDuplicateAfterMax = std::chrono::hours(1);

/// Puts the records of an input into the order of a publish. Memory: the records that are held back, at most
/// `kHeldBackMax`. One thread.
class PublishPlan {
 public:
  using Emit = std::function<Status(PlannedRecord record)>;
  static constexpr std::size_t kHeldBackMax = 4'000'000;

  PublishPlan(PublishPlanOptions options, const Publishing& publishing, Emit emit);

  /// The input's next event: emits what is due before it, and it too unless it is held back. Errors are those of the
  /// emit function, and RESOURCE_EXHAUSTED when too much is held back.
  Status Add(ProducerRecord event);
  /// After the last event: emits what is still held back.
  Status Finish();

  /// How many of each kind were emitted, by `PublishedKind`.
  std::int64_t count(PublishedKind kind) const { return counts_[static_cast<std::size_t>(kind)]; }
  std::int64_t records() const { return next_sequence_; }
  /// The greatest event time of the input so far.
  Timestamp event_time() const { return event_time_; }

 private:
  struct HeldBack {
    Timestamp due;
    std::int64_t order = 0;  // among those due at the same time
    PublishedKind kind = PublishedKind::kEvent;
    ProducerRecord record;
  };
  struct DueLater {
    bool operator()(const HeldBack& a, const HeldBack& b) const {
      return a.due != b.due ? a.due > b.due : a.order > b.order;
    }
  };

  Status HoldBack(Timestamp due, PublishedKind kind, ProducerRecord record);
  Status EmitDue(Timestamp until);
  Status EmitNow(PublishedKind kind, ProducerRecord record);
  ProducerRecord Garbage(const ProducerRecord& good);

  const PublishPlanOptions options_;
  const Publishing& publishing_;
  const Emit emit_;
  base::Random random_;
  Timestamp event_time_ = Timestamp::Min();
  std::vector<HeldBack> held_back_;  // a heap, the next one due first
  std::int64_t held_back_order_ = 0;
  std::int64_t garbage_number_ = 0;
  std::int64_t next_sequence_ = 0;
  std::int64_t counts_[4] = {};
};

}  // namespace millrace::cli
