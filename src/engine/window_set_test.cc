#include "engine/window_set.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/random.h"
#include "base/test_settings.h"
#include "engine/watermark.h"

namespace millrace::engine {
namespace {

using std::chrono::seconds;

Timestamp At(std::int64_t s) { return Timestamp::FromSeconds(s); }
BoundedWindow Span(std::int64_t from, std::int64_t to) { return {At(from), At(to)}; }
WindowingStrategy Late(std::int64_t s) {
  return {.window_fn = FixedWindows{seconds(10)}, .allowed_lateness = seconds(s)};
}

std::vector<std::string> Due(WindowSet& set, Timestamp watermark) {
  set.AdvanceWatermark(watermark);
  std::vector<std::string> due;
  while (const auto firing = set.Next()) {
    due.push_back((firing->kind == Firing::Kind::kOnTime ? "fire " : "drop ") +
                  std::to_string(firing->window.start.micros() / 1'000'000));
  }
  return due;
}
using Names = std::vector<std::string>;

TEST(WindowSetTest, FiresAndDropsInTheOrderOfTimes) {
  WindowSet set(Late(15));
  for (const std::int64_t start : {20, 0, 10}) EXPECT_TRUE(set.Admit(Span(start, start + 10)));
  EXPECT_EQ(set.open(), 3U);
  EXPECT_EQ(Due(set, At(10) - Duration(1)), Names{});
  EXPECT_EQ(Due(set, At(10)), Names{"fire 0"});
  EXPECT_TRUE(set.PastOnTime(Span(0, 10)));
  EXPECT_FALSE(set.PastOnTime(Span(10, 20)));
  EXPECT_EQ(Due(set, At(5)), Names{});  // going back is ignored
  EXPECT_EQ(set.watermark(), At(10));
  EXPECT_EQ(Due(set, Timestamp::Max()), (Names{"fire 10", "drop 0", "fire 20", "drop 10", "drop 20"}));
  EXPECT_EQ(set.open(), 0U);
}

TEST(WindowSetTest, AWindowThatOpensAfterItsEndHasNoOnTimeFiring) {
  WindowSet set(Late(15));
  EXPECT_EQ(Due(set, At(20)), Names{});
  EXPECT_TRUE(set.Admit(Span(0, 10)));
  EXPECT_TRUE(set.PastOnTime(Span(0, 10)));
  EXPECT_EQ(Due(set, At(25) - Duration(1)), Names{});
  EXPECT_EQ(Due(set, At(25)), Names{"drop 0"});
  EXPECT_FALSE(set.Admit(Span(0, 10)));
  EXPECT_TRUE(set.Expired(Span(0, 10)));
  EXPECT_FALSE(set.Expired(Span(10, 20)));
}

TEST(WindowSetTest, EveryWindowExpiresAtTheEndOfTime) {
  WindowSet set(Late(1'000'000'000));
  const BoundedWindow last{Timestamp::Max() - seconds(5), Timestamp::Max()};
  EXPECT_TRUE(set.Admit(BoundedWindow::Global()));
  EXPECT_TRUE(set.Admit(last));
  EXPECT_EQ(Due(set, Timestamp::Max()).size(), 4U);
  EXPECT_EQ(set.open(), 0U);
}

TEST(WindowSetTest, RandomWindowsAgainstTheRules) {
  base::Random random(base::TestSeed());
  for (std::int64_t round = 0; round < base::TestRounds(200, 5'000); ++round) {
    const WindowingStrategy strategy = Late(random.Between(0, 30));
    WindowSet set(strategy);
    std::map<BoundedWindow, int> state;  // 1: open, 2: fired
    Timestamp watermark = Timestamp::Min();
    for (int step = 0; step < 60; ++step) {
      if (random.Chance(0.6)) {
        const std::int64_t start = random.Between(0, 20) * 10;
        const BoundedWindow window = Span(start, start + 10);
        const bool expired = window.max_timestamp() + strategy.allowed_lateness < watermark;
        EXPECT_EQ(set.Admit(window), !expired);
        if (!expired) state.try_emplace(window, window.max_timestamp() < watermark ? 2 : 1);
        continue;
      }
      watermark = std::max(watermark, At(random.Between(0, 230)));
      set.AdvanceWatermark(watermark);
      while (const auto firing = set.Next()) {
        const bool fires = firing->kind == Firing::Kind::kOnTime;
        ASSERT_EQ(state[firing->window], fires ? 1 : 2);
        ASSERT_LT(firing->window.max_timestamp() + (fires ? Duration(0) : strategy.allowed_lateness), watermark);
        if (fires) {
          state[firing->window] = 2;
        } else {
          state.erase(firing->window);
        }
      }
      for (const auto& [window, stage] : state) {
        ASSERT_EQ(stage == 2, window.max_timestamp() < watermark) << window;
        ASSERT_FALSE(set.Expired(window));
      }
      ASSERT_EQ(set.open(), state.size());
    }
  }
}

TEST(SlicesTest, AWindowIsExactlyItsSlices) {
  base::Random random(base::TestSeed());
  for (std::int64_t round = 0; round < base::TestRounds(300, 5'000); ++round) {
    const std::int64_t period = random.Between(1, 40);
    const WindowFn fn =
        SlidingWindows{Duration(period + random.Between(0, 100)), Duration(period), Duration(random.Between(0, 50))};
    const std::int64_t length = SliceMicros(fn);
    ASSERT_EQ(fn.size_micros % length, 0);
    ASSERT_EQ(fn.period_micros % length, 0);
    const Timestamp time = Timestamp::FromMicros(random.Between(-500, 500));
    fn.ForEachWindow(time, [&](const BoundedWindow& window) {
      const auto slices = SlicesOfWindow(window, length);
      ASSERT_EQ(slices.front().start, window.start);
      ASSERT_EQ(slices.back().end, window.end);
      for (const BoundedWindow& slice : slices) {
        const auto windows = WindowsOfSlice(fn, slice);
        ASSERT_NE(std::ranges::find(windows, window), windows.end());
      }
    });
  }
}

TEST(InputWatermarkTest, IsTheLeastOfItsChannels) {
  InputWatermark watermark(3);
  EXPECT_EQ(watermark.current(), Timestamp::Min());
  watermark.Advance(0, At(5));
  watermark.Advance(1, At(3));
  EXPECT_EQ(watermark.slowest(), 2U);
  watermark.Advance(2, At(9));
  EXPECT_EQ(watermark.current(), At(3));
  watermark.Advance(1, At(1));  // going back is ignored
  EXPECT_EQ(watermark.current(), At(3));
  watermark.Advance(1, At(100));
  EXPECT_EQ(watermark.current(), At(5));
}

}  // namespace
}  // namespace millrace::engine
