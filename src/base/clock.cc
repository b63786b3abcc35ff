#include "base/clock.h"

#include <cassert>
#include <chrono>

namespace millrace::base {
namespace {

class MachineClock final : public WallClock {
 public:
  Timestamp Now() const override {
    const auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
    return Timestamp(std::chrono::duration_cast<Duration>(since_epoch));
  }

  Duration Monotonic() const override {
    return std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch());
  }
};

}  // namespace

const WallClock& SystemClock() {
  static const MachineClock clock;
  return clock;
}

void ManualClock::Advance(Duration span) {
  assert(span >= Duration::zero());
  now_micros_.fetch_add(span.count());
  monotonic_micros_.fetch_add(span.count());
}

}  // namespace millrace::base
