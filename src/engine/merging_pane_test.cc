#include "engine/merging_pane.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace millrace::engine {
namespace {

using detail::kNoDeadline;
using std::chrono::microseconds;

const Trigger kCounts = AfterWatermark{.early = AfterCount{3}, .late = AfterCount{2}};
const Trigger kDelays =
    AfterWatermark{.early = AfterProcessingTime{microseconds(10)}, .late = AfterProcessingTime{microseconds(20)}};

MergingPane Merged(const Trigger& trigger, const std::vector<const MergingPane*>& parts, bool past,
                   const MergingPane* survivor = nullptr) {
  return MergePanes(trigger, parts, survivor, past);
}

TEST(MergingPaneTest, CountsOfWindowsThatHaveNotFiredAreAdded) {
  MergingPane a;
  MergingPane b;
  EXPECT_FALSE(a.OnElement(kCounts, false, 0));
  EXPECT_FALSE(b.OnElement(kCounts, false, 0));
  MergingPane merged = Merged(kCounts, {&a, &b}, false);
  EXPECT_EQ(merged.pending, 2);
  EXPECT_TRUE(merged.OnElement(kCounts, false, 0));
  EXPECT_EQ(merged.Fire(kCounts, false, false, false),
            (PaneInfo{.timing = PaneInfo::Timing::kEarly, .is_last = false, .nonspeculative_index = -1}));
  EXPECT_EQ(merged.early.count, 0);
  EXPECT_EQ(merged.pending, 0);
}

TEST(MergingPaneTest, WhatFiredAtTheWatermarkCountsForTheLateTriggerOrNotAtAll) {
  MergingPane fired;
  fired.OnElement(kCounts, false, 0);
  fired.Fire(kCounts, true, true, false);
  EXPECT_FALSE(fired.AwaitsWatermark(kCounts));
  EXPECT_FALSE(fired.OnElement(kCounts, true, 0));
  EXPECT_EQ(fired.late.count, 1);
  EXPECT_EQ(fired.early.count, 1);  // it is kept going, as it may be needed again

  const MergingPane late = Merged(kCounts, {&fired}, true);
  EXPECT_FALSE(late.AwaitsWatermark(kCounts));
  EXPECT_EQ(late.late.count, 1);
  EXPECT_EQ(late.pending, 1);

  MergingPane waits;
  waits.OnElement(kCounts, false, 0);
  waits.OnElement(kCounts, false, 0);
  const MergingPane open = Merged(kCounts, {&fired, &waits}, false);
  EXPECT_TRUE(open.AwaitsWatermark(kCounts));
  EXPECT_EQ(open.early.count, 0);
  EXPECT_EQ(open.late.count, 0);
  EXPECT_EQ(open.pending, 3);
}

TEST(MergingPaneTest, TheEarliestDelayHolds) {
  MergingPane a;
  MergingPane b;
  a.OnElement(kDelays, false, 100);
  b.OnElement(kDelays, false, 50);
  EXPECT_EQ(a.DeadlineMicros(), 110);
  MergingPane merged = Merged(kDelays, {&a, &b}, false);
  EXPECT_EQ(merged.DeadlineMicros(), 60);
  merged.OnElement(kDelays, false, 59);
  EXPECT_EQ(merged.DeadlineMicros(), 60);
  merged.Fire(kDelays, true, true, false);
  EXPECT_EQ(merged.DeadlineMicros(), kNoDeadline);
  merged.OnElement(kDelays, true, 200);
  EXPECT_EQ(merged.DeadlineMicros(), 220);
  // The result has the window of the one that has fired: its early trigger begins with the next element.
  EXPECT_EQ(Merged(kDelays, {&merged}, false, &merged).DeadlineMicros(), kNoDeadline);
  EXPECT_EQ(Merged(kDelays, {&merged}, false).DeadlineMicros(), 210);
  EXPECT_EQ(Merged(kDelays, {&merged}, true).DeadlineMicros(), 220);
}

TEST(MergingPaneTest, OnlyTheSurvivorGoesOnWithItsPanes) {
  MergingPane pane;
  pane.OnElement(kCounts, false, 0);
  pane.Fire(kCounts, false, false, false);
  pane.OnElement(kCounts, false, 0);
  EXPECT_EQ(Merged(kCounts, {&pane}, false, &pane).index, 1);
  EXPECT_EQ(Merged(kCounts, {&pane}, false).index, 0);
}

TEST(MergingPaneTest, ItsBytesAreReadBackAndNothingElseIs) {
  MergingPane pane;
  for (int i = 0; i < 300; ++i) pane.OnElement(kDelays, i < 200, i);
  pane.Fire(kDelays, true, true, false);
  pane.OnElement(kDelays, false, 7);
  std::string bytes;
  pane.AppendTo(&bytes);
  MergingPane read;
  std::string_view in = bytes;
  ASSERT_TRUE(read.ReadFrom(&in));
  EXPECT_TRUE(in.empty());
  std::string again;
  read.AppendTo(&again);
  EXPECT_EQ(again, bytes);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    in = std::string_view(bytes).substr(0, size);
    EXPECT_FALSE(read.ReadFrom(&in)) << size;
  }
  bytes.back() = 4;
  in = bytes;
  EXPECT_FALSE(read.ReadFrom(&in));
}

}  // namespace
}  // namespace millrace::engine
