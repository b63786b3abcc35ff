// Window functions against the definition: the windows of a time are those that hold it.
#include "millrace/core/window.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/random.h"
#include "base/test_settings.h"

namespace millrace {
namespace {

std::vector<BoundedWindow> WindowsOf(const WindowFn& fn, Timestamp time) {
  std::vector<BoundedWindow> windows;
  fn.ForEachWindow(time, [&](const BoundedWindow& window) { windows.push_back(window); });
  return windows;
}

TEST(WindowFnTest, WindowsEqualTheBruteForce) {
  base::Random random(base::TestSeed());
  for (std::int64_t round = 0; round < base::TestRounds(2'000, 50'000); ++round) {
    const std::int64_t period = random.Between(1, 30);
    const std::int64_t size = random.Chance(0.2) ? period : period + random.Between(0, 100);
    const std::int64_t offset = random.Between(-40, 40);
    const std::int64_t time = random.Between(-300, 300);
    const bool fixed = size == period && random.Chance(0.5);
    const WindowFn fn = fixed ? WindowFn(FixedWindows{Duration(size), Duration(offset)})
                              : WindowFn(SlidingWindows{Duration(size), Duration(period), Duration(offset)});
    std::vector<BoundedWindow> expected;
    for (std::int64_t n = -600; n <= 600; ++n) {
      const std::int64_t start = n * period + offset;
      if (start <= time && time < start + size) {
        expected.push_back({Timestamp::FromMicros(start), Timestamp::FromMicros(start + size)});
      }
    }
    const auto windows = WindowsOf(fn, Timestamp::FromMicros(time));
    ASSERT_EQ(windows, expected) << fn.ToString() << " offset " << offset << " at " << time;
    ASSERT_EQ(fn.At(fn.LastStart(Timestamp::FromMicros(time))), windows.back());
  }
}

TEST(WindowFnTest, AtTheEndsOfTimeWindowsAreCutOff) {
  base::Random random(base::TestSeed());
  for (std::int64_t round = 0; round < base::TestRounds(2'000, 50'000); ++round) {
    const std::int64_t period = random.Between(1, 3'600'000'000);
    const std::int64_t size = period * random.Between(1, 4) + random.Between(0, period - 1);
    const WindowFn fn = SlidingWindows{Duration(size), Duration(period), Duration(random.Between(0, period - 1))};
    const Duration away(random.Between(0, 4 * size));
    const bool low = random.Chance(0.5);
    const Timestamp time = low ? Timestamp::Min() + away : Timestamp::Max() - Duration(1) - away;
    const auto windows = WindowsOf(fn, time);
    ASSERT_GE(std::ssize(windows), size / period);
    ASSERT_LE(std::ssize(windows), size / period + 1);
    for (std::size_t i = 0; i < windows.size(); ++i) {
      ASSERT_LE(windows[i].start, time);
      ASSERT_LT(time, windows[i].end);
      const bool cut = windows[i].start == Timestamp::Min() || windows[i].end == Timestamp::Max();
      ASSERT_TRUE(cut || windows[i].end - windows[i].start == Duration(size)) << windows[i];
      ASSERT_TRUE(i == 0 || windows[i - 1] < windows[i]);
    }
    ASSERT_EQ(fn.At(fn.LastStart(time)), windows.back());
  }
}

TEST(WindowFnTest, TheGlobalWindowEndsBeforeTimeDoes) {
  EXPECT_EQ(WindowsOf(GlobalWindows{}, Timestamp::Min()), std::vector{BoundedWindow::Global()});
  EXPECT_EQ(Timestamp::Max() - BoundedWindow::Global().end, std::chrono::days(1));
  EXPECT_EQ(BoundedWindow::Global().max_timestamp() + Duration(1), BoundedWindow::Global().end);
}

}  // namespace
}  // namespace millrace
