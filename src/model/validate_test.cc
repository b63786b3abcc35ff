// Every mistake that a graph can hold: its label and its text, and that all of them are found at once.
#include "model/validate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "millrace/millrace.h"

namespace millrace {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using namespace std::chrono_literals;

using Pair = KV<std::string, std::int64_t>;

/// An unbounded source that nothing here ever reads.
struct EndlessNumbers {
  using Element = std::int64_t;
  static constexpr bool kUnbounded = true;
  StatusOr<std::vector<Restriction>> InitialRestrictions(const SplitOptions&) const {
    return std::vector{Restriction{}};
  }
  StatusOr<ProcessContinuation> Read(RestrictionTracker&, WatermarkEstimator&, SourceOutput<Element>&) {
    return ProcessContinuation::Stop();
  }
};

class ValidateTest : public ::testing::Test {
 protected:
  PCollection<Pair> Pairs(const std::string& label = "Pairs") {
    return pipeline_ | label >> Create(std::vector<Pair>{});
  }
  PCollection<std::int64_t> Numbers(const std::string& label = "Numbers") {
    return pipeline_ | label >> Create(std::vector<std::int64_t>{});
  }
  std::vector<std::string> Mistakes(bool streaming = false) const {
    return model::FindMistakes(pipeline_.graph(), streaming);
  }
  Pipeline pipeline_;
};

// --- windows and triggers ------------------------------------------------------------------------------------------

TEST_F(ValidateTest, ATriggerThatMayLoseData) {
  Pairs() | "Hours" >> WindowInto(FixedWindows{1h}).Triggering(AfterWatermark{}).AllowedLateness(10min).Accumulating();
  EXPECT_THAT(
      Mistakes(),
      ElementsAre("Hours: the trigger may lose data: it ends with the on-time firing, so nothing would show what "
                  "comes within the allowed lateness; add .late, such as AfterWatermark{.late = AfterCount{1}}"));
}

TEST_F(ValidateTest, ATriggerThatEndsOnTimeIsSafeWithoutLateness) {
  Pairs() | "Hours" >> WindowInto(FixedWindows{1h}).Triggering(AfterWatermark{});
  EXPECT_THAT(Mistakes(), IsEmpty());
}

TEST_F(ValidateTest, MissingAccumulationMode) {
  Pairs() | "Early" >> WindowInto(FixedWindows{1h}).Triggering(AfterWatermark{.early = AfterCount{10}});
  Pairs("Late pairs") | "Late" >> WindowInto(FixedWindows{1h}).AllowedLateness(1h);
  const std::string text =
      "a window may fire several times here, so say what a later pane contains: .Accumulating() or .Discarding()";
  EXPECT_THAT(Mistakes(), ElementsAre("Early: " + text, "Late: " + text));
}

TEST_F(ValidateTest, SizesOfWindows) {
  Pairs("A") | "Negative" >> WindowInto(FixedWindows{-1h});
  Pairs("B") | "Zero" >> WindowInto(FixedWindows{0h});
  Pairs("C") | "No period" >> WindowInto(SlidingWindows{1h, 0h});
  const std::string text = "the size and period of windows must be greater than zero";
  EXPECT_THAT(Mistakes(), ElementsAre("Negative: " + text, "Zero: " + text, "No period: " + text));
}

TEST_F(ValidateTest, PeriodLongerThanSize) {
  Pairs() | "Gaps" >> WindowInto(SlidingWindows{1h, 2h});
  EXPECT_THAT(Mistakes(), ElementsAre("Gaps: sliding windows with a period longer than their size would lose the "
                                      "elements in between; filter these out before, and use FixedWindows"));
}

TEST_F(ValidateTest, NegativeLatenessAndCounts) {
  Pairs("A") | "Lateness" >> WindowInto(FixedWindows{1h}).AllowedLateness(-1s);
  Pairs("B") | "Count" >> WindowInto(FixedWindows{1h}).Triggering(AfterWatermark{.early = AfterCount{-1}});
  Pairs("C") | "Delay" >> WindowInto(FixedWindows{1h}).Triggering(AfterWatermark{.early = AfterProcessingTime{-5s}});
  EXPECT_THAT(Mistakes(), ::testing::IsSupersetOf({"Lateness: the allowed lateness is negative",
                                                   "Count: a trigger's count or delay is negative",
                                                   "Delay: a trigger's count or delay is negative"}));
}

TEST_F(ValidateTest, ATriggerThatNeverFires) {
  Pairs() | "Never" >> WindowInto(GlobalWindows{}).Triggering(Repeatedly{}).Discarding();
  EXPECT_THAT(Mistakes(), ElementsAre("Never: Repeatedly needs a count or a delay; this trigger never fires"));
}

// --- aggregations --------------------------------------------------------------------------------------------------

WindowInto EarlyHours() {
  return WindowInto(FixedWindows{1h}).Triggering(AfterWatermark{.early = AfterCount{10}, .late = AfterCount{1}});
}

TEST_F(ValidateTest, AccumulatingPanesAggregatedAgainCountTwice) {
  auto sums = Pairs() | "Hours" >> EarlyHours().Accumulating() | "Sum" >> CombinePerKey(Sum{});
  auto values = sums | "Values" >> Values();
  values | "Total" >> CombineGlobally(Sum{}).WithoutDefaults();
  sums | "Group" >> GroupByKey();
  const std::string text =
      "its input comes from an accumulating aggregation that fires several times, so elements would count twice; let "
      "the "
      "first aggregation discard, or fire only at the watermark";
  EXPECT_THAT(Mistakes(), ElementsAre("Total: " + text, "Group: " + text));
}

TEST_F(ValidateTest, DiscardingPanesMayBeAggregatedAgain) {
  auto sums = Pairs() | "Hours" >> EarlyHours().Discarding() | "Sum" >> CombinePerKey(Sum{});
  sums | "Values" >> Values() | "Total" >> CombineGlobally(Sum{}).WithoutDefaults();
  EXPECT_THAT(Mistakes(), IsEmpty());
}

struct Remember {
  void ProcessElement(const Pair& pair, State<"last", std::int64_t> last, Output<Pair> out) const {
    last.Write(pair.value);
    out.Emit(pair);
  }
};

TEST_F(ValidateTest, AccumulatingPanesIntoStateCountTwice) {
  Pairs() | "Hours" >> EarlyHours().Accumulating() | "Sum" >> CombinePerKey(Sum{}) | "Remember" >> ParDo(Remember{});
  EXPECT_THAT(Mistakes(),
              ElementsAre("Remember: its input comes from an accumulating aggregation that fires several "
                          "times, so elements would count twice; let the first aggregation discard, or fire "
                          "only at the watermark"));
}

TEST_F(ValidateTest, CombineGloballyWithDefaultsInWindows) {
  Numbers() | "Hours" >> WindowInto(FixedWindows{1h}) | "Total" >> CombineGlobally(Sum{});
  EXPECT_THAT(Mistakes(), ElementsAre("Total: CombineGlobally has a default for an empty input only in the global "
                                      "window; add .WithoutDefaults()"));
}

TEST_F(ValidateTest, UnboundedInputInTheGlobalWindow) {
  auto numbers = pipeline_ | "Endless" >> Read(EndlessNumbers{});
  numbers | "Total" >> CombineGlobally(Sum{});
  EXPECT_THAT(Mistakes(true),
              ElementsAre("Total: an aggregation of unbounded input in the global window would never fire; "
                          "apply WindowInto, or a trigger such as Repeatedly{AfterCount{1000}}"));
}

TEST_F(ValidateTest, UnboundedInputInTheGlobalWindowWithATrigger) {
  auto numbers = pipeline_ | "Endless" >> Read(EndlessNumbers{});
  numbers | "Often" >> WindowInto(GlobalWindows{}).Triggering(Repeatedly{AfterCount{1000}}).Discarding() |
      "Total" >> CombineGlobally(Sum{}).WithoutDefaults();
  EXPECT_THAT(Mistakes(true), IsEmpty());
}

TEST_F(ValidateTest, UnboundedInputInBatchMode) {
  pipeline_ | "Endless" >> Read(EndlessNumbers{});
  EXPECT_THAT(Mistakes(false), ElementsAre("Endless: its input has no end, and batch mode waits for the end of input; "
                                           "run in streaming mode, or give it an end"));
  EXPECT_THAT(Mistakes(true), IsEmpty());
}

struct Measurement {
  double celsius = 0;
  std::int64_t id = 0;
};

TEST_F(ValidateTest, FloatingPointKeys) {
  auto all = pipeline_ | "In" >> Create(std::vector<Measurement>{});
  all | "ByTemperature" >> WithKeys(&Measurement::celsius) | "Count" >> CombinePerKey(Count{});
  all | "Dedupe" >> Deduplicate(&Measurement::celsius).Within(1h);
  EXPECT_THAT(Mistakes(),
              ElementsAre(::testing::StartsWith("Dedupe: ids must be equal exactly when their encodings are, and these "
                                                "are not: "),
                          ::testing::StartsWith("Count: keys must be equal exactly when their encodings are, and this "
                                                "one's are not: ")));
}

TEST_F(ValidateTest, DeduplicateWithoutWithin) {
  Numbers() | "Dedupe" >> Deduplicate([](const std::int64_t& n) { return n; });
  EXPECT_THAT(Mistakes(), ElementsAre("Dedupe: Deduplicate has no horizon; say for how long of event time an id is "
                                      "remembered, such as .Within(24h)"));
}

TEST_F(ValidateTest, AHorizonShorterThanTheAllowedLateness) {
  Numbers() | "Dedupe" >> Deduplicate([](const std::int64_t& n) { return n; }).Within(1h) |
      "Keep" >> Filter([](const std::int64_t& n) { return n > 0; }) |
      "Hours" >> WindowInto(FixedWindows{1h}).AllowedLateness(2h).Accumulating();
  EXPECT_THAT(Mistakes(),
              ElementsAre("Hours: the allowed lateness (2h) is longer than \"Dedupe\" remembers an id (1h), "
                          "so a late duplicate would count again; lengthen .Within(...)"));
}

// --- views ---------------------------------------------------------------------------------------------------------

TEST_F(ValidateTest, AViewOfDiscardingPanes) {
  Pairs() | "Hours" >> EarlyHours().Discarding() | "Sum" >> CombinePerKey(Sum{}) | View("sums");
  EXPECT_THAT(Mistakes(),
              ElementsAre("View(sums): a view keeps the newest pane of each cell, so panes must contain what "
                          "earlier ones did; use .Accumulating()"));
}

TEST_F(ValidateTest, TwoViewsOfOneName) {
  auto sums = Pairs() | "Sum" >> CombinePerKey(Sum{});
  sums | "First" >> View("sums");
  sums | "Second" >> View("sums");
  EXPECT_THAT(Mistakes(), ElementsAre("Second: there are two views named \"sums\""));
}

// --- labels --------------------------------------------------------------------------------------------------------

struct Totals {
  PCollection<Pair> Expand(const PCollection<Pair>& in) const { return in | "Sum" >> CombinePerKey(Sum{}); }
};

TEST_F(ValidateTest, StateWithoutALabelWhenStreaming) {
  const std::string text =
      "state is found again by its label, so a transform with state needs one in streaming mode: "
      "write \"Name\" >> before it, and before the composites around it";
  Pairs() | CombinePerKey(Sum{});
  Pairs("More") | Totals{};
  Pairs("Most") | Named("Named totals", Totals{});
  EXPECT_THAT(Mistakes(true), ElementsAre("CombinePerKey: " + text, "Totals/Sum: " + text));
}

TEST_F(ValidateTest, StateNeedsNoLabelInBatch) {
  Pairs() | CombinePerKey(Sum{});
  Pairs("More") | Totals{};
  EXPECT_THAT(Mistakes(false), IsEmpty());
}

TEST_F(ValidateTest, LabelsUsedTwice) {
  auto pairs = Pairs();
  pairs | "Sum" >> CombinePerKey(Sum{});
  pairs | "Sum" >> CombinePerKey(Max{});
  EXPECT_THAT(Mistakes(), ElementsAre("Sum: this label is used twice; state is found by its label, so give each "
                                      "transform one of its own"));
}

TEST_F(ValidateTest, ALabelThatLooksLikeAnothersPath) {
  auto pairs = Pairs();
  pairs | Named("Totals", Totals{});
  pairs | "Totals/Sum" >> CombinePerKey(Sum{});
  EXPECT_THAT(Mistakes(),
              ElementsAre("Totals/Sum: two transforms have this label; state is found by it, so rename one"));
}

TEST_F(ValidateTest, AnEmptyLabel) {
  Pairs() | "" >> CombinePerKey(Sum{});
  EXPECT_THAT(Mistakes(), ElementsAre("(no label): a label is empty; give the transform a name"));
}

// --- side inputs ---------------------------------------------------------------------------------------------------

struct Lookup {
  using Names = std::map<std::string, std::int64_t>;
  void ProcessElement(const std::int64_t& n, SideInput<"names", Names>, Output<std::int64_t> out) const { out.Emit(n); }
};

TEST_F(ValidateTest, ASideInputThatIsNotBound) {
  Numbers() | "Look" >> ParDo(Lookup{});
  EXPECT_THAT(Mistakes(), ElementsAre("Look: side input \"names\" is not bound; add .WithSideInput(\"names\", "
                                      "AsMap(...)), AsSingleton or AsIterable"));
}

TEST_F(ValidateTest, ASideInputOfAnotherName) {
  Numbers() | "Look" >> ParDo(Lookup{}).WithSideInput("name", AsMap(Pairs()));
  EXPECT_THAT(Mistakes(), ElementsAre("Look: side input \"names\" is not bound; add .WithSideInput(\"names\", "
                                      "AsMap(...)), AsSingleton or AsIterable",
                                      "Look: its DoFn has no side input \"name\""));
}

TEST_F(ValidateTest, ASideInputOfAnotherType) {
  auto more = Numbers("More");
  Numbers() | "Look" >> ParDo(Lookup{}).WithSideInput("names", AsSingleton(more));
  ASSERT_EQ(Mistakes().size(), 1U);
  EXPECT_THAT(Mistakes()[0], ::testing::StartsWith("Look: side input \"names\" is declared as std::map<"));
  EXPECT_THAT(Mistakes()[0], ::testing::EndsWith(" but bound to long"));
}

TEST_F(ValidateTest, ASideInputBoundTwice) {
  auto pairs = Pairs();
  Numbers() | "Look" >> ParDo(Lookup{}).WithSideInput("names", AsMap(pairs)).WithSideInput("names", AsMap(pairs));
  EXPECT_THAT(Mistakes(), ElementsAre("Look: side input \"names\" is bound twice"));
}

TEST_F(ValidateTest, ASideInputThatIsNeverComplete) {
  auto pairs = pipeline_ | "Endless" >> Read(EndlessNumbers{}) |
               "Pair" >> Map([](const std::int64_t& n) { return Pair{std::to_string(n), n}; });
  Numbers() | "Look" >> ParDo(Lookup{}).WithSideInput("names", AsMap(pairs));
  EXPECT_THAT(Mistakes(true),
              ElementsAre("Look: side input \"names\" is unbounded and in the global window, so it would "
                          "never be ready and every element would wait; apply WindowInto to it, with other windows or "
                          "with a trigger that fires before the end, such as Repeatedly{AfterCount{1}}"));
}

// --- several pipelines, several inputs -----------------------------------------------------------------------------

TEST_F(ValidateTest, PCollectionsOfAnotherPipeline) {
  Pipeline other;
  auto foreign = other | "Foreign" >> Create(std::vector<Pair>{});
  Flatten(Pairs(), foreign).As("All");
  Numbers() | "Look" >> ParDo(Lookup{}).WithSideInput("names", AsMap(foreign));
  EXPECT_THAT(Mistakes(), ElementsAre("All: an input of Flatten belongs to another pipeline; build both in one",
                                      "Look: side input \"names\" belongs to another pipeline; build both in one"));
}

TEST_F(ValidateTest, FlattenOfDifferentWindows) {
  auto hours = Pairs() | "Hours" >> WindowInto(FixedWindows{1h});
  Flatten(Pairs("More"), hours).As("All");
  EXPECT_THAT(
      Mistakes(),
      ElementsAre("All: the inputs of Flatten are windowed differently, GlobalWindows, DefaultTrigger, discarding, "
                  "allowed lateness 0s and FixedWindows(1h), DefaultTrigger, discarding, allowed lateness 0s; "
                  "apply the same WindowInto to each first"));
}

TEST_F(ValidateTest, FlattenOfNothing) {
  EXPECT_THROW(Flatten(std::vector<PCollection<Pair>>{}), std::invalid_argument);
}

TEST_F(ValidateTest, NegativeDisorder) {
  pipeline_ | "Endless" >> Read(EndlessNumbers{}).MaxDisorder(-1s);
  EXPECT_THAT(Mistakes(true), ElementsAre("Endless: the greatest disorder is negative"));
}

// --- errors --------------------------------------------------------------------------------------------------------

void Copy(const std::int64_t& n, Output<std::int64_t> out) { out.Emit(n); }

TEST_F(ValidateTest, AnOutputOfFailedElementsThatNobodyUses) {
  auto [good, failed] = Numbers() | "Copy" >> ParDo<Copy>().OnError();
  EXPECT_THAT(Mistakes(),
              ElementsAre("Copy: its output of failed elements is not used, so they would be lost silently; "
                          "apply DeadLetters to it, or leave .OnError() out"));
  failed | DeadLetters("numbers");
  EXPECT_THAT(Mistakes(), IsEmpty());
}

TEST_F(ValidateTest, AllMistakesAreFoundAtOnce) {
  auto pairs = Pairs();
  pairs | "Gaps" >> WindowInto(SlidingWindows{1h, 2h});
  pairs | "Sum" >> CombinePerKey(Sum{});
  pairs | "Sum" >> CombinePerKey(Max{});
  Numbers() | "Look" >> ParDo(Lookup{});
  const Status status = pipeline_.Validate(false);
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(),
            "the pipeline has 3 mistakes:\n"
            "  Sum: this label is used twice; state is found by its label, so give each transform one of its own\n"
            "  Look: side input \"names\" is not bound; add .WithSideInput(\"names\", AsMap(...)), AsSingleton or "
            "AsIterable\n"
            "  Gaps: sliding windows with a period longer than their size would lose the elements in between; filter "
            "these out before, and use FixedWindows");
}

TEST_F(ValidateTest, OneMistake) {
  Pairs() | "Gaps" >> WindowInto(SlidingWindows{1h, 2h});
  EXPECT_THAT(pipeline_.Validate(true).message(),
              ::testing::StartsWith("the pipeline has a mistake:\n  Gaps: sliding"));
}

}  // namespace
}  // namespace millrace
