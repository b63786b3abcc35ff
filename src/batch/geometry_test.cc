#include "batch/geometry.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "millrace/millrace.h"

namespace millrace::batch {
namespace {

using namespace std::chrono_literals;
using Pair = KV<std::string, std::int64_t>;

Timestamp Time(const char* text) { return *Timestamp::Parse(text); }

PCollection<Pair> Pairs(Pipeline& pipeline) { return pipeline | "Pairs" >> Create<Pair>({{"a", 1}}); }

auto Windows(WindowFn fn) { return WindowInto(fn).Accumulating(); }

ViewGeometry GeometryOfV(const Pipeline& pipeline) { return *GeometryOf(pipeline, "v"); }

TEST(GeometryTest, FixedWindowsReachBackByTheirSize) {
  Pipeline pipeline;
  Pairs(pipeline) | "Hours" >> Windows(FixedWindows{1h}) | "Sum" >> CombinePerKey(Sum{}) | View("v");
  const ViewGeometry geometry = GeometryOfV(pipeline);
  EXPECT_TRUE(geometry.refusals.empty());
  EXPECT_EQ(geometry.Lookback(), Duration(1h));
  const Timestamp last = Time("2001-01-05T14:00:00Z") - Duration(1);
  EXPECT_EQ(geometry.LastTimestampsOf(Time("2001-01-05T13:59:00Z")), (TimeRange{.from = last, .to = last}));
}

TEST(GeometryTest, SlidingWindowsReachOverTheBoundary) {
  Pipeline pipeline;
  Pairs(pipeline) | "SixHours" >> Windows(SlidingWindows{6h, 1h}) | "Sum" >> CombinePerKey(Sum{}) | View("v");
  const ViewGeometry geometry = GeometryOfV(pipeline);
  EXPECT_EQ(geometry.Lookback(), Duration(6h));
  // The windows of 23:30 end from midnight to 05:00.
  EXPECT_EQ(geometry.LastTimestampsOf(Time("2001-01-05T23:30:00Z")),
            (TimeRange{.from = Time("2001-01-06") - Duration(1), .to = Time("2001-01-06T05:00:00Z") - Duration(1)}));
}

TEST(GeometryTest, WindowsOfWindowsAddUp) {
  Pipeline pipeline;
  Pairs(pipeline) | "Hours" >> WindowInto(FixedWindows{1h}) | "Sum" >> CombinePerKey(Sum{}) |
      "Days" >> Windows(FixedWindows{24h}) | "Most" >> CombinePerKey(Max{}) | View("v");
  const ViewGeometry geometry = GeometryOfV(pipeline);
  EXPECT_EQ(geometry.Lookback(), Duration(25h));
  const Timestamp last = Time("2001-01-06") - Duration(1);
  EXPECT_EQ(geometry.LastTimestampsOf(Time("2001-01-05T13:59:00Z")), (TimeRange{.from = last, .to = last}));
}

TEST(GeometryTest, EveryRecordIsInWindowsWithinItsBounds) {
  Pipeline pipeline;
  const WindowFn odd = SlidingWindows{.size = 50min, .period = 7min, .offset = 3min};
  Pairs(pipeline) | "Odd" >> Windows(odd) | "Sum" >> CombinePerKey(Sum{}) | View("v");
  const ViewGeometry geometry = GeometryOfV(pipeline);
  for (std::int64_t minute = -200; minute < 200; ++minute) {
    const Timestamp time = Timestamp::FromSeconds(minute * 60 + 17);
    // The obvious way: all windows that there are.
    TimeRange obvious{.from = Timestamp::Max(), .to = Timestamp::Min()};
    for (std::int64_t start = -1000 * 7 + 3; start < 1000; start += 7) {
      const BoundedWindow window{Timestamp::FromSeconds(start * 60), Timestamp::FromSeconds((start + 50) * 60)};
      if (time < window.start || time >= window.end) continue;
      obvious.from = std::min(obvious.from, window.max_timestamp());
      obvious.to = std::max(obvious.to, window.max_timestamp());
    }
    EXPECT_EQ(geometry.LastTimestampsOf(time), obvious) << time;
    EXPECT_LE(obvious.to - time, geometry.Lookback());
  }
}

TEST(GeometryTest, WhatHasNoPartitionsSaysWhichStepIsWhy) {
  struct Counter {
    void ProcessElement(const Pair& pair, State<"seen", std::int64_t> seen, Output<Pair> out) const {
      seen.Write(seen.Read() + 1);
      out.Emit(pair);
    }
  };
  Pipeline pipeline;
  const auto pairs = Pairs(pipeline);
  pairs | "All" >> Windows(GlobalWindows{}) | "Total" >> CombinePerKey(Sum{}) | View("total");
  pairs | "Busy" >> Windows(Sessions{10min}) | "Session" >> CombinePerKey(Sum{}) | View("sessions");
  pairs | "Seen" >> ParDo(Counter{}) | "Hours" >> Windows(FixedWindows{1h}) | "Sum" >> CombinePerKey(Sum{}) |
      View("stateful");
  pairs | "Moved" >> WithTimestamps([](const Pair&) { return Timestamp(); }) | "H" >> Windows(FixedWindows{1h}) |
      "S" >> CombinePerKey(Sum{}) | View("moved");
  pairs | "Raw" >> Map([](const Pair& pair) { return pair; }) | View("raw");
  const auto why = [&](const char* view) {
    const ViewGeometry geometry = *GeometryOf(pipeline, view);
    return geometry.refusals.empty() ? "" : geometry.refusals[0];
  };
  EXPECT_EQ(why("total"), "step Total aggregates over all of time");
  EXPECT_EQ(why("sessions"), "step Session makes sessions, which may be of any length");
  EXPECT_EQ(why("stateful"), "step Seen keeps state of its own, which may depend on all that came before");
  EXPECT_EQ(why("moved"), "step Moved gives elements other times than those of their records, which partitions go by");
  EXPECT_EQ(why("raw"), "its cells are in the global window");
  EXPECT_EQ(GeometryOf(pipeline, "none").status().code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace millrace::batch
