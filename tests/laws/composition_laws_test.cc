// Pipelines of several steps equal the plain loop: chained aggregations, state, deduplication, Flatten, CoGroupByKey
// and side inputs, in both modes, with whatever threads, bundles and queues.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "law_source.h"
#include "millrace/testing/collect.h"

namespace millrace::laws {
namespace {

using std::chrono::seconds;
using testing::Collect;
using Pair = KV<std::int64_t, std::int64_t>;
using KeyInWindow = std::pair<BoundedWindow, std::int64_t>;

Pair PairOf(const Event& event) { return {event.key, event.value}; }

class CompositionLaws : public ::testing::TestWithParam<bool> {
 protected:
  // Calls `body(chance)` with as many seeds as the level asks for.
  template <class Body>
  void ForEachRound(std::uint64_t stream, Body&& body) {
    for (std::int64_t round = 0; round < base::TestRounds(15, 250); ++round) {
      Chance chance(base::TestSeed() * 1'000'000 + stream * 10'000 + static_cast<std::uint64_t>(round));
      SCOPED_TRACE("MILLRACE_TEST_SEED=" + std::to_string(base::TestSeed()) + ", round " + std::to_string(round));
      body(chance);
      if (HasFailure()) return;
    }
  }
  PipelineResult RunOk(Pipeline& pipeline, const RunOptions& options) {
    PipelineResult result = pipeline.Run(options);
    EXPECT_EQ(result.status, OkStatus()) << Describe(options);
    return result;
  }
};
INSTANTIATE_TEST_SUITE_P(Modes, CompositionLaws, ::testing::Values(false, true),
                         [](const auto& mode) { return mode.param ? "Streaming" : "Batch"; });

TEST_P(CompositionLaws, ChainedAggregations) {
  ForEachRound(1, [this](Chance& chance) {
    const Duration disorder(chance.random.Between(0, 60'000'000));
    const auto events = chance.Events(chance.random.Between(0, 4'000), 100, disorder);
    const WindowFn first = FixedWindows{seconds(chance.random.Between(1, 100))};
    const WindowFn second = SlidingWindows{seconds(300), seconds(100)};
    Pipeline pipeline;
    auto sums = pipeline | "Read" >> Read(EventSource{events}).MaxDisorder(disorder) | "Pairs" >> Map(PairOf) |
                "First" >> WindowInto(first) | "Sum" >> CombinePerKey(Sum{});
    auto maxima = Collect(sums | "Second" >> WindowInto(second) | "Max" >> CombinePerKey(Max{}), "Maxima");
    auto totals = Collect(sums | "Values" >> Values() | "Total" >> CombineGlobally(Sum{}).WithoutDefaults(), "Totals");
    const PipelineResult result = RunOk(pipeline, chance.Options(GetParam()));

    std::map<KeyInWindow, std::int64_t> sum;
    for (const Partition& partition : *events) {
      for (const Event& event : partition) sum[{first.At(first.LastStart(event.at)), event.key}] += event.value;
    }
    std::map<KeyInWindow, std::int64_t> max;
    std::map<BoundedWindow, std::int64_t> total;
    for (const auto& [cell, value] : sum) {
      total[cell.first] += value;
      second.ForEachWindow(cell.first.max_timestamp(), [&](const BoundedWindow& window) {
        const auto at = max.try_emplace({window, cell.second}, value).first;
        at->second = std::max(at->second, value);
      });
    }
    std::map<KeyInWindow, std::int64_t> got_max;
    for (const auto& element : maxima->elements) got_max[{element.window, element.value.key}] = element.value.value;
    std::map<BoundedWindow, std::int64_t> got_total;
    for (const auto& element : totals->elements) got_total[element.window] = element.value;
    EXPECT_TRUE(got_max == max);
    EXPECT_TRUE(got_total == total);
    EXPECT_EQ(maxima->elements.size(), max.size());
    EXPECT_EQ(result.steps.at("Max").late_dropped, 0);
  });
}

/// Numbers the elements of each key and window; tells their sum when the window expires.
struct Numbering {
  void ProcessElement(const Pair& pair, State<"count", std::int64_t> count,
                      CombiningState<"sum", SumFn<std::int64_t>> sum, Output<Pair> numbered, Output<Pair>) const {
    count.Write(count.Read() + 1);
    sum.Add(pair.value);
    numbered.Emit(Pair{pair.key, count.Read()});
  }
  void OnWindowExpiration(const std::int64_t& key, CombiningState<"sum", SumFn<std::int64_t>> sum,
                          Output<Pair> out) const {
    out.Emit(Pair{key, 1'000'000'000 + sum.Read()});
  }
};

TEST_P(CompositionLaws, StateIsPerKeyAndWindow) {
  ForEachRound(2, [this](Chance& chance) {
    const Duration disorder(chance.random.Between(0, 60'000'000));
    const auto events = chance.Events(chance.random.Between(0, 3'000), chance.random.Between(1, 200), disorder);
    const WindowFn fn = chance.Windows();
    Pipeline pipeline;
    auto [numbered, sums] = pipeline | "Read" >> Read(EventSource{events}).MaxDisorder(disorder) |
                            "Pairs" >> Map(PairOf) | "Window" >> WindowInto(fn) | "Number" >> ParDo(Numbering{});
    auto seen = Collect(numbered, "Numbered");
    Collect(sums, "Sums");
    RunOk(pipeline, chance.Options(GetParam()));

    std::map<KeyInWindow, std::multiset<std::int64_t>> expected;
    std::map<KeyInWindow, std::int64_t> sum;
    for (const Partition& partition : *events) {
      for (const Event& event : partition) {
        fn.ForEachWindow(event.at, [&](const BoundedWindow& window) {
          const KeyInWindow cell{window, event.key};
          expected[cell].insert(std::ssize(expected[cell]) + 1);
          sum[cell] += event.value;
        });
      }
    }
    for (const auto& [cell, value] : sum) expected[cell].insert(1'000'000'000 + value);
    std::map<KeyInWindow, std::multiset<std::int64_t>> got;
    for (const auto& element : seen->elements) got[{element.window, element.value.key}].insert(element.value.value);
    EXPECT_TRUE(got == expected);
  });
}

TEST_P(CompositionLaws, DeduplicationKeepsOneOfEachId) {
  ForEachRound(3, [this](Chance& chance) {
    const Duration disorder(chance.random.Between(1'000'000, 60'000'000));
    // A duplicate has the time of its original and may come in another partition.
    auto events = std::make_shared<std::vector<Partition>>(
        *chance.Events(chance.random.Between(1, 3'000), 1'000'000'000, disorder));
    std::map<std::int64_t, Event> ids;
    for (Partition& partition : *events) {
      for (Event& event : partition) {
        if (!ids.empty() && chance.random.Chance(0.3)) {
          const auto near = ids.lower_bound(event.at.micros());
          if (near != ids.end() && near->second.at - event.at < disorder) event = near->second;
        }
        ids.try_emplace(event.at.micros(), event);
      }
    }
    std::set<std::pair<std::int64_t, std::int64_t>> unique;
    std::size_t count = 0;
    for (const Partition& partition : *events) {
      for (const Event& event : partition) unique.insert({event.at.micros(), event.key});
      count += partition.size();
    }
    Pipeline pipeline;
    auto kept = pipeline | "Read" >> Read(EventSource{events, chance.random.Chance(0.5)}).MaxDisorder(disorder * 2) |
                "Dedupe" >> Deduplicate([](const Event& event) {
                              return KV<std::int64_t, std::int64_t>{event.at.micros(), event.key};
                            }).Within(disorder * 2);
    auto seen = Collect(kept);
    const PipelineResult result = RunOk(pipeline, chance.Options(GetParam()));
    std::set<std::pair<std::int64_t, std::int64_t>> got;
    for (const auto& element : seen->elements) got.insert({element.value.at.micros(), element.value.key});
    EXPECT_EQ(seen->elements.size(), unique.size());
    EXPECT_TRUE(got == unique);
    EXPECT_EQ(result.Counter("duplicates"), static_cast<std::int64_t>(count - unique.size()));
  });
}

TEST_P(CompositionLaws, FlattenWaitsForTheSlowerSource) {
  ForEachRound(4, [this](Chance& chance) {
    const Duration disorder(chance.random.Between(0, 60'000'000));
    const auto many = chance.Events(chance.random.Between(1'000, 4'000), 20, disorder);
    const auto few = chance.Events(chance.random.Between(0, 50), 20, disorder);
    const WindowFn fn = chance.Windows();
    Pipeline pipeline;
    auto a = pipeline | "Many" >> Read(EventSource{many}).MaxDisorder(disorder);
    auto b = pipeline | "Few" >> Read(EventSource{few, chance.random.Chance(0.5)}).MaxDisorder(disorder);
    auto seen = Collect(Flatten(a, b).As("All") | "Pairs" >> Map(PairOf) | "Window" >> WindowInto(fn) |
                        "Sum" >> CombinePerKey(Sum{}));
    const PipelineResult result = RunOk(pipeline, chance.Options(GetParam()));
    std::map<KeyInWindow, std::int64_t> expected;
    for (const auto& input : {many, few}) {
      for (const Partition& partition : *input) {
        for (const Event& event : partition) {
          fn.ForEachWindow(event.at,
                           [&](const BoundedWindow& window) { expected[{window, event.key}] += event.value; });
        }
      }
    }
    std::map<KeyInWindow, std::int64_t> got;
    for (const auto& element : seen->elements) got[{element.window, element.value.key}] = element.value.value;
    EXPECT_TRUE(got == expected);
    EXPECT_EQ(seen->elements.size(), expected.size());
    EXPECT_EQ(result.steps.at("Sum").late_dropped, 0);
  });
}

TEST_P(CompositionLaws, CoGroupByKeyJoins) {
  ForEachRound(5, [this](Chance& chance) {
    const Duration disorder(chance.random.Between(0, 60'000'000));
    const auto left = chance.Events(chance.random.Between(0, 2'000), 60, disorder);
    const auto right = chance.Events(chance.random.Between(0, 2'000), 90, disorder);
    const WindowFn fn = chance.Windows();
    Pipeline pipeline;
    auto a = pipeline | "Left" >> Read(EventSource{left}).MaxDisorder(disorder) | "PairsA" >> Map(PairOf) |
             "WindowA" >> WindowInto(fn);
    auto b = pipeline | "Right" >> Read(EventSource{right}).MaxDisorder(disorder) | "PairsB" >> Map(PairOf) |
             "WindowB" >> WindowInto(fn);
    auto seen = Collect(CoGroupByKey(a, b).As("Join"));
    RunOk(pipeline, chance.Options(GetParam()));

    using Sides = std::array<std::multiset<std::int64_t>, 2>;
    std::map<KeyInWindow, Sides> expected;
    std::size_t side = 0;
    for (const auto& input : {left, right}) {
      for (const Partition& partition : *input) {
        for (const Event& event : partition) {
          fn.ForEachWindow(
              event.at, [&](const BoundedWindow& window) { expected[{window, event.key}][side].insert(event.value); });
        }
      }
      ++side;
    }
    std::map<KeyInWindow, Sides> got;
    for (const auto& element : seen->elements) {
      const auto& [lefts, rights] = element.value.value;
      const auto [at, fresh] = got.try_emplace({element.window, element.value.key});
      EXPECT_TRUE(fresh);
      at->second[0].insert(lefts.begin(), lefts.end());
      at->second[1].insert(rights.begin(), rights.end());
    }
    EXPECT_TRUE(got == expected);
  });
}

struct LookUp {
  void ProcessElement(const Pair& pair, SideInput<"sums", std::map<std::int64_t, std::int64_t>> sums,
                      SideInput<"all", std::vector<std::int64_t>> all, Output<Pair> out) const {
    const auto found = sums->find(pair.key);
    out.Emit(Pair{pair.key,
                  pair.value + (found == sums->end() ? 0 : found->second) * 10'000 + std::ssize(*all) * 100'000'000});
  }
};

TEST_P(CompositionLaws, SideInputsAreCompleteForEachWindow) {
  ForEachRound(6, [this](Chance& chance) {
    const Duration disorder(chance.random.Between(0, 60'000'000));
    const auto mains = chance.Events(chance.random.Between(0, 2'000), 50, disorder);
    const auto sides = chance.Events(chance.random.Between(0, 2'000), 40, disorder);
    const WindowFn main_fn = FixedWindows{seconds(chance.random.Between(1, 600))};
    const WindowFn side_fn = FixedWindows{seconds(chance.random.Between(1, 600))};
    const std::vector<std::int64_t> extras(chance.random.Below(50), 1);
    Pipeline pipeline;
    auto sums = pipeline | "Sides" >> Read(EventSource{sides}).MaxDisorder(disorder) | "PairsB" >> Map(PairOf) |
                "WindowB" >> WindowInto(side_fn) | "Sum" >> CombinePerKey(Sum{});
    auto extra = pipeline | "Extras" >> Create(extras);
    auto looked =
        pipeline | "Mains" >> Read(EventSource{mains}).MaxDisorder(disorder) | "PairsA" >> Map(PairOf) |
        "WindowA" >> WindowInto(main_fn) |
        "LookUp" >> ParDo(LookUp{}).WithSideInput("sums", AsMap(sums)).WithSideInput("all", AsIterable(extra));
    auto counts = Collect(looked | "Count" >> Count::PerElement(), "Counts");
    const PipelineResult result = RunOk(pipeline, chance.Options(GetParam()));

    std::map<KeyInWindow, std::int64_t> sum;
    for (const Partition& partition : *sides) {
      for (const Event& event : partition) sum[{side_fn.At(side_fn.LastStart(event.at)), event.key}] += event.value;
    }
    using Row = std::tuple<BoundedWindow, std::int64_t, std::int64_t>;
    std::map<Row, std::int64_t> expected;
    for (const Partition& partition : *mains) {
      for (const Event& event : partition) {
        const BoundedWindow window = main_fn.At(main_fn.LastStart(event.at));
        const auto found = sum.find({side_fn.At(side_fn.LastStart(window.max_timestamp())), event.key});
        ++expected[{
            window, event.key,
            event.value + (found == sum.end() ? 0 : found->second) * 10'000 + std::ssize(extras) * 100'000'000}];
      }
    }
    std::map<Row, std::int64_t> got;
    for (const auto& element : counts->elements) {
      got[{element.window, element.value.key.key, element.value.key.value}] += element.value.value;
    }
    EXPECT_TRUE(got == expected) << got.size() << " rows, expected " << expected.size();
    EXPECT_EQ(result.steps.at("Count/Count").late_dropped, 0);
  });
}

}  // namespace
}  // namespace millrace::laws
