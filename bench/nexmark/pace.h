// Rows that are sent at times fixed beforehand, and how long their results then take.
//
// A result is due when the last event time that it waits for has been sent: latency counts from there. What is sent
// late because the engine was busy is therefore not forgiven (no coordinated omission).
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstdint>

#include "millrace/core/timestamp.h"
#include "nexmark/generator.h"
#include "nexmark/report.h"

namespace millrace::nexmark {

/// Counts of latencies in microseconds: exact below 64, in steps of a 32nd above. Thread safe.
class LatencyHistogram {
 public:
  void Add(std::chrono::microseconds latency) {
    const auto micros = static_cast<std::uint64_t>(std::max<std::int64_t>(0, latency.count()));
    counts_[IndexOf(micros)].fetch_add(1, std::memory_order_relaxed);
  }
  /// Each percentile is the upper end of the step that holds it.
  LatencySummary Summary() const {
    std::uint64_t total = 0;
    for (const auto& count : counts_) total += count.load(std::memory_order_relaxed);
    return {Percentile(total, 0.5), Percentile(total, 0.99), Percentile(total, 0.999), Percentile(total, 1)};
  }

 private:
  static constexpr std::size_t kExact = 64;
  static constexpr std::size_t kSteps = 32;  // per power of two
  static constexpr std::size_t kPowers = 34;

  static std::size_t IndexOf(std::uint64_t micros) {
    if (micros < kExact) return micros;
    const auto power = static_cast<std::size_t>(std::bit_width(micros)) - 7;  // 64..127 is the first
    const std::size_t step = (micros >> (power + 1)) - kSteps;
    return std::min(kExact + power * kSteps + step, kExact + kPowers * kSteps - 1);
  }
  static double UpperMs(std::size_t index) {
    if (index < kExact) return static_cast<double>(index) / 1000;
    const std::size_t power = (index - kExact) / kSteps;
    const std::size_t step = (index - kExact) % kSteps;
    return static_cast<double>(((kSteps + step + 1) << (power + 1)) - 1) / 1000;
  }
  double Percentile(std::uint64_t total, double share) const {
    const auto wanted = static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(total)));
    std::uint64_t seen = 0;
    for (std::size_t index = 0; index < counts_.size(); ++index) {
      seen += counts_[index].load(std::memory_order_relaxed);
      if (seen >= wanted && seen > 0) return UpperMs(index);
    }
    return 0;
  }

  std::array<std::atomic<std::uint64_t>, kExact + kPowers * kSteps> counts_{};
};

/// When rows are sent, and when what has an event time is due. Event time passes as wall time does if `send_rate` rows
/// are one second of it.
class Pace {
 public:
  using Clock = std::chrono::steady_clock;

  /// `rows_per_event_s`: how many rows of the stream one second of event time has.
  Pace(double send_rate, double rows_per_event_s)
      : send_rate_(send_rate), wall_per_event_(rows_per_event_s / send_rate), start_(Clock::now() + kLead) {}

  /// So many rows of the stream have been due by now.
  std::int64_t DueRows(Clock::time_point now) const {
    return now < start_ ? 0 : static_cast<std::int64_t>(Seconds(now) * send_rate_) + 1;
  }
  /// Until row `position` is due.
  Duration UntilDue(std::int64_t position, Clock::time_point now) const {
    return Duration(std::llround((static_cast<double>(position) / send_rate_ - Seconds(now)) * 1e6));
  }
  /// The result of that event time has just come.
  void Arrived(Timestamp time, Clock::time_point now) {
    const double event_s = static_cast<double>(time.micros() - kBaseMs * 1000) / 1e6;
    latencies_.Add(std::chrono::microseconds(std::llround((Seconds(now) - event_s * wall_per_event_) * 1e6)));
  }
  LatencySummary Summary() const { return latencies_.Summary(); }

 private:
  static constexpr auto kLead = std::chrono::milliseconds(200);  // until the pipeline has started

  double Seconds(Clock::time_point now) const { return std::chrono::duration<double>(now - start_).count(); }

  double send_rate_;
  double wall_per_event_;
  Clock::time_point start_;
  LatencyHistogram latencies_;
};

}  // namespace millrace::nexmark
