// The generator as a live source: rows come when they are due, to all workers at once.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "nexmark/pace.h"
#include "nexmark/source.h"

namespace millrace::nexmark {

/// Positions [0, total) of a stream in its order; partition p of P has the blocks p, p + P, p + 2P, ... The watermark
/// is exact: the event time of the partition's next row.
template <class Stream>
struct PacedSource {
  using Element = typename Stream::Row;

  GeneratorConfig config;  // without disorder
  std::uint64_t total = 0;
  int partitions = 1;
  std::shared_ptr<Pace> pace;
  Stream stream{};

  StatusOr<std::vector<Restriction>> InitialRestrictions(const SplitOptions&) const {
    std::vector<Restriction> restrictions;
    for (int partition = 0; partition < partitions; ++partition) {
      restrictions.push_back({.partition = std::to_string(partition),
                              .from = 0,
                              .to = Restriction::kUnbounded,
                              .least_event_time = Stream::TimeOf(config, PositionOf(partition, 0))});
    }
    return restrictions;
  }

  StatusOr<ProcessContinuation> Read(RestrictionTracker& tracker, WatermarkEstimator& watermark,
                                     SourceOutput<Element>& out) {
    int partition = 0;
    std::from_chars(tracker.partition().data(), tracker.partition().data() + tracker.partition().size(), partition);
    const auto now = Pace::Clock::now();
    const std::uint64_t due = std::min(total, static_cast<std::uint64_t>(pace->DueRows(now)));
    std::int64_t index = tracker.from();
    std::uint64_t position = PositionOf(partition, index);
    bool claimed = true;
    while (claimed && position < due) {
      typename Stream::Cursor cursor(config, position);
      const std::uint64_t end = std::min(due, (position / kBlock + 1) * kBlock);
      for (; position < end && (claimed = tracker.TryClaim(index)); ++position, ++index) {
        out.Emit(stream.Make(cursor), cursor.time());
        cursor.Next();
      }
      position = PositionOf(partition, index);
    }
    watermark.Set(position < total ? Stream::TimeOf(config, position) : Timestamp::Max());
    if (!claimed || position >= total) return ProcessContinuation::Stop();
    const Duration wait = pace->UntilDue(static_cast<std::int64_t>(position), Pace::Clock::now());
    return ProcessContinuation::Resume(std::max(wait, kPollEvery));
  }

 private:
  static constexpr std::uint64_t kBlock = 512;
  static constexpr Duration kPollEvery = std::chrono::milliseconds(1);

  std::uint64_t PositionOf(int partition, std::int64_t index) const {
    const auto at = static_cast<std::uint64_t>(index);
    const auto block = at / kBlock * static_cast<std::uint64_t>(partitions) + static_cast<std::uint64_t>(partition);
    return block * kBlock + at % kBlock;
  }
};

}  // namespace millrace::nexmark
