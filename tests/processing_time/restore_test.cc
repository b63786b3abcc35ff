// After a restart from a checkpoint timers in processing time are set as they were, and readers see the pane of a side
// input that they saw before.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <limits>
#include <map>
#include <set>
#include <stdexcept>
#include <thread>

#include "../laws/epoch_views.h"
#include "../laws/law_source.h"

namespace millrace::laws {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Pair = KV<std::int64_t, std::int64_t>;
using Sums = std::map<std::int64_t, std::int64_t>;  // by key

Pair PairOf(const Event& event) { return {event.key, event.value}; }

/// Gathers each key's values for `delay`; what is left at the end is told as of key −1 − key.
struct GatherFor {
  using Self = GatherFor;
  void OnFlush(const std::int64_t& key, State<"sum", std::int64_t> sum, Output<Pair> out) const {
    out.Emit(Pair{key, sum.Read()});
    sum.Clear();
  }
  void ProcessElement(const Pair& pair, State<"sum", std::int64_t> sum,
                      Timer<"flush", &Self::OnFlush, TimeDomain::kProcessingTime> flush, Output<Pair>) const {
    if (sum.IsEmpty()) flush.SetRelative(delay);
    sum.Write(sum.Read() + pair.value);
  }
  void OnWindowExpiration(const std::int64_t& key, State<"sum", std::int64_t> sum, Output<Pair> out) const {
    if (!sum.IsEmpty()) out.Emit(Pair{-1 - key, sum.Read()});
  }
  Duration delay{0};
};

/// Ends the run when so many elements have passed.
struct TimerFuse {
  std::atomic<std::int64_t> left{std::numeric_limits<std::int64_t>::max()};
};
struct BurnTimer {
  std::shared_ptr<TimerFuse> fuse;
  void ProcessElement(const Event& event, Output<Event> out) const {
    if (fuse->left.fetch_sub(1) <= 0) throw std::runtime_error("broken off");
    out.Emit(event);
  }
};

void BuildGathering(Pipeline& pipeline, const std::shared_ptr<const std::vector<Partition>>& events, Duration delay,
                    std::shared_ptr<TimerFuse> fuse) {
  pipeline | "Read" >> Read(EventSource{events, true}).MaxDisorder(seconds(30)) |
      "Burn" >> ParDo(BurnTimer{std::move(fuse)}) | "Pairs" >> Map(PairOf) |
      "Gather" >> ParDo(GatherFor{.delay = delay}) | View("gathered");
}

Sums Total(const std::vector<Partition>& partitions) {
  Sums sums;
  for (const Partition& partition : partitions) {
    for (const Event& event : partition) sums[event.key] += event.value;
  }
  return sums;
}

TEST(TimerRestore, ARunThatIsBrokenOffTellsEachElementOnce) {
  std::int64_t restored = 0;
  std::int64_t flushed = 0;
  for (std::int64_t round = 0; round < base::TestRounds(8, 200); ++round) {
    SCOPED_TRACE("MILLRACE_TEST_SEED=" + std::to_string(base::TestSeed()) + ", round " + std::to_string(round));
    Chance chance(base::TestSeed() * 1'000'000 + 99'000 + static_cast<std::uint64_t>(round));
    const auto events = chance.Events(chance.random.Between(1, 100'000), 60, seconds(30));
    const Duration delay(chance.random.Between(0, 3'000));
    auto views = std::make_shared<EpochViews>();
    const TemporaryCheckpoints folder;
    for (int attempt = 1;; ++attempt) {
      ASSERT_LT(attempt, 200);
      auto fuse = std::make_shared<TimerFuse>();
      if (attempt <= 8) fuse->left = chance.random.Between(0, 100'000);
      Pipeline pipeline;
      BuildGathering(pipeline, events, delay, fuse);
      RunOptions options = chance.Options(true);
      options.bundle_elements = chance.random.Between(1, 100);
      options.views = views;
      options.checkpoints =
          CheckpointOptions{.folder = folder.path(), .interval = milliseconds(chance.random.Between(1, 5))};
      const PipelineResult result = pipeline.Run(options);
      restored += views->restored_epoch() > 0 ? 1 : 0;
      if (result.ok()) break;
      ASSERT_THAT(result.status.message(), ::testing::HasSubstr("broken off")) << Describe(options);
    }
    Sums got;
    for (const EpochViews::Row& row : views->Rows("gathered")) {
      got[row.key < 0 ? -1 - row.key : row.key] += row.value;
      flushed += row.key < 0 ? 0 : 1;
    }
    EXPECT_EQ(got, Total(*events));
    if (::testing::Test::HasFailure()) return;
  }
  EXPECT_GT(restored, 0);
  EXPECT_GT(flushed, 0);
}

// The clock stands still but for an hour between the runs: what is flushed then was set before.
TEST(TimerRestore, ATimerWhoseTimeComesWhileNothingRunsFiresAfterTheRestart) {
  Chance chance(base::TestSeed() + 41);
  const auto events = chance.Events(100'000, 60, seconds(30));
  auto views = std::make_shared<EpochViews>();
  const TemporaryCheckpoints folder;
  const auto run = [&](Duration now, bool stops) {
    Pipeline pipeline;
    BuildGathering(pipeline, events, hours(1), std::make_shared<TimerFuse>());
    RunOptions options = chance.Options(true);
    options.bundle_elements = 50;
    options.views = views;
    options.processing_time = [now] { return Timestamp(now); };
    options.checkpoints = CheckpointOptions{.folder = folder.path(), .interval = seconds(1'000)};
    options.cancel = std::make_shared<std::atomic<bool>>(false);
    options.progress_interval = milliseconds(1);
    options.on_progress = [&](const Progress& progress) {
      if (stops && progress.elements_read > 20'000) options.cancel->store(true);
    };
    return pipeline.Run(options);
  };
  ASSERT_EQ(run(hours(0), true).state, PipelineResult::State::kCancelled);
  EXPECT_THAT(views->Rows("gathered"), ::testing::IsEmpty());
  ASSERT_EQ(run(hours(2), false).state, PipelineResult::State::kDone);
  Sums flushed;
  Sums all;
  for (const EpochViews::Row& row : views->Rows("gathered")) {
    if (row.key >= 0) {
      EXPECT_TRUE(flushed.emplace(row.key, row.value).second);
    }
    all[row.key < 0 ? -1 - row.key : row.key] += row.value;
  }
  EXPECT_EQ(flushed.size(), 60U);
  EXPECT_NE(flushed, all);
  EXPECT_EQ(all, Total(*events));
}

/// What the readers of the side input have in common with the test.
struct Watch {
  std::int64_t last = 0;  // the side input's last value
  std::atomic<bool> saw_last{false};
  std::atomic<int> commits_since{0};
  bool breaks_off = false;
  std::atomic<std::int64_t> sides_read{0};
};

struct Rate {
  void ProcessElement(const Pair& pair, SideInput<"rate", std::int64_t> rate, Output<Pair> out) const {
    if (*rate == watch->last) watch->saw_last = true;
    if (watch->breaks_off) {
      if (watch->commits_since >= 2) throw std::runtime_error("broken off");
      std::this_thread::sleep_for(microseconds(20));
    }
    out.Emit(Pair{pair.value, *rate});
  }
  std::shared_ptr<Watch> watch;
};

TEST(SideInputRestore, ReadersSeeThePaneThatTheySawBefore) {
  Chance chance(base::TestSeed() + 42);
  constexpr std::int64_t kRates = 500;
  auto mains = std::make_shared<std::vector<Partition>>(*chance.Events(200'000, 60, seconds(30)));
  std::int64_t id = 0;
  for (Partition& partition : *mains) {
    for (Event& event : partition) event.value = id++;
  }
  auto rates = std::make_shared<std::vector<Partition>>(1);
  for (std::int64_t i = 1; i <= kRates; ++i) (*rates)[0].push_back({.key = 0, .value = i, .at = (*mains)[0][0].at});
  auto views = std::make_shared<EpochViews>();
  const TemporaryCheckpoints folder;
  const auto run = [&](bool breaks_off) {
    auto watch = std::make_shared<Watch>();
    watch->last = kRates;
    watch->breaks_off = breaks_off;
    Pipeline pipeline;
    auto rate = pipeline | "Rates" >> Read(EventSource{rates, true}).MaxDisorder(seconds(30)) |
                "Rate" >> Map([watch](const Event& event) {
                  ++watch->sides_read;
                  return event.value;
                }) |
                "Newest" >> WindowInto(GlobalWindows{}).Triggering(Repeatedly{AfterCount{1}}).Discarding();
    pipeline | "Mains" >> Read(EventSource{mains, true}).MaxDisorder(seconds(30)) | "Pairs" >> Map(PairOf) |
        "Ask" >> ParDo(Rate{watch}).WithSideInput("rate", AsSingleton(rate)) | "Spread" >> Reshuffle() |
        View("rated");  // no worker ends before the others
    RunOptions options = chance.Options(true);
    options.bundle_elements = 50;
    options.views = views;
    options.checkpoints = CheckpointOptions{.folder = folder.path(), .interval = milliseconds(1)};
    options.checkpoints->on_commit = [watch](std::uint64_t) {
      if (watch->saw_last) ++watch->commits_since;
      return OkStatus();
    };
    const PipelineResult result = pipeline.Run(options);
    EXPECT_EQ(result.state == PipelineResult::State::kFailed, breaks_off)
        << Describe(options) << ", saw the last: " << watch->saw_last << ", commits since: " << watch->commits_since;
    return std::pair(result.state, watch->sides_read.load());
  };
  ASSERT_EQ(run(true), std::pair(PipelineResult::State::kFailed, kRates));
  const std::size_t before = views->Rows("rated").size();
  // All of the side input has been read, and only the checkpoint can tell what it was.
  ASSERT_EQ(run(false), std::pair(PipelineResult::State::kDone, std::int64_t{0}));
  const std::vector<EpochViews::Row> rows = views->Rows("rated");
  ASSERT_GT(rows.size(), before);
  std::set<std::int64_t> ids;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    EXPECT_TRUE(ids.insert(rows[i].key).second);
    EXPECT_GE(rows[i].value, 1);
    if (i >= before) {
      ASSERT_EQ(rows[i].value, kRates);
    }
  }
  EXPECT_EQ(std::ssize(ids), id);
}

}  // namespace
}  // namespace millrace::laws
