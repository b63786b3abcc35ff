// Session windows in pipelines: what aggregations follow, what else may be done in them, and what is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "../semantics/pane_script.h"
#include "millrace/testing/memory_views.h"

namespace millrace::testing {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;
using Visit = KV<std::string, std::int64_t>;

const WindowInto kOrderSessions{Sessions{seconds(10)}};

std::vector<TimestampedValue<Visit>> Visits() {
  return {{{"ann", 1}, At(1)}, {{"bob", 2}, At(2)}, {{"ann", 4}, At(9)}, {{"ann", 8}, At(30)}, {{"bob", 16}, At(11)}};
}

template <class T>
std::vector<std::string> Texts(const Collection<T>& seen) {
  std::vector<std::string> texts;
  for (const auto& element : seen.elements) {
    texts.push_back(element.value.key + " " + std::to_string(element.value.value) + " " + WindowText(element.window));
  }
  return texts;
}

class SessionPipelinesTest : public ::testing::TestWithParam<bool> {
 protected:
  PCollection<Visit> Read(const std::string& label = "Visits") {
    return pipeline_.Apply(label, Create(Visits())).Apply(label + "Windows", kOrderSessions);
  }
  void Run() {
    RunOptions options;
    options.streaming = GetParam();
    options.threads = 3;
    ASSERT_EQ(pipeline_.Run(options).status, OkStatus());
  }
  Pipeline pipeline_;
};
INSTANTIATE_TEST_SUITE_P(Modes, SessionPipelinesTest, ::testing::Values(false, true),
                         [](const auto& mode) { return mode.param ? "Streaming" : "Batch"; });

TEST_P(SessionPipelinesTest, EveryAggregationHasItsSessions) {
  auto visits = Read();
  auto sums = Collect(visits | "Sum" >> CombinePerKey(Sum{}), "Sums");
  auto means = Collect(visits | "Mean" >> CombinePerKey(Mean{}), "Means");
  auto all = Collect(visits | "Values" >> Values() | "Global" >> CombineGlobally(Sum{}).WithoutDefaults(), "All");
  auto joined = Collect(CoGroupByKey(visits, Read("More")).As("Join"), "Joined");
  Run();
  EXPECT_THAT(Texts(*sums), UnorderedElementsAre("ann 5 [1,19)", "bob 18 [2,21)", "ann 8 [30,40)"));
  EXPECT_THAT(Texts(*means),
              UnorderedElementsAre("ann 2.500000 [1,19)", "bob 9.000000 [2,21)", "ann 8.000000 [30,40)"));
  ASSERT_EQ(all->elements.size(), 2U);
  EXPECT_EQ(all->elements[0].value + all->elements[1].value, 31);
  ASSERT_EQ(joined->elements.size(), 3U);
  for (const auto& element : joined->elements) {
    auto [left, right] = element.value.value;
    std::sort(left.begin(), left.end());
    std::sort(right.begin(), right.end());
    EXPECT_EQ(left, right);
    EXPECT_EQ(left.size(), element.value.key == "ann" && element.window.start == At(30) ? 1U : 2U);
  }
}

TEST_P(SessionPipelinesTest, BeforeAnAggregationAnElementHasItsOwnWindow) {
  auto windows = Collect(Read() | "Name" >> ParDo([](const Visit& visit, BoundedWindow window, Output<Visit> out) {
                                    out.Emit({WindowText(window), visit.value});
                                  }));
  Run();
  EXPECT_THAT(Texts(*windows), UnorderedElementsAre("[1,11) 1 [1,11)", "[2,12) 2 [2,12)", "[9,19) 4 [9,19)",
                                                    "[30,40) 8 [30,40)", "[11,21) 16 [11,21)"));
}

// Beam: a second aggregation takes the windows as they are, though they overlap; WindowInto begins anew.
TEST_P(SessionPipelinesTest, ASecondAggregationMergesNoMore) {
  auto sums = Read() | "Sum" >> CombinePerKey(Sum{}) |
              "OneKey" >> Map([](const Visit& sum) { return Visit{"all", sum.value}; });
  auto again = Collect(sums | "Again" >> CombinePerKey(Sum{}), "AgainSeen");
  auto anew = Collect(sums | "Anew" >> kOrderSessions | "AnewSum" >> CombinePerKey(Sum{}), "AnewSeen");
  Run();
  EXPECT_THAT(Texts(*again), UnorderedElementsAre("all 5 [1,19)", "all 18 [2,21)", "all 8 [30,40)"));
  // The timestamps are the ends of the sessions, 18.999999, 20.999999 and 39.999999.
  EXPECT_THAT(Texts(*anew), UnorderedElementsAre("all 23 [18,30)", "all 8 [39,49)"));
}

TEST_P(SessionPipelinesTest, ASideInputIsThatOfTheEndOfTheWindow) {
  auto prices = pipeline_ |
                "Prices" >> Create(std::vector<TimestampedValue<Visit>>{{{"p", 100}, At(1)}, {{"p", 200}, At(21)}}) |
                "PriceWindows" >> WindowInto(FixedWindows{seconds(20)});
  auto priced = Collect(Read() | "Sum" >> CombinePerKey(Sum{}) |
                        "Price" >> ParDo([](const Visit& sum, SideInput<"price", Visit> price, Output<Visit> out) {
                                     out.Emit({sum.key, price->value + sum.value});
                                   }).WithSideInput("price", AsSingleton(prices)));
  Run();
  EXPECT_THAT(Texts(*priced), UnorderedElementsAre("ann 105 [1,19)", "bob 218 [2,21)", "ann 208 [30,40)"));
}

struct Remember {
  void ProcessElement(const Visit& visit, State<"seen", std::int64_t> seen, Output<Visit> out) const {
    seen.Write(visit.value);
    out.Emit(visit);
  }
};

TEST(SessionMistakesTest, WhatCannotBeInSessionsIsRefused) {
  Pipeline pipeline;
  auto visits = pipeline | "Visits" >> Create(Visits());
  auto sessions = visits | "Sessions" >> kOrderSessions;
  sessions | "Remember" >> ParDo(Remember{});
  sessions | "Sum" >> CombinePerKey(Sum{}) | "RememberSums" >> ParDo(Remember{});
  visits | "Price" >> ParDo([](const Visit&, SideInput<"sessions", std::vector<Visit>>, Output<Visit>) {
                      }).WithSideInput("sessions", AsIterable(sessions));
  visits | "NoGap" >> WindowInto(Sessions{seconds(0)}) | "NoGapSum" >> CombinePerKey(Sum{});
  visits | "Late" >> WindowInto(kOrderSessions).AllowedLateness(seconds(1)) | "LateSum" >> CombinePerKey(Sum{});
  sessions | "Total" >> Values() | "Globally" >> CombineGlobally(Sum{});
  const std::string text = pipeline.Validate(true).message();
  const std::string stateful =
      ": a DoFn with state or timers cannot run in session windows, which merge; apply WindowInto with other windows "
      "before it, or aggregate the sessions with a CombineFn";
  EXPECT_THAT(text, HasSubstr("Remember" + stateful));
  EXPECT_THAT(text, HasSubstr("RememberSums" + stateful));
  EXPECT_THAT(text,
              HasSubstr("Price: side input \"sessions\" is in session windows, and no window of the main input can "
                        "be mapped to one; apply WindowInto with other windows to it"));
  EXPECT_THAT(text, HasSubstr("NoGap: the gap of session windows must be greater than zero"));
  EXPECT_THAT(text, HasSubstr("Late: a window may fire several times here"));
  EXPECT_THAT(text, HasSubstr("Globally: CombineGlobally has a default for an empty input only in the global window"));
}

TEST(SessionDescriptionTest, WindowsAreNamedByTheirGap) {
  Pipeline pipeline;
  auto sums = pipeline | "Visits" >> Create(Visits()) | "Sessions" >> WindowInto(Sessions{seconds(1800)}) |
              "Sum" >> CombinePerKey(Sum{});
  EXPECT_EQ(sums.windowing().ToString(), "Sessions(gap 30m) merged, DefaultTrigger, discarding, allowed lateness 0s");
  EXPECT_THAT(pipeline.Describe(), HasSubstr("windows: Sessions(gap 30m), DefaultTrigger"));
}

// Early panes of windows that were merged away do not stay in a view.
TEST(SessionViewsTest, AViewHasTheMergedSessionsOnly) {
  TestStream<Visit> stream;
  auto views = std::make_shared<MemoryViews>();
  const auto rows = [views] {
    std::vector<std::string> texts;
    const auto stored = views->Rows<std::string, std::int64_t>("sums");
    EXPECT_EQ(stored.status(), OkStatus());
    for (const auto& row : *stored) {
      texts.push_back(row.key + " " + std::to_string(row.value) + " " + WindowText({row.window_start, row.window_end}));
    }
    return texts;
  };
  stream.Add({"a", 1}, At(1)).Add({"a", 2}, At(15)).Add({"b", 4}, At(3)).Then([&] {
    EXPECT_THAT(rows(), ElementsAre("a 1 [1,11)", "a 2 [15,25)", "b 4 [3,13)"));
  });
  stream.Add({"a", 8}, At(8)).Then([&] { EXPECT_THAT(rows(), ElementsAre("a 11 [1,25)", "b 4 [3,13)")); });
  stream.AdvanceWatermarkTo(At(25)).Add({"a", 16}, At(20)).Then([&] {
    EXPECT_THAT(rows(), ElementsAre("a 27 [1,30)", "b 4 [3,13)"));
  });
  Pipeline pipeline;
  pipeline | "Script" >> stream |
      "Sessions" >> WindowInto(kOrderSessions)
                        .Triggering(AfterWatermark{.early = AfterCount{1}, .late = AfterCount{1}})
                        .AllowedLateness(seconds(20))
                        .Accumulating() |
      "Sum" >> CombinePerKey(Sum{}) | View("sums");
  RunOptions options = stream.Options();
  options.views = views;
  ASSERT_EQ(pipeline.Run(options).status, OkStatus());
  EXPECT_THAT(rows(), ElementsAre("a 27 [1,30)", "b 4 [3,13)"));
}

}  // namespace
}  // namespace millrace::testing
