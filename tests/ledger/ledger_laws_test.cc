// Random pipelines balance in every epoch, whatever the threads, bundles, triggers and lateness, with state in memory
// or not, and also when the run is broken off again and again and goes on from its last checkpoint. The sums are those
// of the plain loop.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>

#include "../laws/epoch_views.h"
#include "../laws/law_source.h"

namespace millrace::ledger_test {
namespace {

using laws::Chance;
using laws::Event;
using laws::Partition;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Pair = KV<std::int64_t, std::int64_t>;

/// Fails the run when so many elements have passed.
struct Burn {
  std::shared_ptr<std::atomic<std::int64_t>> left;
  void ProcessElement(const Event& event, Output<Event> out) const {
    if (left->fetch_sub(1) <= 0) throw std::runtime_error("broken off");
    out.Emit(event);
  }
};

struct CountByState {
  void ProcessElement(const Pair& pair, State<"count", std::int64_t> count, Output<Pair> out) const {
    count.Write(count.Read() + 1);
    if (count.Read() % 3 == 0) out.Emit(Pair{pair.key, count.Read()});
  }
  void OnWindowExpiration(const std::int64_t& key, State<"count", std::int64_t> count, Output<Pair> out) const {
    out.Emit(Pair{key, count.Read()});
  }
};

struct Weigh {
  void ProcessElement(const Pair& pair, SideInput<"weights", std::map<std::int64_t, std::int64_t>> weights,
                      Output<Pair> out) const {
    const auto found = weights->find(pair.key);
    if (found != weights->end()) out.Emit(Pair{pair.key, pair.value * found->second});
  }
};

// What is chosen once for all attempts of a run.
struct Plan {
  std::shared_ptr<const std::vector<Partition>> events;
  Duration disorder{0};
  Duration declared{0};
  Duration lateness{0};
  WindowFn windows;
  WindowFn more_windows;
  bool early = false;
  bool accumulating = false;
  bool streaming = true;
  std::int64_t keys = 60;
};

constexpr auto kIsEven = [](const Event& event) { return event.value % 2 == 0; };

WindowInto Panes(const Plan& plan) {
  auto into = WindowInto(plan.more_windows)
                  .Triggering(AfterWatermark{.early = plan.early ? PaneTrigger(AfterCount{7}) : PaneTrigger{},
                                             .late = AfterCount{1}})
                  .AllowedLateness(plan.lateness);
  return plan.accumulating ? into.Accumulating() : into.Discarding();
}

void Build(Pipeline& pipeline, const Plan& plan, std::shared_ptr<std::atomic<std::int64_t>> fuse) {
  std::vector<Pair> weights;
  for (std::int64_t key = 0; key < plan.keys; key += 2) weights.push_back({key, key});
  auto side = pipeline | "Weights" >> Create(weights);
  auto events = pipeline | "Read" >> Read(laws::EventSource{plan.events, plan.streaming}).MaxDisorder(plan.declared) |
                "Burn" >> ParDo(Burn{std::move(fuse)});
  auto pairs = events | "Dedupe" >> Deduplicate(&Event::value).Within(seconds(100'000)) |
               "Pairs" >> Map([](const Event& event) { return Pair{event.key, event.value}; });
  auto once = pairs | "Windows" >> WindowInto(plan.windows);
  once | "Sum" >> CombinePerKey(Sum{}) | View("sums");
  once | "Values" >> Values() | "Total" >> CombineGlobally(Sum{}).WithoutDefaults() |
      "Keyed" >> Map([](std::int64_t sum) { return Pair{0, sum}; }) | View("totals");
  pairs | "Panes" >> Panes(plan) | "PaneCount" >> CombinePerKey(Sum{}) |
      "Pane" >> Map([](const Pair& pair) { return pair.value; });
  once | "ByState" >> ParDo(CountByState{}) | View("by_state");
  pairs | "Weigh" >> ParDo(Weigh{}).WithSideInput("weights", AsMap(side)) | "Spread" >> Reshuffle{} | View("weighed");
  auto even = events | "Even" >> Filter(kIsEven);
  even | "Many" >> FlatMap([](const Event& event) {
           return std::vector<Pair>(static_cast<std::size_t>(event.value / 2 % 3), Pair{event.key, 1});
         }) |
      "GroupWindows" >> WindowInto(plan.windows) | "Group" >> GroupByKey{} |
      "Sizes" >> Map([](const auto& group) { return Pair{group.key, static_cast<std::int64_t>(group.value.size())}; }) |
      View("sizes");
}

const LedgerStep& StepOf(const LedgerEpoch& epoch, const std::string& label) {
  for (const LedgerStep& step : epoch.steps) {
    if (step.step == label) return step;
  }
  throw std::invalid_argument("no step " + label);
}

// What the ledger must come to, from the events alone.
struct Loop {
  std::int64_t events = 0;
  std::int64_t duplicates = 0;
  std::int64_t odd = 0;
  std::int64_t window_units = 0;  // of distinct events
};

Loop PlainLoop(const Plan& plan) {
  Loop loop;
  std::set<std::int64_t> seen;
  for (const Partition& partition : *plan.events) {
    for (const Event& event : partition) {
      ++loop.events;
      loop.odd += kIsEven(event) ? 0 : 1;
      if (!seen.insert(event.value).second) {
        ++loop.duplicates;
        continue;
      }
      plan.windows.ForEachWindow(event.at, [&](const BoundedWindow&) { ++loop.window_units; });
    }
  }
  return loop;
}

// Copies follow their events in the same partition; ids are unique otherwise.
Plan MakePlan(Chance& chance, std::int64_t events_max) {
  Plan plan;
  plan.disorder = Duration(chance.random.Between(0, 60'000'000));
  plan.declared = chance.random.Chance(0.5) ? plan.disorder : plan.disorder / 10;
  plan.lateness = seconds(chance.random.Between(0, 1) * 20);
  plan.windows = chance.Windows();
  plan.more_windows = chance.Windows();
  plan.early = chance.random.Chance(0.5);
  plan.accumulating = chance.random.Chance(0.5);
  auto events = std::make_shared<std::vector<Partition>>(
      *chance.Events(chance.random.Between(0, events_max), plan.keys, plan.disorder));
  std::int64_t id = 0;
  for (Partition& partition : *events) {
    for (std::size_t i = 0; i < partition.size(); ++i) {
      partition[i].value = id++;
      if (i > 0 && chance.random.Chance(0.05)) partition[i] = partition[i - 1];
    }
  }
  plan.events = events;
  return plan;
}

void CheckBalance(const Ledger& ledger) {
  for (const LedgerEpoch& epoch : ledger.epochs) {
    for (const LedgerProblem& problem : ProblemsOf(epoch)) {
      ADD_FAILURE() << "epoch " << epoch.epoch << ", attempt " << epoch.attempt << ", " << problem.step << ": "
                    << problem.text;
    }
  }
  for (const LedgerProblem& problem : ProblemsOf(ledger.total)) {
    ADD_FAILURE() << "sums: " << problem.step << ": " << problem.text;
  }
}

void CheckSums(const LedgerEpoch& total, const Plan& plan) {
  const Loop loop = PlainLoop(plan);
  EXPECT_TRUE(total.is_end);
  std::map<std::string, std::int64_t> read;
  for (const LedgerSource& source : total.sources) {
    if (source.step != "Read") continue;
    EXPECT_EQ(source.elements, loop.events);
    EXPECT_EQ(source.ranges_left_out, 0);
    for (const LedgerRange& range : source.ranges) {
      EXPECT_EQ(range.from, read[range.partition]) << "a gap, or an overlap, in partition " << range.partition;
      read[range.partition] = range.to;
    }
  }
  for (std::size_t i = 0; i < plan.events->size(); ++i) {
    EXPECT_EQ(read[std::to_string(i)], static_cast<std::int64_t>((*plan.events)[i].size()));
  }
  EXPECT_EQ(StepOf(total, "Dedupe").duplicates, loop.duplicates);
  EXPECT_EQ(StepOf(total, "Dedupe").emitted, loop.events - loop.duplicates);
  EXPECT_EQ(StepOf(total, "Even").filtered, loop.odd);
  for (const char* label : {"Sum", "ByState", "Total"}) {
    const LedgerStep& step = StepOf(total, label);
    EXPECT_EQ(step.units, loop.window_units) << label;
    EXPECT_EQ(step.closed + step.emitted + step.filtered + step.late, loop.window_units) << label;
    if (plan.declared == plan.disorder || !plan.streaming) {
      EXPECT_EQ(step.late, 0) << label;
    }
  }
}

TEST(LedgerLaws, RandomPipelinesBalance) {
  for (std::int64_t round = 0; round < base::TestRounds(25, 400); ++round) {
    Chance chance(base::TestSeed() * 1'000'000 + 31'000 + static_cast<std::uint64_t>(round));
    Plan plan = MakePlan(chance, 8'000);
    plan.streaming = chance.random.Chance(0.6);
    const RunOptions options = chance.Options(plan.streaming);
    SCOPED_TRACE("MILLRACE_TEST_SEED=" + std::to_string(base::TestSeed()) + ", round " + std::to_string(round) + ", " +
                 plan.windows.ToString() + ", " + plan.more_windows.ToString() + ", " + laws::Describe(options));
    Pipeline pipeline;
    Build(pipeline, plan, std::make_shared<std::atomic<std::int64_t>>(1'000'000'000));
    const PipelineResult result = pipeline.Run(options);
    ASSERT_EQ(result.status, OkStatus());
    ASSERT_EQ(result.ledger.epochs.size(), 1U);
    CheckBalance(result.ledger);
    CheckSums(result.ledger.total, plan);
    if (::testing::Test::HasFailure()) return;
  }
}

TEST(LedgerLaws, RunsThatAreBrokenOffBalanceInEveryEpoch) {
  std::uint64_t restored = 0;
  const std::int64_t rounds = base::TestRounds(12, 300);
  // Where the machine is busy a run may be broken off before its first checkpoint: then some more are tried.
  for (std::int64_t round = 0; round < rounds || (restored == 0 && round < 10 * rounds); ++round) {
    Chance chance(base::TestSeed() * 1'000'000 + 57'000 + static_cast<std::uint64_t>(round));
    const Plan plan = MakePlan(chance, 40'000);
    auto views = std::make_shared<laws::EpochViews>();
    const laws::TemporaryCheckpoints folder;
    for (int attempt = 1;; ++attempt) {
      ASSERT_LT(attempt, 200);
      auto fuse =
          std::make_shared<std::atomic<std::int64_t>>(attempt > 8 ? 1'000'000'000 : chance.random.Between(0, 50'000));
      Pipeline pipeline;
      Build(pipeline, plan, fuse);
      RunOptions options = chance.Options(true);
      options.bundle_elements = chance.random.Between(1, 200);
      options.views = views;
      options.checkpoints =
          CheckpointOptions{.folder = folder.path(), .interval = milliseconds(chance.random.Between(1, 20))};
      SCOPED_TRACE("MILLRACE_TEST_SEED=" + std::to_string(base::TestSeed()) + ", round " + std::to_string(round) +
                   ", attempt " + std::to_string(attempt) + ", " + plan.windows.ToString() + ", " +
                   plan.more_windows.ToString() + ", " + laws::Describe(options));
      const PipelineResult result = pipeline.Run(options);
      restored += views->restored_epoch() > 0 ? 1 : 0;
      CheckBalance(result.ledger);
      if (result.ok()) CheckSums(result.ledger.total, plan);
      if (::testing::Test::HasFailure()) return;
      if (result.ok()) break;
      ASSERT_THAT(result.status.message(), ::testing::HasSubstr("broken off"));
    }
  }
  EXPECT_GT(restored, 0U);
}

}  // namespace
}  // namespace millrace::ledger_test
