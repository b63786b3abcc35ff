// Allowed lateness, expiry, and the ends of time.
#include "pane_script.h"

namespace millrace::testing {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::seconds;

class LatenessTest : public PaneScript {};

// Beam: a window has expired when its last timestamp plus the allowed lateness is before the watermark.
TEST_F(LatenessTest, AnElementAtTheBoundaryIsTakenAndOneAfterItDropped) {
  In({1});
  Watermark(At(15) - Duration(1));
  Expect({"a:1 [0,10) ON_TIME 0 0 first"});
  In({9});
  Expect({"a:1 9 [0,10) LATE 1 1"});
  Watermark(15);
  In({9, 8});
  Expect({});
  Play(WindowInto(FixedWindows{seconds(10)}).AllowedLateness(seconds(5)).Accumulating());
  EXPECT_EQ(LateDropped(), 2);
}

TEST_F(LatenessTest, WithoutLatenessAnElementIsDroppedOnceItsWindowHasFired) {
  In({1});
  Watermark(At(10) - Duration(1));
  In({2});
  Watermark(10);
  Expect({"a:1 2 [0,10) ON_TIME 0 0 first last"});
  In({3, 10});
  Infinity();
  Expect({"a:10 [10,20) ON_TIME 0 0 first last"});
  Play(WindowInto(FixedWindows{seconds(10)}));
  EXPECT_EQ(LateDropped(), 1);
}

TEST_F(LatenessTest, LateSlidingWindowsCountPerPair) {
  Watermark(12);
  In({9});  // of [0,10) and [5,15)
  In({1});  // of [-5,5) and [0,10)
  Infinity();
  Expect({"a:9 [5,15) ON_TIME 0 0 first last"});
  Play(WindowInto(SlidingWindows{seconds(10), seconds(5)}));
  EXPECT_EQ(LateDropped(), 3);
}

TEST_F(LatenessTest, TheGlobalWindowIsNeverLate) {
  In({1});
  Watermark(1'000'000);
  In({2});
  Infinity();
  Expect({"a:1 2 global ON_TIME 0 0 first last"});
  Play(WindowInto(GlobalWindows{}).Triggering(Repeatedly{AfterCount{100}}).Discarding());
  EXPECT_EQ(LateDropped(), 0);
}

// Beam truncates the time of expiry to the end of the global window: time ends, so every window expires.
TEST_F(LatenessTest, AWindowExpiresEvenIfTheLatenessReachesBeyondTheEndOfTime) {
  In({1, 2, 3});
  Expect({"a:1 2 global EARLY 0 -1 first"});
  Infinity();
  Expect({"a:3 global ON_TIME 1 0 last"});
  Play(WindowInto(GlobalWindows{}).Triggering(Repeatedly{AfterCount{2}}).AllowedLateness(days(400)).Discarding());
}

TEST_F(LatenessTest, ElementsAtTheEndsOfTimeBelongToTheGlobalWindow) {
  stream_.Add({"a", 1}, Timestamp::Min());
  stream_.Add({"a", 2}, Timestamp::Max());
  Infinity();
  Expect({"a:1 2 global ON_TIME 0 0 first last"});
  Play(WindowInto(GlobalWindows{}).Triggering(Repeatedly{AfterCount{100}}).Discarding());
}

class EndsOfTimeTest : public ::testing::TestWithParam<std::pair<WindowFn, bool>> {};

INSTANTIATE_TEST_SUITE_P(
    Windows, EndsOfTimeTest,
    ::testing::Values(std::pair<WindowFn, bool>{FixedWindows{hours(1)}, false},
                      std::pair<WindowFn, bool>{FixedWindows{hours(1), seconds(7)}, true},
                      std::pair<WindowFn, bool>{SlidingWindows{hours(1), std::chrono::minutes(15)}, false},
                      std::pair<WindowFn, bool>{SlidingWindows{hours(1), std::chrono::minutes(40)}, false},
                      std::pair<WindowFn, bool>{SlidingWindows{hours(1), std::chrono::minutes(15)}, true}));

// A source without timestamps gives Timestamp::Min(): windows must hold it, though they cannot begin before time does.
TEST_P(EndsOfTimeTest, EveryElementIsCountedInEachOfItsWindows) {
  const auto [fn, panes] = GetParam();
  const std::vector<Timestamp> times{Timestamp::Min(),
                                     Timestamp::Min() + Duration(1),
                                     Timestamp::Min() + std::chrono::minutes(59),
                                     Timestamp::Min() + std::chrono::minutes(61),
                                     Timestamp::Min() + std::chrono::minutes(130),
                                     Timestamp::Max() - hours(25),
                                     Timestamp::Max() - hours(24),
                                     Timestamp::Max() - std::chrono::minutes(20),
                                     Timestamp::Max() - Duration(1),
                                     Timestamp::Max()};
  TestStream<KV<std::string, std::int64_t>> stream;
  std::map<BoundedWindow, std::int64_t> expected;
  for (const Timestamp time : times) {
    stream.Add({"a", 1}, time);
    std::int64_t windows = 0;
    fn.ForEachWindow(time, [&](const BoundedWindow& window) {
      ++windows;
      ++expected[window];
      EXPECT_LE(window.start, time) << window << " of " << time;
      EXPECT_TRUE(time < window.end || time >= Timestamp::Max() - Duration(1)) << window << " of " << time;
      EXPECT_LT(window.start, window.end);
    });
    EXPECT_GE(windows, 1) << time;
  }
  WindowInto windowing(fn);
  if (panes) windowing = windowing.AllowedLateness(hours(1)).Accumulating();
  Pipeline pipeline;
  auto counts = pipeline | "Script" >> stream | "Window" >> windowing | "Count" >> CombinePerKey(Count{});
  auto seen = Collect(counts);
  const PipelineResult result = pipeline.Run(stream.Options());
  ASSERT_EQ(result.status, OkStatus());
  std::map<BoundedWindow, std::int64_t> counted;
  for (const auto& element : seen->elements) counted[element.window] += element.value.value;
  EXPECT_EQ(counted, expected);
  EXPECT_EQ(result.steps.at("Count").late_dropped, 0);
}

}  // namespace
}  // namespace millrace::testing
