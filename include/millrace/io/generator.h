// A source that makes numbers: for tests, demonstrations and measurements under a given load.
//
//   auto ticks = pipeline | "Ticks" >> Generate(generator::Sequence{.rate_per_s = 1000, .partitions = 4});
//
// The elements are start, start + 1, ... with event times. They do not depend on threads, bundles or the clock, except
// for event times that are not given. Map them to whatever is needed.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "millrace/transforms/read.h"

namespace millrace {

namespace generator {

struct Sequence {
  /// How many; nothing: without end, which only streaming mode can run.
  std::optional<std::int64_t> count = std::nullopt;
  /// Elements a second of all partitions together; 0: as fast as they are taken.
  double rate_per_s = 0;
  std::int64_t start = 0;
  /// The event time of element n (from 0) is this plus n times the step; nothing: the system's time when it is emitted.
  std::optional<Timestamp> event_time_start = std::nullopt;
  Duration event_time_step = std::chrono::milliseconds(1);
  /// Event times are earlier than said above by up to this, each by another span that follows from its number.
  Duration disorder{0};
  /// Element n is in partition n % partitions. Partitions are read at the same time by different workers.
  int partitions = 1;
};

}  // namespace generator

namespace detail {

/// A partition is a number, a position the number of an element in it.
template <bool kEndless>
struct SequenceSource {
  using Element = std::int64_t;
  using Clock = std::chrono::steady_clock;
  static constexpr bool kUnbounded = kEndless;

  generator::Sequence sequence;
  bool declares_disorder = false;  // then the watermark follows from that
  std::optional<Clock::time_point> started;
  std::int64_t first_position = 0;  // read at `started`

  StatusOr<std::vector<Restriction>> InitialRestrictions(const SplitOptions&) const {
    std::vector<Restriction> parts;
    for (int partition = 0; partition < sequence.partitions; ++partition) {
      Restriction part{.partition = std::to_string(partition)};
      // Workers read bounded restrictions one after the other, so those with a rate are given no end.
      if (!kEndless && sequence.rate_per_s <= 0) part.to = CountIn(partition);
      if (sequence.event_time_start) part.least_event_time = Least(partition);
      if (CountIn(partition) > 0) parts.push_back(std::move(part));
    }
    return parts;
  }

  StatusOr<ProcessContinuation> Read(RestrictionTracker& tracker, WatermarkEstimator& watermark,
                                     SourceOutput<Element>& out) {
    const int partition = std::atoi(tracker.partition().c_str());
    const std::int64_t count = CountIn(partition);
    if (!started) {
      started = Clock::now();
      first_position = tracker.from();
    }
    const std::int64_t due = std::min(count, Due());
    const Timestamp now = Now();
    std::int64_t position = tracker.from();
    for (; position < due; ++position) {
      if (!tracker.TryClaim(position)) break;
      const std::int64_t number = position * sequence.partitions + partition;
      out.Emit(sequence.start + number, EventTime(number, now));
    }
    if (!declares_disorder)
      watermark.Set(sequence.event_time_start ? Least(position * sequence.partitions + partition)
                                              : now - sequence.disorder);
    if (position < due || position >= count) return ProcessContinuation::Stop();
    return ProcessContinuation::Resume(UntilDue(position));
  }

 private:
  std::int64_t CountIn(int partition) const {
    if (!sequence.count) return Restriction::kUnbounded;
    return (*sequence.count - partition + sequence.partitions - 1) / sequence.partitions;
  }
  static Timestamp Now() {
    return Timestamp(std::chrono::duration_cast<Duration>(std::chrono::system_clock::now().time_since_epoch()));
  }
  double RateOfPartition() const { return sequence.rate_per_s / sequence.partitions; }

  // The first position that is not due yet. The first element is due at once.
  std::int64_t Due() const {
    if (sequence.rate_per_s <= 0) return Restriction::kUnbounded;
    const double elapsed_s = std::chrono::duration<double>(Clock::now() - *started).count();
    return first_position + static_cast<std::int64_t>(elapsed_s * RateOfPartition()) + 1;
  }
  Duration UntilDue(std::int64_t position) const {
    const double due_s = static_cast<double>(position - first_position) / RateOfPartition();
    const double elapsed_s = std::chrono::duration<double>(Clock::now() - *started).count();
    return Duration(std::clamp<std::int64_t>(std::llround((due_s - elapsed_s) * 1e6), 1'000, 1'000'000));
  }

  // No later element than `number` is older.
  Timestamp Least(std::int64_t number) const {
    return *sequence.event_time_start + sequence.event_time_step * number - sequence.disorder;
  }
  Timestamp EventTime(std::int64_t number, Timestamp now) const {
    const Timestamp at =
        sequence.event_time_start ? *sequence.event_time_start + sequence.event_time_step * number : now;
    if (sequence.disorder <= Duration(0)) return at;
    // A multiplication by the golden ratio scatters neighbours.
    const std::uint64_t mixed = (static_cast<std::uint64_t>(number) + 1) * 0x9E37'79B9'7F4A'7C15;
    return at - Duration((mixed >> 20) % (static_cast<std::uint64_t>(sequence.disorder.count()) + 1));
  }
};

struct GenerateTransform : TransformBase {
  explicit GenerateTransform(generator::Sequence numbers) : sequence(std::move(numbers)) {}
  std::string DefaultLabel() const { return "Generate"; }

  /// In streaming mode: see `ReadTransform::MaxDisorder`. Without it the watermark is exact: it lags by
  /// `Sequence::disorder`, and nothing is late. With less than that, late elements are what is wanted.
  GenerateTransform MaxDisorder(Duration disorder) const {
    GenerateTransform result = *this;
    result.max_disorder = disorder;
    return result;
  }

  PCollection<std::int64_t> Expand(Pipeline& pipeline) const {
    Graph& graph = pipeline.graph();
    generator::Sequence checked = sequence;
    if (sequence.partitions < 1 || sequence.count.value_or(0) < 0 || sequence.rate_per_s < 0 ||
        sequence.disorder < Duration(0) || sequence.event_time_step < Duration(0)) {
      graph.AddMistake(graph.CurrentLabel(),
                       "partitions must be at least 1, and count, rate_per_s, disorder and "
                       "event_time_step not negative");
      checked = {.count = 0};
    }
    return sequence.count ? Source<false>(pipeline, checked) : Source<true>(pipeline, checked);
  }

  generator::Sequence sequence;
  std::optional<Duration> max_disorder;

 private:
  template <bool kEndless>
  PCollection<std::int64_t> Source(Pipeline& pipeline, const generator::Sequence& numbers) const {
    SequenceSource<kEndless> source;
    source.sequence = numbers;
    source.declares_disorder = max_disorder.has_value();
    ReadTransform<SequenceSource<kEndless>> read(std::move(source));
    read.max_disorder = max_disorder;
    return read.Expand(pipeline);
  }
};

}  // namespace detail

/// Numbers with event times, some or without end, at a given rate.
inline auto Generate(generator::Sequence sequence) { return detail::GenerateTransform(std::move(sequence)); }

}  // namespace millrace
