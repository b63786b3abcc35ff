// The seam between the code and time: whoever needs the time of day takes a `WallClock&`, so a test or a simulation
// decides what time it is.
#pragma once

#include <atomic>

#include "millrace/core/timestamp.h"

namespace millrace::base {

/// Tells the time. Implementations are thread safe.
class WallClock {
 public:
  virtual ~WallClock() = default;

  /// The time of day in UTC, Beam's processing time. It may jump, also backwards, when the machine's clock is set.
  virtual Timestamp Now() const = 0;

  /// Time since an arbitrary start; never goes back, so it is the one to measure spans and deadlines with.
  virtual Duration Monotonic() const = 0;
};

/// The clocks of the machine. Lives as long as the process.
const WallClock& SystemClock();

/// A clock that stands still until it is told to move. Thread safe.
class ManualClock final : public WallClock {
 public:
  explicit ManualClock(Timestamp now = Timestamp()) : now_micros_(now.micros()) {}

  Timestamp Now() const override { return Timestamp::FromMicros(now_micros_.load()); }
  Duration Monotonic() const override { return Duration(monotonic_micros_.load()); }

  /// Moves both times on by `span`, which is not negative.
  void Advance(Duration span);

  /// Sets the time of day, also backwards; the monotonic time stays.
  void SetNow(Timestamp now) { now_micros_.store(now.micros()); }

 private:
  std::atomic<std::int64_t> now_micros_;
  std::atomic<std::int64_t> monotonic_micros_ = 0;
};

}  // namespace millrace::base
