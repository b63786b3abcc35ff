// Every aggregation over sessions equals the plain loop, in batch and streaming mode, whatever the threads, bundles,
// queues, partitions and the place of state are; and a run that is broken off again and again gives the same.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <limits>
#include <stdexcept>
#include <string>

#include "../laws/epoch_views.h"
#include "millrace/testing/collect.h"
#include "millrace/testing/memory_views.h"
#include "plain_sessions.h"

namespace millrace::laws {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Collect;
using Pair = KV<std::int64_t, std::int64_t>;

Pair PairOf(const Event& event) { return {event.key, event.value}; }

template <class T>
void ExpectSame(const std::map<Cell, T>& got, const std::map<Cell, T>& expected, const char* what) {
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

// Gaps from some that join nothing to some that join almost everything.
Duration Gap(Chance& chance) {
  constexpr std::int64_t kSeconds[] = {1, 5, 30, 120, 600};
  return seconds(kSeconds[chance.random.Below(std::size(kSeconds))]) + Duration(chance.random.Between(0, 999'999));
}

class SessionLaws : public ::testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(Modes, SessionLaws, ::testing::Values(false, true),
                         [](const auto& mode) { return mode.param ? "Streaming" : "Batch"; });

TEST_P(SessionLaws, EqualTheLoop) {
  for (std::int64_t round = 0; round < base::TestRounds(25, 400); ++round) {
    Chance chance(base::TestSeed() * 11'000 + static_cast<std::uint64_t>(round));
    const Duration gap = Gap(chance);
    const Duration disorder(chance.random.Between(0, 120'000'000));
    const std::int64_t keys = chance.random.Chance(0.3) ? 3 : 300;
    const auto events = chance.Events(chance.random.Between(0, 4'000), keys, disorder);
    const RunOptions options = chance.Options(GetParam());
    SCOPED_TRACE("seed " + std::to_string(base::TestSeed()) + ", round " + std::to_string(round) + ", gap " +
                 DurationToString(gap) + ", " + Describe(options));

    Pipeline pipeline;
    auto pairs = pipeline | "Read" >> Read(EventSource{events}).MaxDisorder(disorder) | "Pairs" >> Map(PairOf) |
                 "Window" >> WindowInto(Sessions{gap});
    auto sums = Collect(pairs | "Sum" >> CombinePerKey(Sum{}), "Sums");
    auto groups = Collect(pairs | "Group" >> GroupByKey(), "Groups");
    auto totals = Collect(pairs | "Values" >> Values() | "Total" >> CombineGlobally(Sum{}).WithoutDefaults(), "Totals");
    ASSERT_EQ(pipeline.Run(options).status, OkStatus());

    const Groups expected = PlainSessions(*events, gap);
    std::map<Cell, std::int64_t> got_sums;
    for (const auto& element : sums->elements) {
      EXPECT_TRUE(got_sums.emplace(Cell{element.window, element.value.key}, element.value.value).second);
      EXPECT_EQ(element.timestamp, element.window.max_timestamp());
      EXPECT_EQ(element.pane, PaneInfo{.timing = PaneInfo::Timing::kOnTime});
    }
    ExpectSame(got_sums, PlainSums(*events, gap), "Sum");
    Groups got_groups;
    for (const auto& element : groups->elements) {
      std::vector<std::int64_t>& values = got_groups[{element.window, element.value.key}];
      EXPECT_TRUE(values.empty());
      values = element.value.value;
      std::sort(values.begin(), values.end());
    }
    ExpectSame(got_groups, expected, "Group");
    auto as_one = std::make_shared<std::vector<Partition>>(*events);
    for (Partition& partition : *as_one) {
      for (Event& event : partition) event.key = 0;
    }
    std::map<Cell, std::int64_t> got_totals;
    for (const auto& element : totals->elements) got_totals[{element.window, 0}] += element.value;
    ExpectSame(got_totals, PlainSums(*as_one, gap), "Total");
    if (::testing::Test::HasFailure()) return;
  }
}

Trigger AnyTrigger(Chance& chance) {
  PaneTrigger early = AfterCount{chance.random.Between(1, 20)};
  if (chance.random.Chance(0.3)) early = AfterProcessingTime{Duration(chance.random.Between(0, 500))};
  if (chance.random.Chance(0.2)) return Repeatedly{early};
  return AfterWatermark{.early = early, .late = AfterCount{chance.random.Between(1, 3)}};
}

// Accumulating: the last pane of each session holds everything, and what remains after those that were merged away are
// the sessions of the loop. Discarding: panes add up to the whole, whatever was merged.
TEST(SessionPaneLaws, PanesAddUp) {
  for (std::int64_t round = 0; round < base::TestRounds(30, 300); ++round) {
    Chance chance(base::TestSeed() * 12'000 + static_cast<std::uint64_t>(round));
    const Duration gap = Gap(chance);
    const Duration disorder(chance.random.Between(0, 60'000'000));
    const auto events = chance.Events(chance.random.Between(0, 3'000), 40, disorder);
    RunOptions options = chance.Options(true);
    const bool accumulating = chance.random.Chance(0.6);
    const Trigger trigger = AnyTrigger(chance);
    WindowInto windowing = WindowInto(Sessions{gap}).Triggering(trigger).AllowedLateness(seconds(7));
    windowing = accumulating ? windowing.Accumulating() : windowing.Discarding();
    SCOPED_TRACE("seed " + std::to_string(base::TestSeed()) + ", round " + std::to_string(round) + ", gap " +
                 DurationToString(gap) + ", " + trigger.ToString() +
                 (accumulating ? ", accumulating, " : ", discarding, ") + Describe(options));

    auto views = std::make_shared<testing::MemoryViews>();
    options.views = views;
    Pipeline pipeline;
    auto sums = pipeline | "Read" >> Read(EventSource{events}).MaxDisorder(disorder) | "Pairs" >> Map(PairOf) |
                "Window" >> windowing | "Sum" >> CombinePerKey(Sum{});
    if (accumulating) sums | View("sums");
    auto seen = Collect(sums);
    ASSERT_EQ(pipeline.Run(options).status, OkStatus());

    std::map<Cell, std::map<std::int64_t, testing::Collected<Pair>>> panes;
    std::map<std::int64_t, std::int64_t> by_key;
    for (const auto& element : seen->elements) {
      by_key[element.value.key] += element.value.value;
      const Cell cell{element.window, element.value.key};
      EXPECT_TRUE(panes[cell].emplace(element.pane.index, element).second);
    }
    std::map<Cell, std::int64_t> last;
    for (const auto& [cell, by_index] : panes) {
      std::int64_t next = 0;
      std::int64_t nonspeculative = 0;
      auto timing = PaneInfo::Timing::kEarly;
      for (const auto& [index, element] : by_index) {
        EXPECT_EQ(index, next++);
        EXPECT_EQ(element.pane.is_first, index == 0);
        EXPECT_GE(element.pane.timing, timing);  // early, then on time, then late
        timing = element.pane.timing;
        EXPECT_EQ(element.pane.nonspeculative_index, timing == PaneInfo::Timing::kEarly ? -1 : nonspeculative++);
        last[cell] = element.value.value;
      }
    }
    const std::map<Cell, std::int64_t> expected = PlainSums(*events, gap);
    if (accumulating) {
      ExpectSame(WithoutMerged(last), expected, "Sum");
      std::map<Cell, std::int64_t> rows;
      const auto stored = views->Rows<std::int64_t, std::int64_t>("sums");
      ASSERT_EQ(stored.status(), OkStatus());
      for (const auto& row : *stored) {
        rows[{{row.window_start, row.window_end}, row.key}] = row.value;
      }
      ExpectSame(rows, expected, "View");
    } else {
      std::map<std::int64_t, std::int64_t> expected_by_key;
      for (const auto& [cell, sum] : expected) expected_by_key[cell.second] += sum;
      EXPECT_EQ(by_key, expected_by_key);
    }
    if (::testing::Test::HasFailure()) return;
  }
}

// What is more out of order than declared may come late. Then each element is in a pane or was counted as late.
TEST(SessionPaneLaws, PanesAndLateAccountForEveryElement) {
  std::int64_t late = 0;
  for (std::int64_t round = 0; round < base::TestRounds(30, 300); ++round) {
    Chance chance(base::TestSeed() * 13'000 + static_cast<std::uint64_t>(round));
    const Duration gap = Gap(chance);
    const auto events = chance.Events(chance.random.Between(1, 4'000), 50, std::chrono::minutes(20));
    const RunOptions options = chance.Options(true);
    WindowInto windowing{Sessions{gap}};
    const bool panes = chance.random.Chance(0.6);
    if (panes) {
      windowing = windowing.Triggering(AnyTrigger(chance)).AllowedLateness(seconds(chance.random.Between(1, 100)));
      windowing = windowing.Discarding();
    }
    SCOPED_TRACE("seed " + std::to_string(base::TestSeed()) + ", round " + std::to_string(round) + ", " +
                 windowing.strategy.ToString() + ", " + Describe(options));
    Pipeline pipeline;
    auto pairs = pipeline | "Read" >> Read(EventSource{events, chance.random.Chance(0.5)}).MaxDisorder(seconds(1)) |
                 "Pairs" >> Map(PairOf) | "Window" >> windowing;
    auto counts = Collect(pairs | "Count" >> CombinePerKey(Count{}), "Counts");
    auto groups = Collect(pairs | "Group" >> GroupByKey(), "Groups");
    const PipelineResult result = pipeline.Run(options);
    ASSERT_EQ(result.status, OkStatus());
    std::int64_t all = 0;
    for (const Partition& partition : *events) all += std::ssize(partition);
    std::int64_t counted = result.steps.at("Count").late_dropped;
    for (const auto& element : counts->elements) counted += element.value.value;
    EXPECT_EQ(counted, all);
    std::int64_t grouped = result.steps.at("Group").late_dropped;
    for (const auto& element : groups->elements) grouped += std::ssize(element.value.value);
    EXPECT_EQ(grouped, all);
    late += result.steps.at("Count").late_dropped;
    if (::testing::Test::HasFailure()) return;
  }
  EXPECT_GT(late, 0);
}

/// Fails the run when so many elements have passed.
struct SessionFuse {
  std::atomic<std::int64_t> left{0};
};
struct BurnSession {
  std::shared_ptr<SessionFuse> fuse;
  void ProcessElement(const Event& event, Output<Event> out) const {
    if (fuse->left.fetch_sub(1) <= 0) throw std::runtime_error("broken off");
    out.Emit(event);
  }
};

void Build(Pipeline& pipeline, std::shared_ptr<const std::vector<Partition>> events, Duration disorder, Duration gap,
           std::shared_ptr<SessionFuse> fuse) {
  auto pairs = pipeline | "Read" >> Read(EventSource{std::move(events), true}).MaxDisorder(disorder) |
               "Burn" >> ParDo(BurnSession{std::move(fuse)}) | "Pairs" >> Map(PairOf);
  pairs | "Once" >> WindowInto(Sessions{gap}) | "OnceSum" >> CombinePerKey(Sum{}) | View("once");
  pairs |
      "Panes" >> WindowInto(Sessions{gap})
                     .Triggering(AfterWatermark{.early = AfterCount{3}, .late = AfterCount{1}})
                     .AllowedLateness(seconds(60))
                     .Accumulating() |
      "PaneSum" >> CombinePerKey(Sum{}) | View("panes");
  pairs | "Groups" >> WindowInto(Sessions{gap}) | "Group" >> GroupByKey{} |
      "SumOfGroup" >> Map([](const auto& group) { return Pair{group.key, SumOf(group.value)}; }) | View("groups");
}

TEST(SessionCheckpointLaws, ARunThatIsBrokenOffGivesWhatThePlainLoopGives) {
  std::int64_t restored = 0;
  for (std::int64_t round = 0; round < base::TestRounds(12, 300); ++round) {
    SCOPED_TRACE("MILLRACE_TEST_SEED=" + std::to_string(base::TestSeed()) + ", round " + std::to_string(round));
    Chance chance(base::TestSeed() * 1'000'000 + 88'000 + static_cast<std::uint64_t>(round));
    const Duration gap = Gap(chance);
    const Duration disorder(chance.random.Between(0, 60'000'000));
    const auto events = chance.Events(chance.random.Between(1, 40'000), 60, disorder);
    auto views = std::make_shared<EpochViews>();
    const TemporaryCheckpoints folder;
    for (int attempt = 1;; ++attempt) {
      ASSERT_LT(attempt, 200);
      auto fuse = std::make_shared<SessionFuse>();
      fuse->left = attempt > 8 ? std::numeric_limits<std::int64_t>::max() : chance.random.Between(0, 50'000);
      Pipeline pipeline;
      Build(pipeline, events, disorder, gap, fuse);
      RunOptions options = chance.Options(true);
      options.bundle_elements = chance.random.Between(1, 200);
      options.views = views;
      options.checkpoints =
          CheckpointOptions{.folder = folder.path(), .interval = milliseconds(chance.random.Between(1, 20))};
      const PipelineResult result = pipeline.Run(options);
      restored += views->restored_epoch() > 0 ? 1 : 0;
      if (result.ok()) break;
      ASSERT_THAT(result.status.message(), ::testing::HasSubstr("broken off")) << Describe(options);
    }
    const std::map<Cell, std::int64_t> expected = PlainSums(*events, gap);
    for (const char* view : {"once", "groups", "panes"}) {
      std::map<Cell, std::int64_t> got;
      std::map<Cell, int> on_time;
      for (const EpochViews::Row& row : views->Rows(view)) {
        got[{row.window, row.key}] = row.value;  // the last one counts
        on_time[{row.window, row.key}] += row.timing == CellTiming::kOnTime ? 1 : 0;
      }
      ExpectSame(WithoutMerged(got), expected, view);
      for (const auto& [cell, sum] : expected) EXPECT_EQ(on_time[cell], 1) << view << ": the on-time pane comes once";
    }
    if (::testing::Test::HasFailure()) return;
  }
  EXPECT_GT(restored, 0);
}

}  // namespace
}  // namespace millrace::laws
