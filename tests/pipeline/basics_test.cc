// The SDK's transforms on the native runner, in both modes and with several workers, against what they must give.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "millrace/millrace.h"
#include "millrace/testing/collect.h"

namespace millrace {
namespace {

using testing::Collect;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

struct Mode {
  bool streaming;
  int threads;
};

class BasicsTest : public ::testing::TestWithParam<Mode> {
 protected:
  RunOptions Options() const {
    RunOptions options;
    options.streaming = GetParam().streaming;
    options.threads = GetParam().threads;
    return options;
  }
  void RunOk() {
    const PipelineResult result = pipeline_.Run(Options());
    ASSERT_EQ(result.status, OkStatus());
  }
  Pipeline pipeline_;
};

INSTANTIATE_TEST_SUITE_P(Modes, BasicsTest,
                         ::testing::Values(Mode{false, 1}, Mode{true, 1}, Mode{false, 2}, Mode{true, 3}),
                         [](const auto& mode) {
                           return std::string(mode.param.streaming ? "Streaming" : "Batch") +
                                  std::to_string(mode.param.threads);
                         });

std::vector<std::string> Words(const std::string& line) {
  std::vector<std::string> words;
  std::size_t at = 0;
  while (at < line.size()) {
    const std::size_t end = std::min(line.find(' ', at), line.size());
    if (end > at) words.push_back(line.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

TEST_P(BasicsTest, CountsWords) {
  auto counts = pipeline_ | "Lines" >> Create(std::vector<std::string>{"to be or", "not to be", "be"}) |
                "Words" >> FlatMap(Words) | "Count" >> Count::PerElement();
  auto seen = Collect(counts);
  RunOk();
  std::map<std::string, std::int64_t> result;
  for (const auto& kv : seen->values()) result[kv.key] = kv.value;
  EXPECT_THAT(result, ElementsAre(Pair("be", 3), Pair("not", 1), Pair("or", 1), Pair("to", 2)));
}

void SplitByParity(const std::int64_t& n, Output<std::int64_t> even, Output<std::string> odd) {
  if (n % 2 == 0) {
    even.Emit(n);
  } else {
    odd.Emit("odd " + std::to_string(n));
  }
}

TEST_P(BasicsTest, AParDoHasSeveralOutputs) {
  auto [even, odd] =
      pipeline_ | "Numbers" >> Create(std::vector<std::int64_t>{1, 2, 3, 4}) | "Split" >> ParDo<SplitByParity>();
  auto evens = Collect(even, "Evens");
  auto odds = Collect(odd, "Odds");
  RunOk();
  EXPECT_THAT(evens->values(), UnorderedElementsAre(2, 4));
  EXPECT_THAT(odds->values(), UnorderedElementsAre("odd 1", "odd 3"));
}

struct Sale {
  std::string shop;
  std::int64_t amount = 0;
};

TEST_P(BasicsTest, CombinesPerKeyAndGlobally) {
  auto sales = pipeline_ | "Sales" >> Create(std::vector<Sale>{{"a", 3}, {"b", 4}, {"a", 5}});
  auto amounts =
      sales | "Amounts" >> Map([](const Sale& sale) { return KV<std::string, std::int64_t>{sale.shop, sale.amount}; });
  auto sums = Collect(amounts | "Sum" >> CombinePerKey(Sum{}), "Sums");
  auto maxima = Collect(amounts | "Max" >> CombinePerKey(Max{}), "Maxima");
  auto mean = Collect(amounts | "Values" >> Values() | "Mean" >> CombineGlobally(Mean{}), "Means");
  auto top = Collect(amounts | "Values2" >> Values() | "Top" >> CombineGlobally(Top<>{.n = 2}), "Tops");
  RunOk();
  EXPECT_THAT(sums->values(),
              UnorderedElementsAre(KV<std::string, std::int64_t>{"a", 8}, KV<std::string, std::int64_t>{"b", 4}));
  EXPECT_THAT(maxima->values(),
              UnorderedElementsAre(KV<std::string, std::int64_t>{"a", 5}, KV<std::string, std::int64_t>{"b", 4}));
  EXPECT_THAT(mean->values(), ElementsAre(4.0));
  EXPECT_THAT(top->values(), ElementsAre(ElementsAre(5, 4)));
}

TEST_P(BasicsTest, AnEmptyInputGivesTheDefaultOnce) {
  auto none = pipeline_ | "None" >> Create(std::vector<std::int64_t>{});
  auto count = Collect(none | "Count" >> CombineGlobally(Count{}), "Counts");
  auto without = Collect(none | "Sum" >> CombineGlobally(Sum{}).WithoutDefaults(), "Sums");
  RunOk();
  EXPECT_THAT(count->values(), ElementsAre(0));
  EXPECT_THAT(without->values(), ElementsAre());
}

TEST_P(BasicsTest, GroupsAndJoins) {
  auto people = pipeline_ | "People" >> Create(std::vector<KV<std::int64_t, std::string>>{{1, "ann"}, {2, "bob"}});
  auto orders = pipeline_ | "Orders" >> Create(std::vector<KV<std::int64_t, std::int64_t>>{{1, 10}, {1, 11}, {3, 12}});
  auto joined = Collect(CoGroupByKey(people, orders).As("Join"));
  auto grouped = Collect(orders | "Group" >> GroupByKey(), "Groups");
  RunOk();
  std::map<std::int64_t, std::string> rows;
  for (const auto& kv : joined->values()) {
    auto [names, amounts] = kv.value;
    std::sort(amounts.begin(), amounts.end());
    std::string text;
    for (const auto& name : names) text += name;
    for (const auto amount : amounts) text += " " + std::to_string(amount);
    rows[kv.key] = text;
  }
  EXPECT_THAT(rows, ElementsAre(Pair(1, "ann 10 11"), Pair(2, "bob"), Pair(3, " 12")));
  EXPECT_EQ(grouped->elements.size(), 2U);
}

std::vector<TimestampedValue<std::int64_t>> Seconds(std::int64_t count) {
  std::vector<TimestampedValue<std::int64_t>> elements;
  for (std::int64_t i = 0; i < count; ++i) elements.push_back({i, Timestamp::FromSeconds(i)});
  return elements;
}

TEST_P(BasicsTest, FixedWindows) {
  auto sums = pipeline_ | "Numbers" >> Create(Seconds(10)) |
              "Window" >> WindowInto(FixedWindows{std::chrono::seconds(4)}) |
              "Sum" >> CombineGlobally(Sum{}).WithoutDefaults();
  auto seen = Collect(sums);
  RunOk();
  std::map<std::int64_t, std::int64_t> by_end;
  for (const auto& element : seen->elements) {
    by_end[element.window.end.micros() / 1'000'000] = element.value;
    EXPECT_EQ(element.timestamp, element.window.max_timestamp());
    EXPECT_TRUE(element.pane.is_last);
  }
  EXPECT_THAT(by_end, ElementsAre(Pair(4, 6), Pair(8, 22), Pair(12, 17)));
}

TEST_P(BasicsTest, SlidingWindowsEqualTheLoop) {
  const auto size = std::chrono::seconds(6);
  const auto period = std::chrono::seconds(4);
  auto keyed =
      pipeline_ | "Numbers" >> Create(Seconds(50)) | "Keys" >> WithKeys([](const std::int64_t& n) { return n % 3; });
  auto sums = keyed | "Window" >> WindowInto(SlidingWindows{size, period}) | "Sum" >> CombinePerKey(Sum{});
  auto again = sums | "Rekey" >> Map([](const KV<std::int64_t, std::int64_t>& kv) { return kv.value; }) |
               "Total" >> CombineGlobally(Sum{}).WithoutDefaults();
  auto seen = Collect(sums, "Sums");
  auto totals = Collect(again, "Totals");
  RunOk();
  std::map<std::pair<std::int64_t, std::int64_t>, std::int64_t> expected;  // (window start, key)
  std::map<std::int64_t, std::int64_t> expected_totals;
  for (std::int64_t start = -4; start < 50; start += 4) {
    for (std::int64_t n = std::max<std::int64_t>(0, start); n < std::min<std::int64_t>(50, start + 6); ++n) {
      expected[{start, n % 3}] += n;
      expected_totals[start] += n;
    }
  }
  std::map<std::pair<std::int64_t, std::int64_t>, std::int64_t> got;
  for (const auto& element : seen->elements)
    got[{element.window.start.micros() / 1'000'000, element.value.key}] = element.value.value;
  std::map<std::int64_t, std::int64_t> got_totals;
  for (const auto& element : totals->elements) got_totals[element.window.start.micros() / 1'000'000] = element.value;
  EXPECT_EQ(got, expected);
  EXPECT_EQ(got_totals, expected_totals);
}

struct Rate {
  void ProcessElement(const std::string& currency, SideInput<"rates", std::map<std::string, double>> rates,
                      Output<double> out) const {
    const auto found = rates->find(currency);
    out.Emit(found == rates->end() ? -1.0 : found->second);
  }
};

TEST_P(BasicsTest, SideInputAsMap) {
  auto rates = pipeline_ | "Rates" >> Create(std::vector<KV<std::string, double>>{{"eur", 1.0}, {"usd", 0.9}});
  auto out = pipeline_ | "Currencies" >> Create(std::vector<std::string>{"usd", "eur", "xxx"}) |
             "Rate" >> ParDo(Rate{}).WithSideInput("rates", AsMap(rates));
  auto seen = Collect(out);
  RunOk();
  EXPECT_THAT(seen->values(), UnorderedElementsAre(0.9, 1.0, -1.0));
}

struct Limit {
  std::int64_t most = 2;
  void ProcessElement(const KV<std::string, std::int64_t>& e, State<"seen", std::int64_t> seen,
                      Output<KV<std::string, std::int64_t>> out) const {
    if (seen.Read() >= most) return;
    seen.Write(seen.Read() + 1);
    out.Emit(e);
  }
};

TEST_P(BasicsTest, StateIsPerKey) {
  std::vector<KV<std::string, std::int64_t>> in;
  for (int i = 0; i < 100; ++i) in.push_back({"k" + std::to_string(i % 7), i});
  auto out = pipeline_ | "In" >> Create(in) | "Limit" >> ParDo(Limit{});
  auto seen = Collect(out);
  RunOk();
  std::map<std::string, int> per_key;
  for (const auto& kv : seen->values()) ++per_key[kv.key];
  EXPECT_EQ(per_key.size(), 7U);
  for (const auto& [key, count] : per_key) EXPECT_EQ(count, 2) << key;
}

struct Flush {
  using Self = Flush;
  void OnDue(const std::string& key, Timestamp at, CombiningState<"sum", SumFn<std::int64_t>> sum,
             Output<std::string> out) const {
    out.Emit(key + "=" + std::to_string(sum.Read()) + "@" + std::to_string(at.millis() / 1000));
    sum.Clear();
  }
  void ProcessElement(const KV<std::string, std::int64_t>& e, Timestamp at,
                      CombiningState<"sum", SumFn<std::int64_t>> sum, Timer<"due", &Self::OnDue> due,
                      Output<std::string>) const {
    sum.Add(e.value);
    due.Set(at + std::chrono::seconds(10));
  }
  void OnWindowExpiration(const std::string& key, Output<std::string> out) const { out.Emit(key + " expired"); }
};

TEST_P(BasicsTest, TimersFireInEventTime) {
  auto in = Create(std::vector<TimestampedValue<KV<std::string, std::int64_t>>>{{{"a", 1}, Timestamp::FromSeconds(1)},
                                                                                {{"a", 2}, Timestamp::FromSeconds(5)},
                                                                                {{"b", 7}, Timestamp::FromSeconds(2)}});
  auto out = pipeline_ | "In" >> in | "Flush" >> ParDo(Flush{});
  auto seen = Collect(out);
  RunOk();
  // Without a known order the watermark stays behind, so the timer of "a" was moved before it could fire.
  if (GetParam().threads == 1) {
    EXPECT_THAT(seen->values(), UnorderedElementsAre("a=3@15", "b=7@12", "a expired", "b expired"));
  } else {
    EXPECT_EQ(seen->elements.size(), 4U);
  }
}

struct FailsOnThree {
  void ProcessElement(const std::int64_t& n, Output<std::int64_t> out) const {
    out.Emit(n);
    if (n == 3) throw std::runtime_error("three is bad");
  }
};

TEST_P(BasicsTest, AFailingElementFailsTheJobWithItsLabel) {
  auto out = pipeline_ | "In" >> Create(std::vector<std::int64_t>{1, 2, 3, 4}) | "Fail" >> ParDo(FailsOnThree{});
  Collect(out);
  const PipelineResult result = pipeline_.Run(Options());
  EXPECT_FALSE(result.ok());
  EXPECT_THAT(result.status.message(), HasSubstr("Fail: failed 4 times on 3: three is bad"));
}

TEST_P(BasicsTest, AFailingElementIsIsolatedOnRequest) {
  auto [out, failed] =
      pipeline_ | "In" >> Create(std::vector<std::int64_t>{1, 2, 3, 4}) | "Fail" >> ParDo(FailsOnThree{}).OnError();
  auto good = Collect(out, "Good");
  auto bad = Collect(failed, "Bad");
  RunOk();
  EXPECT_THAT(good->values(), UnorderedElementsAre(1, 2, 4));
  ASSERT_EQ(bad->elements.size(), 1U);
  EXPECT_EQ(bad->elements[0].value.element, 3);
  EXPECT_EQ(bad->elements[0].value.error, "three is bad");
}

struct Event {
  std::int64_t id = 0;
  std::int64_t payload = 0;
};

TEST_P(BasicsTest, DeduplicatesById) {
  std::vector<Event> events;
  for (std::int64_t i = 0; i < 1000; ++i) events.push_back({i % 100, i % 100});
  auto out = pipeline_ | "In" >> Create(events) | "Dedupe" >> Deduplicate(&Event::id).Within(std::chrono::hours(1)) |
             "Reshuffle" >> Reshuffle();
  auto seen = Collect(out);
  RunOk();
  std::vector<std::int64_t> ids;
  for (const auto& event : seen->values()) ids.push_back(event.id);
  std::sort(ids.begin(), ids.end());
  ASSERT_EQ(ids.size(), 100U);
  EXPECT_TRUE(std::unique(ids.begin(), ids.end()) == ids.end());
}

TEST_P(BasicsTest, MetricsAreSummedOverWorkers) {
  auto out = pipeline_ | "In" >> Create(Seconds(1000)) | "Meter" >> Map([](const std::int64_t& n) {
                                                           Metrics::Counter("seen").Increment();
                                                           Metrics::Distribution("values").Update(n);
                                                           return n;
                                                         });
  Collect(out);
  const PipelineResult result = pipeline_.Run(Options());
  ASSERT_EQ(result.status, OkStatus());
  EXPECT_EQ(result.Counter("seen"), 1000);
  const DistributionResult values = result.metrics.at("Meter").distributions.at("values");
  EXPECT_EQ(values.count, 1000);
  EXPECT_EQ(values.max, 999);
  EXPECT_EQ(values.sum, 999 * 500);
}

}  // namespace
}  // namespace millrace
