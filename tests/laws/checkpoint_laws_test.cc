// A run that is broken off again and again, and each time goes on from its last checkpoint, gives what the plain loop
// gives: nothing is lost, nothing counts twice, whatever threads, bundles and moments.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <map>
#include <set>
#include <stdexcept>

#include "epoch_views.h"
#include "law_source.h"

namespace millrace::laws {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Pair = KV<std::int64_t, std::int64_t>;

/// Fails the run when so many elements have passed.
struct Fuse {
  std::atomic<std::int64_t> left{0};
};

struct Burn {
  std::shared_ptr<Fuse> fuse;
  void ProcessElement(const Event& event, Output<Event> out) const {
    if (fuse->left.fetch_sub(1) <= 0) throw std::runtime_error("broken off");
    out.Emit(event);
  }
};

/// Tells each key's number of elements in a window when it ends, counted by state, and by a timer.
struct CountByState {
  void OnHalf(const std::int64_t& key, State<"count", std::int64_t> count, Output<Pair> out) const {
    if (count.Read() < 0) out.Emit(Pair{key, -1});  // never
  }
  void ProcessElement(const Pair& pair, BoundedWindow window, State<"count", std::int64_t> count,
                      CombiningState<"sum", SumFn<std::int64_t>> sum, Timer<"half", &CountByState::OnHalf> half,
                      Output<Pair>) const {
    count.Write(count.Read() + 1);
    sum.Add(pair.value);
    half.Set(window.max_timestamp());
  }
  void OnWindowExpiration(const std::int64_t& key, State<"count", std::int64_t> count,
                          CombiningState<"sum", SumFn<std::int64_t>> sum, Output<Pair> out) const {
    out.Emit(Pair{key, count.Read() * 1'000'000 + sum.Read()});
  }
};

struct Weigh {
  void ProcessElement(const Pair& pair, SideInput<"weights", std::map<std::int64_t, std::int64_t>> weights,
                      Output<Pair> out) const {
    const auto found = weights->find(pair.key);
    out.Emit(Pair{pair.key, pair.value * (found == weights->end() ? 1 : found->second)});
  }
};

constexpr std::int64_t kKeys = 60;
const WindowFn kFixed = FixedWindows{seconds(300)};
const WindowFn kSliding = SlidingWindows{seconds(600), seconds(200)};

void Build(Pipeline& pipeline, std::shared_ptr<const std::vector<Partition>> events, Duration disorder,
           std::shared_ptr<Fuse> fuse) {
  std::vector<Pair> weights;
  for (std::int64_t key = 0; key < kKeys; key += 2) weights.push_back({key, key});
  auto side = pipeline | "Weights" >> Create(weights);
  auto pairs = pipeline | "Read" >> Read(EventSource{std::move(events), true}).MaxDisorder(disorder) |
               "Burn" >> ParDo(Burn{std::move(fuse)}) |
               "Dedupe" >> Deduplicate(&Event::value).Within(seconds(100'000)) |
               "Pairs" >> Map([](const Event& event) { return Pair{event.key, event.value}; });
  pairs | "Fixed" >> WindowInto(kFixed) | "Sum" >> CombinePerKey(Sum{}) | View("sums");
  pairs | "Sliding" >> WindowInto(kSliding) | "SlidingSum" >> CombinePerKey(Sum{}) | View("sliding_sums");
  pairs |
      "Panes" >> WindowInto(kFixed)
                     .Triggering(AfterWatermark{.early = AfterCount{7}, .late = AfterCount{1}})
                     .AllowedLateness(seconds(60))
                     .Accumulating() |
      "PaneSum" >> CombinePerKey(Sum{}) | View("pane_sums");
  pairs | "StateWindows" >> WindowInto(kFixed) | "ByState" >> ParDo(CountByState{}) | View("by_state");
  pairs | "Weigh" >> ParDo(Weigh{}).WithSideInput("weights", AsMap(side)) | "WeighedWindows" >> WindowInto(kFixed) |
      "WeighedSum" >> CombinePerKey(Sum{}) | View("weighed");
  pairs | "GroupWindows" >> WindowInto(kFixed) | "Group" >> GroupByKey{} |
      "Largest" >> Map([](const auto& group) {
        return Pair{group.key, *std::max_element(group.value.begin(), group.value.end())};
      }) |
      View("largest");
}

using Cells = std::map<std::pair<BoundedWindow, std::int64_t>, std::int64_t>;

std::map<std::string, Cells> PlainLoop(const std::vector<Partition>& partitions) {
  std::map<std::string, Cells> expected;
  std::map<std::pair<BoundedWindow, std::int64_t>, std::int64_t> counts;
  std::set<std::int64_t> seen;
  for (const Partition& partition : partitions) {
    for (const Event& event : partition) {
      if (!seen.insert(event.value).second) continue;
      const BoundedWindow window = kFixed.At(kFixed.LastStart(event.at));
      const std::pair cell{window, event.key};
      expected["sums"][cell] += event.value;
      expected["pane_sums"][cell] += event.value;
      expected["weighed"][cell] += event.value * (event.key % 2 == 0 ? event.key : 1);
      const auto largest = expected["largest"].try_emplace(cell, event.value).first;
      largest->second = std::max(largest->second, event.value);
      ++counts[cell];
      kSliding.ForEachWindow(event.at, [&](const BoundedWindow& sliding) {
        expected["sliding_sums"][{sliding, event.key}] += event.value;
      });
    }
  }
  for (const auto& [cell, count] : counts) expected["by_state"][cell] = count * 1'000'000 + expected["sums"][cell];
  return expected;
}

// Each id once, or at most twice as a copy in the same partition with the same time.
std::shared_ptr<const std::vector<Partition>> EventsWithCopies(Chance& chance, std::int64_t count, Duration disorder) {
  auto events = std::make_shared<std::vector<Partition>>(*chance.Events(count, kKeys, disorder));
  std::int64_t id = 0;
  for (Partition& partition : *events) {
    for (std::size_t i = 0; i < partition.size(); ++i) {
      partition[i].value = id++;
      if (i > 0 && chance.random.Chance(0.05)) partition[i] = partition[i - 1];
    }
  }
  return events;
}

void CheckCells(const EpochViews& views, const std::map<std::string, Cells>& expected) {
  for (const auto& [view, cells] : expected) {
    Cells got;
    std::size_t finals = 0;
    for (const EpochViews::Row& row : views.Rows(view)) {
      got[{row.window, row.key}] = row.value;  // the last one counts
      finals += row.timing == CellTiming::kOnTime ? 1 : 0;
    }
    EXPECT_TRUE(got == cells) << view << ": " << got.size() << " cells, expected " << cells.size();
    if (view != "by_state") {
      EXPECT_EQ(finals, cells.size()) << view << ": each on-time pane comes once";
    }
  }
}

TEST(CheckpointLaws, ARunThatIsBrokenOffGivesWhatThePlainLoopGives) {
  for (std::int64_t round = 0; round < base::TestRounds(12, 300); ++round) {
    SCOPED_TRACE("MILLRACE_TEST_SEED=" + std::to_string(base::TestSeed()) + ", round " + std::to_string(round));
    Chance chance(base::TestSeed() * 1'000'000 + 77'000 + static_cast<std::uint64_t>(round));
    const Duration disorder(chance.random.Between(0, 60'000'000));
    const auto events = EventsWithCopies(chance, chance.random.Between(1, 60'000), disorder);
    auto views = std::make_shared<EpochViews>();
    const TemporaryCheckpoints folder;
    int restored = 0;
    for (int attempt = 1;; ++attempt) {
      ASSERT_LT(attempt, 200);
      auto fuse = std::make_shared<Fuse>();
      fuse->left = attempt > 8 ? 1'000'000'000 : chance.random.Between(0, 70'000);
      Pipeline pipeline;
      Build(pipeline, events, disorder, fuse);
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
    CheckCells(*views, PlainLoop(*events));
    RecordProperty("restored", restored);
    if (::testing::Test::HasFailure()) return;
  }
}

// `folders`: each run has a folder of its own, and begins from the checkpoint in that of the one before.
void CheckStoppedRuns(std::uint64_t seed, bool folders) {
  Chance chance(seed);
  const auto events = EventsWithCopies(chance, 100'000, seconds(30));
  auto views = std::make_shared<EpochViews>();
  const TemporaryCheckpoints folder;
  std::uint64_t stops = 0;
  for (bool done = false; !done;) {
    Pipeline pipeline;
    auto fuse = std::make_shared<Fuse>();
    fuse->left = 1'000'000'000;
    Build(pipeline, events, seconds(30), fuse);
    RunOptions options = chance.Options(true);
    options.bundle_elements = 50;
    options.views = views;
    options.checkpoints = CheckpointOptions{.folder = folder.path(), .interval = seconds(1'000)};
    if (folders) {
      options.checkpoints->folder += "/" + std::to_string(stops);
      options.checkpoints->attempt = stops + 1;
      if (stops > 0) options.checkpoints->restore_folder = folder.path() + "/" + std::to_string(stops - 1);
    }
    options.cancel = std::make_shared<std::atomic<bool>>(false);
    options.progress_interval = milliseconds(1);
    options.on_progress = [&](const Progress& progress) {
      if (progress.elements_read > 20'000) options.cancel->store(true);
    };
    const PipelineResult result = pipeline.Run(options);
    ASSERT_EQ(result.status, OkStatus());
    done = result.ok();
    if (!done) ++stops;
    ASSERT_LT(stops, 100U);
  }
  EXPECT_GE(stops, 1U);
  CheckCells(*views, PlainLoop(*events));
}

TEST(CheckpointLaws, AStoppedRunGoesOnWithoutAGap) { CheckStoppedRuns(base::TestSeed() + 5, false); }

TEST(CheckpointLaws, ARunGoesOnInAFolderOfItsOwn) { CheckStoppedRuns(base::TestSeed() + 6, true); }

TEST(CheckpointLaws, AnErrorAfterACommitEndsTheRunAndTheCheckpointStays) {
  Chance chance(base::TestSeed() + 6);
  const auto events = EventsWithCopies(chance, 60'000, seconds(30));
  auto views = std::make_shared<EpochViews>();
  const TemporaryCheckpoints folder;
  auto fuse = std::make_shared<Fuse>();
  fuse->left = 1'000'000'000;
  const auto run = [&](std::function<Status(std::uint64_t)> on_commit) {
    Pipeline pipeline;
    Build(pipeline, events, seconds(30), fuse);
    RunOptions options = chance.Options(true);
    options.bundle_elements = 50;
    options.views = views;
    options.checkpoints = CheckpointOptions{.folder = folder.path(), .interval = milliseconds(1), .keep = 1'000};
    options.checkpoints->on_commit = std::move(on_commit);
    return pipeline.Run(options);
  };
  std::atomic<std::uint64_t> last = 0;
  const PipelineResult failed = run([&last](std::uint64_t epoch) {
    // A full disk is passed over.
    const bool first = last.exchange(epoch) == 0;
    return first ? ResourceExhaustedError("no room for it") : DataLossError("the device failed");
  });
  EXPECT_EQ(failed.state, PipelineResult::State::kFailed);
  EXPECT_EQ(failed.status, DataLossError("the device failed"));
  EXPECT_EQ(last, 2U);
  EXPECT_EQ(run([](std::uint64_t) { return OkStatus(); }).status, OkStatus());
  EXPECT_EQ(views->restored_epoch(), 2U);
  CheckCells(*views, PlainLoop(*events));
}

}  // namespace
}  // namespace millrace::laws
