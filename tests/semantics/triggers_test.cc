// Triggers and panes: what fires when, what it contains and what its PaneInfo says. The expected values are Beam's
// (https://beam.apache.org/documentation/programming-guide/#triggers; PaneInfoTracker and ReduceFnRunner of the Java
// SDK for the corners).
#include "pane_script.h"

namespace millrace::testing {
namespace {

using std::chrono::seconds;

WindowInto Fixed() { return WindowInto(FixedWindows{seconds(10)}); }

class TriggersTest : public PaneScript {};

TEST_F(TriggersTest, DefaultFiresWhenTheWatermarkHasPassedTheEnd) {
  In({1, 2, 11});
  Watermark(At(10) - Duration(1));  // the last timestamp of the window is not past
  Expect({});
  Watermark(10);
  Expect({"a:1 2 [0,10) ON_TIME 0 0 first last"});
  Infinity();
  Expect({"a:11 [10,20) ON_TIME 0 0 first last"});
  Play(Fixed());
}

TEST_F(TriggersTest, EarlyOnTimeAndLatePanesAccumulate) {
  In({1});
  Expect({});
  In({2});
  Expect({"a:1 2 [0,10) EARLY 0 -1 first"});
  In({3, 4});
  Expect({"a:1 2 3 4 [0,10) EARLY 1 -1"});
  In({5});
  Watermark(10);
  Expect({"a:1 2 3 4 5 [0,10) ON_TIME 2 0"});
  In({6});
  Expect({});
  In({7});
  Expect({"a:1 2 3 4 5 6 7 [0,10) LATE 3 1"});
  In({8});
  Watermark(200);
  Expect({"a:1 2 3 4 5 6 7 8 [0,10) LATE 4 2 last"});
  Play(Fixed()
           .Triggering(AfterWatermark{.early = AfterCount{2}, .late = AfterCount{2}})
           .AllowedLateness(seconds(100))
           .Accumulating());
}

TEST_F(TriggersTest, EarlyOnTimeAndLatePanesDiscard) {
  In({1, 2});
  Expect({"a:1 2 [0,10) EARLY 0 -1 first"});
  In({3});
  Watermark(10);
  Expect({"a:3 [0,10) ON_TIME 1 0"});
  In({4, 5});
  Expect({"a:4 5 [0,10) LATE 2 1"});
  In({6});
  Infinity();
  Expect({"a:6 [0,10) LATE 3 2 last"});
  Play(Fixed()
           .Triggering(AfterWatermark{.early = AfterCount{2}, .late = AfterCount{2}})
           .AllowedLateness(seconds(100))
           .Discarding());
}

// Beam's OnTimeBehavior.FIRE_ALWAYS, which is the default.
TEST_F(TriggersTest, TheOnTimePaneComesEvenIfItIsEmpty) {
  In({1, 2});
  Expect({"a:1 2 [0,10) EARLY 0 -1 first"});
  Watermark(10);
  Expect({"a: [0,10) ON_TIME 1 0 last"});
  Play(Fixed().Triggering(AfterWatermark{.early = AfterCount{2}}).Discarding());
}

// Beam's ClosingBehavior.FIRE_IF_NON_EMPTY, which is the default.
TEST_F(TriggersTest, TheLastPaneComesOnlyIfItIsNotEmpty) {
  In({1, 2});
  Watermark(10);
  Expect({"a:1 2 [0,10) ON_TIME 0 0 first"});
  In({3, 4});
  Expect({"a:1 2 3 4 [0,10) LATE 1 1"});
  Infinity();
  Expect({});
  Play(Fixed().Triggering(AfterWatermark{.late = AfterCount{2}}).AllowedLateness(seconds(100)).Accumulating());
}

// The on-time firing belongs to each key: a key whose first element is late has not had it, so it fires at once and
// only what follows waits for the late trigger. Its pane is late, as nothing could hold the watermark for it.
TEST_F(TriggersTest, TheFirstLateElementOfAKeyFiresAtOnce) {
  In("a", 1);
  Watermark(10);
  Expect({"a:1 [0,10) ON_TIME 0 0 first"});
  In("b", 2);
  Expect({"b:2 [0,10) LATE 0 0 first"});
  In("b", 3);
  In("b", 4);
  Expect({});
  In("b", 5);
  Expect({"b:2 3 4 5 [0,10) LATE 1 1"});
  In("a", 6);
  Expect({});
  Infinity();
  Expect({"a:1 6 [0,10) LATE 1 1 last"});
  Play(Fixed().Triggering(AfterWatermark{.late = AfterCount{3}}).AllowedLateness(seconds(100)).Accumulating());
}

TEST_F(TriggersTest, AWindowThatOpensLateHasNoOnTimePane) {
  Watermark(12);
  In({3});
  Expect({"a:3 [0,10) LATE 0 0 first"});
  In({4});
  Expect({"a:3 4 [0,10) LATE 1 1"});
  Infinity();
  Expect({});
  Play(Fixed().AllowedLateness(seconds(100)).Accumulating());
}

TEST_F(TriggersTest, ProcessingTimeCountsFromTheFirstElementOfAPane) {
  In("a", 1);
  Pass(seconds(2));
  In("b", 2);
  In("a", 3);
  Pass(seconds(3) - Duration(1));
  Expect({});
  Pass(Duration(1));
  Expect({"a:1 3 [0,10) EARLY 0 -1 first"});
  Pass(seconds(2));
  Expect({"b:2 [0,10) EARLY 0 -1 first"});
  Pass(seconds(60));
  Expect({});  // nothing new
  In("a", 4);
  Pass(seconds(5));
  Expect({"a:1 3 4 [0,10) EARLY 1 -1"});
  In("a", 5);
  Watermark(10);
  Expect({"a:1 3 4 5 [0,10) ON_TIME 2 0", "b:2 [0,10) ON_TIME 1 0"});
  Pass(seconds(60));
  Expect({});
  In("b", 6);
  Pass(seconds(6));
  Expect({});
  Pass(seconds(1));
  Expect({"b:2 6 [0,10) LATE 2 1"});
  Infinity();
  Expect({});
  Play(
      Fixed()
          .Triggering(AfterWatermark{.early = AfterProcessingTime{seconds(5)}, .late = AfterProcessingTime{seconds(7)}})
          .AllowedLateness(seconds(100))
          .Accumulating());
}

TEST_F(TriggersTest, CountOrProcessingTimeWhicheverComesFirst) {
  In({1, 2});
  Expect({"a:1 2 [0,10) EARLY 0 -1 first"});
  Pass(seconds(5));
  Expect({});  // the deadline went with the pane
  In({3});
  Pass(seconds(5));
  Expect({"a:3 [0,10) EARLY 1 -1"});
  In({4});
  Pass(seconds(3));
  In({5});
  Expect({"a:4 5 [0,10) EARLY 2 -1"});
  Infinity();
  Expect({"a: [0,10) ON_TIME 3 0 last"});
  Play(Fixed().Triggering(AfterWatermark{.early = {AfterCount{2}, AfterProcessingTime{seconds(5)}}}).Discarding());
}

TEST_F(TriggersTest, RepeatedlyInTheGlobalWindow) {
  In({1, 2, 3});
  Expect({"a:1 2 3 global EARLY 0 -1 first"});
  In({4, 5});
  In("b", 6);
  Expect({});
  In({7});
  Expect({"a:4 5 7 global EARLY 1 -1"});
  In({8});
  Infinity();
  // The input has ended and the watermark is past the end of the global window: these are the on-time panes.
  Expect({"a:8 global ON_TIME 2 0 last", "b:6 global ON_TIME 0 0 first last"});
  Play(WindowInto(GlobalWindows{}).Triggering(Repeatedly{AfterCount{3}}).Discarding());
}

TEST_F(TriggersTest, RepeatedlyKnowsNoWatermarkButItsPanesDo) {
  In({1, 2});
  Expect({"a:1 2 [0,10) EARLY 0 -1 first"});
  In({3});
  In("c", 1);
  Watermark(12);
  Expect({});
  In({4});
  Expect({"a:1 2 3 4 [0,10) ON_TIME 1 0"});  // the first pane after the end of the window
  In({5, 6});
  Expect({"a:1 2 3 4 5 6 [0,10) LATE 2 1"});
  In("b", 7);
  In("b", 8);
  Expect({"b:7 8 [0,10) LATE 0 0 first"});  // every element of it came late
  Infinity();
  Expect({"c:1 [0,10) ON_TIME 0 0 first last"});
  Play(Fixed().Triggering(Repeatedly{AfterCount{2}}).AllowedLateness(seconds(100)).Accumulating());
}

TEST_F(TriggersTest, EachSlidingWindowHasItsOwnPanes) {
  In({7});
  Expect({});
  In({3});
  Expect({"a:3 7 [0,10) EARLY 0 -1 first"});
  In({12});
  Expect({"a:7 12 [5,15) EARLY 0 -1 first"});
  Watermark(10);
  Expect({"a:3 [-5,5) ON_TIME 0 0 first", "a:3 7 [0,10) ON_TIME 1 0"});
  In({4});
  Expect({"a:3 4 [-5,5) LATE 1 1", "a:3 4 7 [0,10) LATE 2 1"});
  Watermark(26);
  Expect({"a:7 12 [5,15) ON_TIME 1 0", "a:12 [10,20) ON_TIME 0 0 first"});
  In({4});  // [-5,5) has expired at 25, [0,10) has not
  Expect({"a:3 4 4 7 [0,10) LATE 3 2"});
  Play(WindowInto(SlidingWindows{seconds(10), seconds(5)})
           .Triggering(AfterWatermark{.early = AfterCount{2}, .late = AfterCount{1}})
           .AllowedLateness(seconds(20))
           .Accumulating());
  EXPECT_EQ(LateDropped(), 1);
}

TEST_F(TriggersTest, WindowsFireInTheOrderOfTheirEnds) {
  In({25, 5, 15});
  std::vector<std::string> order;
  Infinity();
  auto groups = pipeline_ | "Script" >> stream_ | "Window" >> Fixed() | "Group" >> GroupByKey();
  auto seen = Collect(groups);
  ASSERT_EQ(pipeline_.Run(stream_.Options()).status, OkStatus());
  for (const auto& group : seen->elements) order.push_back(WindowText(group.window));
  EXPECT_THAT(order, ::testing::ElementsAre("[0,10)", "[10,20)", "[20,30)"));
}

}  // namespace
}  // namespace millrace::testing
