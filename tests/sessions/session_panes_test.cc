// Session windows, element by element: how windows merge, and what becomes of panes, triggers and lateness when they
// do. The rules are those of Beam's Java SDK.
#include "../semantics/pane_script.h"

namespace millrace::testing {
namespace {

using std::chrono::seconds;

const WindowInto kSessions{Sessions{seconds(10)}};

class SessionPanesTest : public PaneScript {};

TEST_F(SessionPanesTest, ASessionEndsTheGapAfterItsLastElement) {
  In({1, 5, 30});
  Watermark(14);
  Expect({});
  Watermark(15);
  Expect({"a:1 5 [1,15) ON_TIME 0 0 first last"});
  Infinity();
  Expect({"a:30 [30,40) ON_TIME 0 0 first last"});
  Play(kSessions);
}

TEST_F(SessionPanesTest, WindowsThatOnlyTouchStayApart) {
  In({11, 1});
  Watermark(30);
  Expect({"a:1 [1,11) ON_TIME 0 0 first last", "a:11 [11,21) ON_TIME 0 0 first last"});
  Play(kSessions);
}

TEST_F(SessionPanesTest, AnElementJoinsTheSessionsBesideIt) {
  In({1, 15, 40, 8});
  In("b", 14);
  Watermark(60);
  Expect({"a:1 8 15 [1,25) ON_TIME 0 0 first last", "b:14 [14,24) ON_TIME 0 0 first last",
          "a:40 [40,50) ON_TIME 0 0 first last"});
  Play(kSessions);
}

TEST_F(SessionPanesTest, WindowsOfAllKeysFireInTheOrderOfTheirEnds) {
  In("a", 20);
  In("b", 1);
  In("a", 3);
  In("c", 2);
  std::vector<std::string> order;
  auto groups = pipeline_ | "Script" >> stream_ | "Window" >> kSessions | "Group" >> GroupByKey();
  auto seen = Collect(groups);
  ASSERT_EQ(pipeline_.Run(stream_.Options()).status, OkStatus());
  for (const auto& group : seen->elements) order.push_back(group.value.key + WindowText(group.window));
  EXPECT_THAT(order, ::testing::ElementsAre("b[1,11)", "c[2,12)", "a[3,13)", "a[20,30)"));
}

// "The merge result window gets to start fresh if it is new" (ReduceFnRunner).
TEST_F(SessionPanesTest, PanesBeginAnewWhereMergingGivesAnotherWindow) {
  In({1});
  Expect({"a:1 [1,11) EARLY 0 -1 first"});
  In({5});
  Expect({"a:1 5 [1,15) EARLY 0 -1 first"});
  In({3});  // within the window
  Expect({"a:1 3 5 [1,15) EARLY 1 -1"});
  Watermark(20);
  Expect({"a:1 3 5 [1,15) ON_TIME 2 0 last"});
  Play(WindowInto(kSessions).Triggering(AfterWatermark{.early = AfterCount{1}}).Accumulating());
}

TEST_F(SessionPanesTest, DiscardingPanesHaveWhatNoneHasShown) {
  In({1});
  Expect({"a:1 [1,11) EARLY 0 -1 first"});
  In({5});
  Expect({"a:5 [1,15) EARLY 0 -1 first"});
  In({20});
  Expect({"a:20 [20,30) EARLY 0 -1 first"});
  In({12});
  Expect({"a:12 [1,30) EARLY 0 -1 first"});
  Watermark(30);
  Expect({"a: [1,30) ON_TIME 1 0 last"});
  Play(WindowInto(kSessions).Triggering(AfterWatermark{.early = AfterCount{1}}).Discarding());
}

TEST_F(SessionPanesTest, WhatMergedWindowsHaveCountedIsAdded) {
  In({1, 15});
  Expect({});
  In({8});
  Expect({"a:1 8 15 [1,25) EARLY 0 -1 first"});
  In({2, 3});
  Expect({});
  In({4});
  Expect({"a:1 2 3 4 8 15 [1,25) EARLY 1 -1"});
  Play(WindowInto(kSessions).Triggering(Repeatedly{AfterCount{3}}).Accumulating());
}

TEST_F(SessionPanesTest, TheEarliestDelayOfMergedWindowsHolds) {
  In({1});
  Pass(seconds(3));
  In({15});
  Pass(seconds(1));
  In({8});
  Expect({});
  Pass(seconds(1));
  Expect({"a:1 8 15 [1,25) EARLY 0 -1 first"});
  Pass(seconds(100));
  Expect({});
  In({9});
  Pass(seconds(5));
  Expect({"a:1 8 9 15 [1,25) EARLY 1 -1"});
  Infinity();
  Expect({"a:1 8 9 15 [1,25) ON_TIME 2 0 last"});
  Play(WindowInto(kSessions).Triggering(AfterWatermark{.early = AfterProcessingTime{seconds(5)}}).Accumulating());
}

TEST_F(SessionPanesTest, AnElementThatExtendsASessionWhichHasFiredOpensItAgain) {
  In({1});
  Watermark(12);
  Expect({"a:1 [1,11) ON_TIME 0 0 first"});
  In({9});
  Expect({});
  Watermark(18);
  Expect({});
  Watermark(25);
  Expect({"a:1 9 [1,19) ON_TIME 0 0 first"});
  In({5});  // within the window, after its end
  Expect({"a:1 5 9 [1,19) LATE 1 1"});
  Play(WindowInto(kSessions).AllowedLateness(seconds(20)).Accumulating());
}

TEST_F(SessionPanesTest, TheEarlyTriggerOfASessionThatIsOpenAgainBeginsAnew) {
  In({1});
  Watermark(12);
  Expect({"a:1 [1,11) ON_TIME 0 0 first"});
  In({3});
  Expect({});
  In({4});
  Expect({"a:1 3 4 [1,14) EARLY 0 -1 first"});
  Watermark(14);
  Expect({"a:1 3 4 [1,14) ON_TIME 1 0"});
  In({2});
  Expect({});  // the late trigger counts to five
  Watermark(40);
  Expect({"a:1 2 3 4 [1,14) LATE 2 1 last"});
  Play(WindowInto(kSessions)
           .Triggering(AfterWatermark{.early = AfterCount{2}, .late = AfterCount{5}})
           .AllowedLateness(seconds(20))
           .Accumulating());
}

TEST_F(SessionPanesTest, ASessionThatBeginsAfterItsEndFiresAtOnce) {
  Watermark(30);
  In({1});
  Expect({"a:1 [1,11) LATE 0 0 first"});
  In({3});  // both had their end before the watermark, and so has the result
  Expect({});
  In({4, 5});
  Expect({"a:1 3 4 5 [1,15) LATE 0 0 first"});
  Play(WindowInto(kSessions)
           .Triggering(AfterWatermark{.late = AfterCount{3}})
           .AllowedLateness(seconds(50))
           .Accumulating());
}

// Beam: what counts is the window that the element was assigned, before merging.
TEST_F(SessionPanesTest, AnElementIsLateByItsOwnWindow) {
  In({1, 9});
  Watermark(32);
  Expect({"a:1 9 [1,19) ON_TIME 0 0 first"});
  In({2});  // [2,12) has expired, [1,19) has not
  Expect({});
  In({4});
  Expect({"a:1 4 9 [1,19) LATE 1 1"});
  Watermark(40);
  In({18});  // the session has gone, [18,28) has not expired
  Expect({"a:18 [18,28) LATE 0 0 first"});
  Play(WindowInto(kSessions).AllowedLateness(seconds(20)).Accumulating());
  EXPECT_EQ(LateDropped(), 1);
}

TEST_F(SessionPanesTest, WithoutAFiringAtTheWatermarkTheFirstPaneAfterTheEndIsOnTimeIfSomethingWas) {
  In({1});
  Watermark(12);
  Expect({});
  In({2});
  Expect({"a:1 2 [1,12) ON_TIME 0 0 first"});
  In({2, 3});
  Expect({"a:1 2 2 3 [1,13) EARLY 0 -1 first"});
  Watermark(20);
  Expect({});
  In({4, 5});
  Expect({"a:1 2 2 3 4 5 [1,15) LATE 0 0 first"});
  Play(WindowInto(kSessions).Triggering(Repeatedly{AfterCount{2}}).AllowedLateness(seconds(100)).Accumulating());
}

}  // namespace
}  // namespace millrace::testing
