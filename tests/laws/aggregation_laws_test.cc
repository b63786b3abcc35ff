// Every aggregation equals the plain loop, in batch and streaming mode, whatever the threads, bundles, queues and
// partitions are.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <tuple>

#include "law_source.h"
#include "millrace/testing/collect.h"

namespace millrace::laws {
namespace {

using testing::Collect;

using KeyInWindow = std::pair<BoundedWindow, std::int64_t>;  // window, key
template <class T>
using Table = std::map<KeyInWindow, T>;

Table<std::multiset<std::int64_t>> Loop(const std::vector<Partition>& partitions, const WindowFn& fn) {
  Table<std::multiset<std::int64_t>> groups;
  for (const Partition& partition : partitions) {
    for (const Event& event : partition) {
      fn.ForEachWindow(event.at, [&](const BoundedWindow& window) { groups[{window, event.key}].insert(event.value); });
    }
  }
  return groups;
}

template <class T, class Fn>
Table<T> Each(const Table<std::multiset<std::int64_t>>& groups, Fn&& fn) {
  Table<T> results;
  for (const auto& [cell, values] : groups) results[cell] = fn(values);
  return results;
}

/// The panes as a table; a cell that comes twice is a failure.
template <class T>
Table<T> Got(const testing::Collection<KV<std::int64_t, T>>& seen) {
  Table<T> results;
  for (const auto& element : seen.elements) {
    EXPECT_TRUE(results.emplace(KeyInWindow{element.window, element.value.key}, element.value.value).second)
        << element.window << " " << element.value.key;
    EXPECT_EQ(element.timestamp, element.window.max_timestamp());
    EXPECT_TRUE(element.pane.is_first && element.pane.is_last);
    EXPECT_EQ(element.pane.timing, PaneInfo::Timing::kOnTime);
  }
  return results;
}

// std::map's printer is too long for tables of thousands.
template <class T>
void ExpectSame(const Table<T>& got, const Table<T>& expected, const char* what) {
  EXPECT_EQ(got.size(), expected.size()) << what;
  std::size_t shown = 0;
  for (const auto& [cell, value] : expected) {
    const auto found = got.find(cell);
    if (found != got.end() && found->second == value) continue;
    ADD_FAILURE() << what << ": key " << cell.second << " in " << cell.first
                  << (found == got.end() ? " is missing" : " differs");
    if (++shown == 5) return;
  }
}

std::int64_t SumOf(const std::multiset<std::int64_t>& values) {
  std::int64_t sum = 0;
  for (const std::int64_t value : values) sum += value;
  return sum;
}

class AggregationLaws : public ::testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(Modes, AggregationLaws, ::testing::Values(false, true),
                         [](const auto& mode) { return mode.param ? "Streaming" : "Batch"; });

TEST_P(AggregationLaws, EqualTheLoop) {
  for (std::int64_t round = 0; round < base::TestRounds(25, 400); ++round) {
    Chance chance(base::TestSeed() * 1'000 + static_cast<std::uint64_t>(round));
    const WindowFn fn = chance.Windows();
    const Duration disorder(chance.random.Between(0, 120'000'000));
    const std::int64_t keys = chance.random.Chance(0.3) ? 3 : 500;
    const auto events = chance.Events(chance.random.Between(0, 4'000), keys, disorder);
    const RunOptions options = chance.Options(GetParam());
    SCOPED_TRACE("seed " + std::to_string(base::TestSeed()) + ", round " + std::to_string(round) + ", " +
                 fn.ToString() + ", " + Describe(options));

    Pipeline pipeline;
    auto pairs =
        pipeline | "Read" >> Read(EventSource{events}).MaxDisorder(disorder) |
        "Pairs" >> Map([](const Event& event) { return KV<std::int64_t, std::int64_t>{event.key, event.value}; }) |
        "Window" >> WindowInto(fn);
    auto counts = Collect(pairs | "Count" >> CombinePerKey(Count{}), "Counts");
    auto sums = Collect(pairs | "Sum" >> CombinePerKey(Sum{}), "Sums");
    auto minima = Collect(pairs | "Min" >> CombinePerKey(Min{}), "Minima");
    auto maxima = Collect(pairs | "Max" >> CombinePerKey(Max{}), "Maxima");
    auto means = Collect(pairs | "Mean" >> CombinePerKey(Mean{}), "Means");
    auto tops = Collect(pairs | "Top" >> CombinePerKey(Top<>{.n = 3}), "Tops");
    auto groups = Collect(pairs | "Group" >> GroupByKey(), "Groups");
    auto totals = Collect(pairs | "Values" >> Values() | "Total" >> CombineGlobally(Sum{}).WithoutDefaults(), "Totals");
    const PipelineResult result = pipeline.Run(options);
    ASSERT_EQ(result.status, OkStatus());

    const auto loop = Loop(*events, fn);
    using Multiset = std::multiset<std::int64_t>;
    ExpectSame(Got(*counts), Each<std::int64_t>(loop, [](const Multiset& v) { return std::ssize(v); }), "Count");
    ExpectSame(Got(*sums), Each<std::int64_t>(loop, SumOf), "Sum");
    ExpectSame(Got(*minima), Each<std::int64_t>(loop, [](const Multiset& v) { return *v.begin(); }), "Min");
    ExpectSame(Got(*maxima), Each<std::int64_t>(loop, [](const Multiset& v) { return *v.rbegin(); }), "Max");
    ExpectSame(
        Got(*means),
        Each<double>(loop,
                     [](const Multiset& v) { return static_cast<double>(SumOf(v)) / static_cast<double>(v.size()); }),
        "Mean");
    ExpectSame(Got(*tops),
               Each<std::vector<std::int64_t>>(loop,
                                               [](const Multiset& v) {
                                                 std::vector<std::int64_t> top(v.rbegin(), v.rend());
                                                 top.resize(std::min<std::size_t>(3, top.size()));
                                                 return top;
                                               }),
               "Top");
    auto grouped = Got(*groups);
    for (auto& [cell, values] : grouped) std::sort(values.begin(), values.end());
    ExpectSame(grouped,
               Each<std::vector<std::int64_t>>(
                   loop, [](const Multiset& v) { return std::vector<std::int64_t>(v.begin(), v.end()); }),
               "Group");
    std::map<BoundedWindow, std::int64_t> expected_totals;
    for (const auto& [cell, values] : loop) expected_totals[cell.first] += SumOf(values);
    std::map<BoundedWindow, std::int64_t> got_totals;
    for (const auto& element : totals->elements) got_totals[element.window] += element.value;
    EXPECT_EQ(got_totals, expected_totals);
    EXPECT_EQ(totals->elements.size(), expected_totals.size());
    if (::testing::Test::HasFailure()) return;
  }
}

// What is more out of order than declared may come late. Then each (element, window) pair is in the result or was
// counted as late.
TEST(LatenessLaws, ResultAndLateAccountForEveryPair) {
  std::int64_t late = 0;
  for (std::int64_t round = 0; round < base::TestRounds(40, 500); ++round) {
    Chance chance(base::TestSeed() * 2'000 + static_cast<std::uint64_t>(round));
    WindowFn fn = chance.Windows();
    if (fn.kind == WindowFn::Kind::kGlobal) fn = FixedWindows{std::chrono::seconds(10)};
    const auto events = chance.Events(chance.random.Between(1, 4'000), 50, std::chrono::minutes(20));
    const RunOptions options = chance.Options(true);
    const bool panes = chance.random.Chance(0.4);
    WindowInto windowing(fn);
    if (panes) {
      windowing = windowing.Triggering(AfterWatermark{.early = AfterCount{5}, .late = AfterCount{2}})
                      .AllowedLateness(std::chrono::seconds(chance.random.Between(1, 100)))
                      .Discarding();
    }
    SCOPED_TRACE("seed " + std::to_string(base::TestSeed()) + ", round " + std::to_string(round) + ", " +
                 fn.ToString() + (panes ? ", panes, " : ", ") + Describe(options));

    Pipeline pipeline;
    auto pairs =
        pipeline | "Read" >> Read(EventSource{events, chance.random.Chance(0.5)}).MaxDisorder(std::chrono::seconds(1)) |
        "Pairs" >> Map([](const Event& event) { return KV<std::int64_t, std::int64_t>{event.key, event.value}; }) |
        "Window" >> windowing;
    auto counts = Collect(pairs | "Count" >> CombinePerKey(Count{}), "Counts");
    auto groups = Collect(pairs | "Group" >> GroupByKey(), "Groups");
    const PipelineResult result = pipeline.Run(options);
    ASSERT_EQ(result.status, OkStatus());

    std::int64_t expected = 0;
    for (const auto& [cell, values] : Loop(*events, fn)) expected += std::ssize(values);
    std::int64_t counted = 0;
    for (const auto& element : counts->elements) counted += element.value.value;
    std::int64_t grouped = 0;
    for (const auto& element : groups->elements) grouped += std::ssize(element.value.value);
    EXPECT_EQ(counted + result.steps.at("Count").late_dropped, expected)
        << "late " << result.steps.at("Count").late_dropped;
    EXPECT_EQ(grouped + result.steps.at("Group").late_dropped, expected)
        << "late " << result.steps.at("Group").late_dropped;
    late += result.steps.at("Count").late_dropped;
    if (::testing::Test::HasFailure()) return;
  }
  EXPECT_GT(late, 0);
}

// Accumulating panes: the last pane of a cell holds everything that was not late; discarding panes add up to it.
TEST(PaneLaws, PanesAddUp) {
  for (std::int64_t round = 0; round < base::TestRounds(30, 300); ++round) {
    Chance chance(base::TestSeed() * 3'000 + static_cast<std::uint64_t>(round));
    const WindowFn fn = chance.Windows();
    const Duration disorder(chance.random.Between(0, 60'000'000));
    const auto events = chance.Events(chance.random.Between(0, 3'000), 40, disorder);
    const RunOptions options = chance.Options(true);
    const bool accumulating = chance.random.Chance(0.5);
    PaneTrigger early = AfterCount{chance.random.Between(1, 20)};
    if (chance.random.Chance(0.3)) early = AfterProcessingTime{Duration(chance.random.Between(0, 500))};
    Trigger trigger = AfterWatermark{.early = early, .late = AfterCount{1}};
    if (chance.random.Chance(0.3)) trigger = Repeatedly{early};
    WindowInto windowing = WindowInto(fn).Triggering(trigger).AllowedLateness(std::chrono::seconds(7));
    windowing = accumulating ? windowing.Accumulating() : windowing.Discarding();
    SCOPED_TRACE("seed " + std::to_string(base::TestSeed()) + ", round " + std::to_string(round) + ", " +
                 fn.ToString() + ", " + trigger.ToString() + (accumulating ? ", accumulating, " : ", discarding, ") +
                 Describe(options));

    Pipeline pipeline;
    auto sums =
        pipeline | "Read" >> Read(EventSource{events}).MaxDisorder(disorder) |
        "Pairs" >> Map([](const Event& event) { return KV<std::int64_t, std::int64_t>{event.key, event.value}; }) |
        "Window" >> windowing | "Sum" >> CombinePerKey(Sum{});
    auto seen = Collect(sums);
    ASSERT_EQ(pipeline.Run(options).status, OkStatus());

    std::map<KeyInWindow, std::map<std::int64_t, testing::Collected<KV<std::int64_t, std::int64_t>>>> panes;
    for (const auto& element : seen->elements) {
      auto& of_cell = panes[KeyInWindow{element.window, element.value.key}];
      EXPECT_TRUE(of_cell.emplace(element.pane.index, element).second);
    }
    Table<std::int64_t> got;
    for (const auto& [cell, by_index] : panes) {
      std::int64_t next = 0;
      std::int64_t nonspeculative = 0;
      auto timing = PaneInfo::Timing::kEarly;
      for (const auto& [index, element] : by_index) {
        EXPECT_EQ(index, next++);
        EXPECT_EQ(element.pane.is_first, index == 0);
        EXPECT_GE(element.pane.timing, timing);  // early, then on time, then late
        timing = element.pane.timing;
        const bool speculative = timing == PaneInfo::Timing::kEarly;
        EXPECT_EQ(element.pane.nonspeculative_index, speculative ? -1 : nonspeculative++);
        got[cell] = element.value.value + (accumulating ? 0 : got[cell]);
      }
    }
    ExpectSame(got, Each<std::int64_t>(Loop(*events, fn), SumOf), "Sum");
    if (::testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace millrace::laws
