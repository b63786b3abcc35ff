#include "base/clock.h"

#include <gtest/gtest.h>

#include <chrono>
#include <ctime>

namespace millrace::base {
namespace {

using std::chrono::seconds;

TEST(SystemClock, NowIsTheTimeOfTheMachine) {
  const std::time_t before = std::time(nullptr);
  const Timestamp now = SystemClock().Now();
  const std::time_t after = std::time(nullptr);
  // time() may be read from a coarser clock, up to a tick behind.
  EXPECT_GE(now, Timestamp::FromSeconds(before) - seconds(1));
  EXPECT_LE(now, Timestamp::FromSeconds(after) + seconds(2));
}

TEST(SystemClock, MonotonicNeverGoesBack) {
  Duration last = SystemClock().Monotonic();
  const Duration first = last;
  while (last == first) {  // until the clock has moved
    const Duration next = SystemClock().Monotonic();
    ASSERT_GE(next, last);
    last = next;
  }
}

TEST(ManualClock, StandsStillUntilItIsMoved) {
  ManualClock clock(Timestamp::FromSeconds(100));
  EXPECT_EQ(clock.Now(), Timestamp::FromSeconds(100));
  EXPECT_EQ(clock.Monotonic(), Duration::zero());
  clock.Advance(seconds(5));
  EXPECT_EQ(clock.Now(), Timestamp::FromSeconds(105));
  EXPECT_EQ(clock.Monotonic(), seconds(5));
  clock.SetNow(Timestamp::FromSeconds(50));
  EXPECT_EQ(clock.Now(), Timestamp::FromSeconds(50));
  EXPECT_EQ(clock.Monotonic(), seconds(5));
}

}  // namespace
}  // namespace millrace::base
