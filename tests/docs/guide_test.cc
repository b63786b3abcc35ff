// The snippets of docs/guide/{pipelines,dofn,windowing}.md, compiled and run; snippets_test.py compares the texts.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <charconv>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "millrace/millrace.h"
#include "millrace/testing/collect.h"

namespace millrace {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;
using namespace std::chrono_literals;
using testing::Collect;

// region composite
struct Sale {
  std::string shop;
  std::int64_t cents = 0;
  Timestamp at;
};

struct Revenue {
  std::int64_t least_cents = 0;
  auto Expand(const PCollection<Sale>& sales) const {
    return sales | "Large" >> Filter([least = least_cents](const Sale& sale) { return sale.cents >= least; }) |
           "ByShop" >> Map([](const Sale& sale) { return KV<std::string, std::int64_t>{sale.shop, sale.cents}; }) |
           "Sum" >> CombinePerKey(Sum{});
  }
};
// end composite

std::vector<Sale> Sales() {
  const Timestamp noon = Timestamp::FromSeconds(12 * 3600);
  return {{"north", 100, noon}, {"south", 250, noon + 1min}, {"north", 300, noon + 61min}, {"north", 1, noon + 2min}};
}

TEST(PipelinesGuideTest, Spellings) {
  Pipeline pipeline;
  auto sales = pipeline | "Sales" >> Create(Sales());
  // region spellings
  auto north = sales | "North" >> Filter([](const Sale& sale) { return sale.shop == "north"; });
  auto same = sales.Apply("North again", Filter([](const Sale& sale) { return sale.shop == "north"; }));
  auto all = sales | Revenue{};                               // labelled "Revenue"
  auto large = sales | Named("Large revenue", Revenue{200});  // labelled "Large revenue"
  auto larger = sales.Apply("Larger revenue", Revenue{300});  // its parts: "Larger revenue/Sum" and so on
  // end spellings
  auto seen = Collect(large);
  Collect(north, "A");
  Collect(same, "B");
  Collect(all, "C");
  Collect(larger, "D");
  // region run
  RunOptions options;
  options.threads = 2;
  const PipelineResult result = pipeline.Run(options);
  if (!result.ok()) FAIL() << result.status.ToString();
  // end run
  EXPECT_THAT(seen->values(), UnorderedElementsAre(KV<std::string, std::int64_t>{"north", 300},
                                                   KV<std::string, std::int64_t>{"south", 250}));
}

// region outputs
struct Reject {
  std::string line;
  std::string why;
};

void ParseNumber(const std::string& line, Output<std::int64_t> numbers, Output<Reject> rejects) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), number);
  if (error == std::errc() && end == line.data() + line.size()) {
    numbers.Emit(number);
  } else {
    rejects.Emit(Reject{line, "no whole number"});
  }
}
// end outputs

TEST(DoFnGuideTest, Outputs) {
  Pipeline pipeline;
  auto lines = pipeline | "Lines" >> Create<std::string>({"1", "two", "3"});
  // region apply_outputs
  auto [numbers, rejects] = lines | "Parse" >> ParDo<ParseNumber>();
  rejects | DeadLetters("numbers");
  // end apply_outputs
  auto seen = Collect(numbers);
  ASSERT_EQ(pipeline.Run().status, OkStatus());
  EXPECT_THAT(seen->values(), UnorderedElementsAre(1, 3));
}

// region side_input
struct Price {
  using Rates = std::map<std::string, double>;
  void ProcessElement(const KV<std::string, double>& amount, SideInput<"rates", Rates> rates,
                      Output<double> euros) const {
    euros.Emit(amount.value * rates->at(amount.key));
  }
};
// end side_input

TEST(DoFnGuideTest, SideInputAndOnError) {
  Pipeline pipeline;
  auto rates = pipeline | "Rates" >> Create<KV<std::string, double>>({{"usd", 0.5}});
  auto amounts = pipeline | "Amounts" >> Create<KV<std::string, double>>({{"usd", 4}, {"xyz", 1}});
  // region on_error
  auto [euros, failed] = amounts | "Price" >> ParDo(Price{}).WithSideInput("rates", AsMap(rates)).OnError();
  failed | DeadLetters("prices");  // FailedElement: the element and what was thrown
  // end on_error
  auto seen = Collect(euros);
  auto bad = Collect(failed, "Failed");
  ASSERT_EQ(pipeline.Run().status, OkStatus());
  EXPECT_THAT(seen->values(), ElementsAre(2.0));
  ASSERT_EQ(bad->elements.size(), 1U);
  EXPECT_EQ(bad->elements[0].value.element.key, "xyz");
}

// region state
struct Bursts {
  using Self = Bursts;
  Duration gap = 10min;  // fields travel to the workers

  void OnGap(const std::string& user, CombiningState<"clicks", CountFn<bool>> clicks,
             Output<KV<std::string, std::int64_t>> bursts) const {
    bursts.Emit({user, clicks.Read()});
    clicks.Clear();
  }
  void ProcessElement(const KV<std::string, bool>&, Timestamp at, CombiningState<"clicks", CountFn<bool>> clicks,
                      Timer<"gap", &Self::OnGap> timer, Output<KV<std::string, std::int64_t>>) const {
    clicks.Add(true);
    timer.Set(at + gap);
  }
};
// end state

TEST(DoFnGuideTest, State) {
  Pipeline pipeline;
  const Timestamp noon = Timestamp::FromSeconds(12 * 3600);
  auto clicks = pipeline | "Clicks" >> Create(std::vector<TimestampedValue<KV<std::string, bool>>>{
                                           {{"ann", true}, noon}, {{"ann", true}, noon + 1min}});
  auto seen = Collect(clicks | "Bursts" >> ParDo(Bursts{}));
  ASSERT_EQ(pipeline.Run().status, OkStatus());
  EXPECT_THAT(seen->values(), ElementsAre(KV<std::string, std::int64_t>{"ann", 2}));
}

// region processing_timer
struct Gather {
  using Self = Gather;
  Duration longest = 5s;

  void OnFlush(const std::string& user, State<"clicks", std::int64_t> clicks,
               Output<KV<std::string, std::int64_t>> gathered) const {
    gathered.Emit({user, clicks.Read()});
    clicks.Clear();
  }
  void ProcessElement(const KV<std::string, bool>&, State<"clicks", std::int64_t> clicks,
                      Timer<"flush", &Self::OnFlush, TimeDomain::kProcessingTime> flush,
                      Output<KV<std::string, std::int64_t>>) const {
    if (clicks.IsEmpty()) flush.SetRelative(longest);
    clicks.Write(clicks.Read() + 1);
  }
};
// end processing_timer

TEST(DoFnGuideTest, ProcessingTimer) {
  Pipeline pipeline;
  auto clicks = pipeline | "Clicks" >> Create<KV<std::string, bool>>({{"ann", true}, {"ann", true}});
  auto seen = Collect(clicks | "Gather" >> ParDo(Gather{}));
  ASSERT_EQ(pipeline.Run().status, OkStatus());
  EXPECT_THAT(seen->values(), ElementsAre(KV<std::string, std::int64_t>{"ann", 2}));
}

TEST(DoFnGuideTest, SlowSideInput) {
  Pipeline pipeline;
  auto quotes = pipeline | "Quotes" >> Create<KV<std::string, double>>({{"usd", 0.4}, {"usd", 0.5}});
  auto amounts = pipeline | "Amounts" >> Create<KV<std::string, double>>({{"usd", 4}});
  // region slow_side_input
  auto rates = quotes | "Newest" >> WindowInto(GlobalWindows{}).Triggering(Repeatedly{AfterCount{1}}).Accumulating() |
               "Rate" >> CombinePerKey(Max{});
  auto euros = amounts | "Price" >> ParDo(Price{}).WithSideInput("rates", AsMap(rates));
  // end slow_side_input
  auto seen = Collect(euros);
  EXPECT_EQ(pipeline.Validate(true), OkStatus());
  ASSERT_EQ(pipeline.Run().status, OkStatus());
  EXPECT_THAT(seen->values(), ElementsAre(2.0));
}

TEST(WindowingGuideTest, Sessions) {
  Pipeline pipeline;
  auto sales = pipeline | "Sales" >> Create(Sales()) | "Times" >> WithTimestamps(&Sale::at);
  // region sessions
  auto bursts = sales | "Sessions" >> WindowInto(Sessions{30min}) | "ByShop" >> WithKeys(&Sale::shop) |
                "Count" >> CombinePerKey(Count{});
  // end sessions
  auto seen = Collect(bursts);
  ASSERT_EQ(pipeline.Run().status, OkStatus());
  EXPECT_EQ(seen->elements.size(), 3U);
}

TEST(WindowingGuideTest, Windows) {
  Pipeline pipeline;
  auto sales = pipeline | "Sales" >> Create(Sales());
  // region windows
  auto hourly =
      sales | "Times" >> WithTimestamps(&Sale::at) | "Hours" >> WindowInto(FixedWindows{1h}) |
      "Revenue" >> Map([](const Sale& sale) { return KV<std::string, std::int64_t>{sale.shop, sale.cents}; }) |
      "Sum" >> CombinePerKey(Sum{});
  // end windows
  auto seen = Collect(hourly);
  ASSERT_EQ(pipeline.Run().status, OkStatus());
  EXPECT_THAT(seen->values(), UnorderedElementsAre(KV<std::string, std::int64_t>{"north", 101},
                                                   KV<std::string, std::int64_t>{"south", 250},
                                                   KV<std::string, std::int64_t>{"north", 300}));
}

TEST(WindowingGuideTest, Triggers) {
  Pipeline pipeline;
  auto sales = pipeline | "Sales" >> Create(Sales()) | "Times" >> WithTimestamps(&Sale::at);
  // region triggers
  auto windowed =
      sales | "Minutes" >> WindowInto(SlidingWindows{10min, 1min})
                               .Triggering(AfterWatermark{.early = AfterProcessingTime{5s}, .late = AfterCount{1}})
                               .AllowedLateness(1h)
                               .Accumulating();
  // end triggers
  // region repeatedly
  auto running = sales | "Running" >> WindowInto(GlobalWindows{}).Triggering(Repeatedly{AfterCount{1000}}).Discarding();
  // end repeatedly
  EXPECT_EQ(pipeline.Validate(true), OkStatus());
  EXPECT_EQ(windowed.windowing().accumulation_mode, AccumulationMode::kAccumulating);
  EXPECT_FALSE(running.windowing().trigger.on_time);
  ASSERT_EQ(pipeline.Run().status, OkStatus());
}

TEST(WindowingGuideTest, Deduplicate) {
  Pipeline pipeline;
  auto sales = pipeline | "Sales" >> Create(Sales());
  // region deduplicate
  auto once = sales | "Dedupe" >> Deduplicate(&Sale::shop).Within(24h) |
              "Hours" >> WindowInto(FixedWindows{1h}).AllowedLateness(1h).Accumulating();
  // end deduplicate
  auto seen = Collect(once);
  ASSERT_EQ(pipeline.Run().status, OkStatus());
  EXPECT_EQ(seen->elements.size(), 2U);
}

}  // namespace
}  // namespace millrace
