// A worker whose input has ended goes on coming to the barriers, so that the checkpoints of a pipeline without an
// exchange do not end with its shortest input.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "epoch_views.h"

namespace millrace::laws {
namespace {

using std::chrono::milliseconds;

constexpr std::int64_t kShort = 5;
constexpr std::int64_t kLong = 400;

/// A partition that ends at once, and one that gives an element each millisecond.
struct TwoPartitions {
  using Element = std::int64_t;
  std::shared_ptr<std::atomic<std::int64_t>> position;  // of the long one

  StatusOr<std::vector<Restriction>> InitialRestrictions(const SplitOptions&) const {
    return std::vector{Restriction{.partition = "long", .from = 0, .to = kLong},
                       Restriction{.partition = "short", .from = 1'000'000, .to = 1'000'000 + kShort}};
  }
  StatusOr<ProcessContinuation> Read(RestrictionTracker& tracker, WatermarkEstimator&, SourceOutput<Element>& out) {
    const bool is_long = tracker.partition() == "long";
    for (std::int64_t i = tracker.from(); tracker.TryClaim(i); ++i) {
      out.Emit(i, Timestamp::Min());
      if (!is_long) continue;
      position->store(i + 1);
      return ProcessContinuation::Resume(milliseconds(1));
    }
    return ProcessContinuation::Stop();
  }
};

/// How often each element has passed.
struct Passed {
  std::mutex mutex;
  std::map<std::int64_t, int> times;
};

struct Pass {
  std::shared_ptr<Passed> passed;
  void ProcessElement(const std::int64_t& element) const {
    const std::lock_guard lock(passed->mutex);
    ++passed->times[element];
  }
};

struct Outcome {
  PipelineResult result;
  std::vector<std::int64_t> positions;  // of the long partition at each commit
};

Outcome RunOnce(const std::string& folder, std::shared_ptr<Passed> passed, std::int64_t stop_at,
                milliseconds interval) {
  Outcome outcome;
  auto position = std::make_shared<std::atomic<std::int64_t>>(0);
  Pipeline pipeline;
  pipeline | "Read" >> Read(TwoPartitions{position}) | "Pass" >> ParDo(Pass{std::move(passed)});
  RunOptions options;
  options.threads = 2;
  options.checkpoints = CheckpointOptions{.folder = folder, .interval = interval};
  options.checkpoints->on_commit = [&](std::uint64_t) {
    outcome.positions.push_back(position->load());
    return OkStatus();
  };
  options.cancel = std::make_shared<std::atomic<bool>>(false);
  options.progress_interval = milliseconds(1);
  options.on_progress = [&](const Progress&) {
    if (position->load() >= stop_at) options.cancel->store(true);
  };
  outcome.result = pipeline.Run(options);
  return outcome;
}

TEST(DoneWorker, LetsTheCheckpointsOfTheOthersGoOn) {
  const TemporaryCheckpoints folder;
  auto passed = std::make_shared<Passed>();
  const Outcome outcome = RunOnce(folder.path(), passed, kLong + 1, milliseconds(5));
  ASSERT_EQ(outcome.result.status, OkStatus());
  // The last one is that of the end.
  std::int64_t late = 0;
  for (std::size_t i = 0; i + 1 < outcome.positions.size(); ++i) late += outcome.positions[i] > kLong / 4 ? 1 : 0;
  EXPECT_GE(late, 5) << "of " << outcome.positions.size();
  EXPECT_EQ(passed->times.size(), static_cast<std::size_t>(kShort + kLong));
}

TEST(DoneWorker, LetsAStoppedRunGoOnWhereItWas) {
  const TemporaryCheckpoints folder;
  auto passed = std::make_shared<Passed>();
  // The only checkpoints are those that the stop asks for.
  const Outcome stopped = RunOnce(folder.path(), passed, kLong / 2, std::chrono::hours(1));
  ASSERT_EQ(stopped.result.status, OkStatus());
  ASSERT_EQ(stopped.result.state, PipelineResult::State::kCancelled);
  ASSERT_FALSE(stopped.positions.empty());
  EXPECT_GE(stopped.positions[0], kLong / 2);
  const Outcome finished = RunOnce(folder.path(), passed, kLong + 1, std::chrono::hours(1));
  ASSERT_TRUE(finished.result.ok()) << finished.result.status;
  EXPECT_EQ(passed->times.size(), static_cast<std::size_t>(kShort + kLong));
  // What passed between the checkpoint and the end of the first run passes again.
  for (const auto& [element, times] : passed->times) {
    const bool is_before = element < kLong / 2 || element >= kLong;
    EXPECT_LE(times, is_before ? 1 : 2) << element;
  }
  EXPECT_TRUE(ProblemsOf(finished.result.ledger.total).empty());
}

}  // namespace
}  // namespace millrace::laws
