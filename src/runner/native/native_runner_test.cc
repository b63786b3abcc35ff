// How runs end: failures, cancellation, back-pressure, many small runs.
#include "runner/native/native_runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <map>
#include <set>
#include <thread>

#include "millrace/millrace.h"
#include "millrace/testing/collect.h"

namespace millrace::native {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Collect;
using ::testing::HasSubstr;
using Steady = std::chrono::steady_clock;
using Pair = KV<std::int64_t, std::int64_t>;

/// Counts up in `parts` restrictions; may go on for ever.
struct Numbers {
  using Element = std::int64_t;
  std::int64_t count = 0;
  std::int64_t parts = 8;
  bool endless = false;

  StatusOr<std::vector<Restriction>> InitialRestrictions(const SplitOptions&) const {
    std::vector<Restriction> restrictions;
    for (std::int64_t i = 0; i < parts; ++i) {
      Restriction restriction{.partition = std::to_string(i), .from = i * count / parts};
      if (!endless) restriction.to = (i + 1) * count / parts;
      restrictions.push_back(restriction);
    }
    return restrictions;
  }
  StatusOr<ProcessContinuation> Read(RestrictionTracker& tracker, WatermarkEstimator&, SourceOutput<Element>& out) {
    for (std::int64_t i = tracker.from(); tracker.TryClaim(i); ++i) out.Emit(i, Timestamp::FromMillis(i));
    return ProcessContinuation::Stop();
  }
};

RunOptions Threads(int threads, bool streaming) {
  RunOptions options;
  options.threads = threads;
  options.streaming = streaming;
  options.bundle_elements = 1'000;
  return options;
}

Pair KeyOf(const std::int64_t& n) { return {n % 97, n}; }

class RunnerTest : public ::testing::TestWithParam<std::tuple<bool, int>> {
 protected:
  RunOptions Options() const { return Threads(std::get<1>(GetParam()), std::get<0>(GetParam())); }
  /// Runs, and fails the test if that takes longer than it should when work is abandoned.
  PipelineResult RunPromptly(Pipeline& pipeline, const RunOptions& options, Steady::duration limit = seconds(20)) {
    const auto start = Steady::now();
    PipelineResult result = pipeline.Run(options);
    EXPECT_LT(Steady::now() - start, limit);
    return result;
  }
};
INSTANTIATE_TEST_SUITE_P(Modes, RunnerTest, ::testing::Combine(::testing::Bool(), ::testing::Values(1, 2, 8)),
                         [](const auto& mode) {
                           return std::string(std::get<0>(mode.param) ? "Streaming" : "Batch") +
                                  std::to_string(std::get<1>(mode.param));
                         });

struct FailsAt {
  std::int64_t bad = 0;
  void ProcessElement(const Pair& pair, Output<Pair> out) const {
    if (pair.value == bad) throw std::runtime_error("bad number");
    out.Emit(pair);
  }
};

TEST_P(RunnerTest, AFailingElementEndsTheRunOfAllWorkers) {
  Pipeline pipeline;
  auto sums = pipeline | "Read" >> Read(Numbers{.count = 1, .endless = true}).MaxDisorder(seconds(1)) |
              "Keys" >> Map(KeyOf) | "Fail" >> ParDo(FailsAt{.bad = 123'456}) |
              "Window" >> WindowInto(FixedWindows{seconds(1)}) | "Sum" >> CombinePerKey(Sum{});
  Collect(sums);
  const PipelineResult result = RunPromptly(pipeline, Options());
  EXPECT_EQ(result.state, PipelineResult::State::kFailed);
  EXPECT_THAT(result.status.message(), HasSubstr("Fail: failed 4 times"));
  EXPECT_THAT(result.status.message(), HasSubstr("bad number"));
}

struct FailsInSetup {
  void Setup() const { throw std::runtime_error("no connection"); }
  void ProcessElement(const Pair& pair, Output<Pair> out) const { out.Emit(pair); }
};

TEST_P(RunnerTest, AFailingSetupEndsTheRun) {
  Pipeline pipeline;
  auto sums = pipeline | "Read" >> Read(Numbers{.count = 1, .endless = true}).MaxDisorder(seconds(1)) |
              "Keys" >> Map(KeyOf) | "Connect" >> ParDo(FailsInSetup{}) |
              "Window" >> WindowInto(FixedWindows{seconds(1)}) | "Sum" >> CombinePerKey(Sum{});
  Collect(sums);
  const PipelineResult result = RunPromptly(pipeline, Options());
  EXPECT_EQ(result.state, PipelineResult::State::kFailed);
  EXPECT_THAT(result.status.message(), HasSubstr("no connection"));
}

struct FailsInFinishBundle {
  void ProcessElement(const Pair& pair, Output<Pair> out) const { out.Emit(pair); }
  void FinishBundle() const { throw std::runtime_error("cannot flush"); }
};

TEST_P(RunnerTest, AFailingFinishBundleEndsTheRun) {
  Pipeline pipeline;
  Collect(pipeline | "Read" >> Read(Numbers{.count = 1, .endless = true}).MaxDisorder(seconds(1)) |
          "Keys" >> Map(KeyOf) | "Flush" >> ParDo(FailsInFinishBundle{}) |
          "Window" >> WindowInto(FixedWindows{seconds(1)}) | "Sum" >> CombinePerKey(Sum{}));
  const PipelineResult result = RunPromptly(pipeline, Options());
  EXPECT_EQ(result.state, PipelineResult::State::kFailed);
  EXPECT_THAT(result.status.message(), HasSubstr("cannot flush"));
}

struct FailingSource {
  using Element = std::int64_t;
  StatusOr<std::vector<Restriction>> InitialRestrictions(const SplitOptions&) const {
    return std::vector{Restriction{.partition = "0", .from = 0, .to = 10}, Restriction{.partition = "1"}};
  }
  StatusOr<ProcessContinuation> Read(RestrictionTracker& tracker, WatermarkEstimator&, SourceOutput<Element>&) {
    if (tracker.partition() == "0") return UnavailableError("the disk is gone");
    return ProcessContinuation::Resume(milliseconds(1));
  }
};

TEST_P(RunnerTest, AFailingSourceEndsTheRunWithItsStatus) {
  Pipeline pipeline;
  Collect(pipeline | "Source" >> Read(FailingSource{}));
  const PipelineResult result = RunPromptly(pipeline, Options());
  EXPECT_EQ(result.status.code(), StatusCode::kUnavailable);
  EXPECT_THAT(result.status.message(), HasSubstr("Source: the disk is gone"));
}

TEST_P(RunnerTest, CancellationEndsARunThatHasNoEnd) {
  Pipeline pipeline;
  auto counts = pipeline | "Read" >> Read(Numbers{.count = 1, .endless = true}).MaxDisorder(seconds(1)) |
                "Keys" >> Map(KeyOf) | "Window" >> WindowInto(FixedWindows{std::chrono::hours(1'000'000)}) |
                "Sum" >> CombinePerKey(Sum{});
  auto seen = Collect(counts);
  RunOptions options = Options();
  options.cancel = std::make_shared<std::atomic<bool>>(false);
  std::thread canceller([cancel = options.cancel] {
    std::this_thread::sleep_for(milliseconds(50));
    cancel->store(true);
  });
  const PipelineResult result = RunPromptly(pipeline, options);
  canceller.join();
  EXPECT_EQ(result.state, PipelineResult::State::kCancelled);
  EXPECT_EQ(result.status, OkStatus());
  EXPECT_EQ(seen->size(), 0U);  // open windows do not fire
}

/// Sleeps, and counts how far it is behind what was read.
struct Slow {
  std::shared_ptr<std::atomic<std::int64_t>> read;
  std::shared_ptr<std::atomic<std::int64_t>> written;
  std::shared_ptr<std::atomic<std::int64_t>> most_between;
  void ProcessElement(const Pair&) const {
    if (written->fetch_add(1) % 512 == 0) std::this_thread::sleep_for(milliseconds(1));
    const std::int64_t between = read->load() - written->load();
    std::int64_t most = most_between->load();
    while (between > most && !most_between->compare_exchange_weak(most, between)) {
    }
  }
};

// Queues are bounded, so what is between a fast source and a slow sink is bounded, too, however long the input is.
TEST_P(RunnerTest, ASlowSinkHoldsBackTheSource) {
  constexpr std::int64_t kElements = 200'000;
  const Slow slow{std::make_shared<std::atomic<std::int64_t>>(0), std::make_shared<std::atomic<std::int64_t>>(0),
                  std::make_shared<std::atomic<std::int64_t>>(0)};
  Pipeline pipeline;
  pipeline | "Read" >> Read(Numbers{.count = kElements}) | "Keys" >> Map([read = slow.read](const std::int64_t& n) {
                                                             read->fetch_add(1);
                                                             return KeyOf(n);
                                                           }) |
      "Reshuffle" >> Reshuffle() | "Slow" >> ParDo(slow);
  RunOptions options = Options();
  options.queue_batches = 1;
  const PipelineResult result = RunPromptly(pipeline, options, seconds(60));
  ASSERT_EQ(result.status, OkStatus());
  EXPECT_EQ(slow.written->load(), kElements);
  // Per worker: a batch in its queue, one open or waiting for each other worker, and the one in hand.
  const std::int64_t workers = options.threads;
  EXPECT_LE(slow.most_between->load(), workers * (workers + 3) * 512);
}

TEST_P(RunnerTest, KeyedStepsInARowDoNotLockUpOnFullQueues) {
  Pipeline pipeline;
  auto pairs = pipeline | "Read" >> Read(Numbers{.count = 60'000}).MaxDisorder(seconds(10)) | "Keys" >> Map(KeyOf) |
               "Reshuffle1" >> Reshuffle() | "Window" >> WindowInto(FixedWindows{seconds(1)});
  auto groups = pairs | "Group" >> GroupByKey() |
                "Ungroup" >> FlatMap([](const KV<std::int64_t, std::vector<std::int64_t>>& kv) {
                  std::vector<Pair> all;
                  for (const std::int64_t value : kv.value) all.push_back({value % 31, value});
                  return all;
                }) |
                "Reshuffle2" >> Reshuffle();
  auto sums = groups | "Again" >> GroupByKey() |
              "Sizes" >> Map([](const KV<std::int64_t, std::vector<std::int64_t>>& kv) {
                return static_cast<std::int64_t>(kv.value.size());
              }) |
              "Reshuffle3" >> Reshuffle();
  auto seen = Collect(sums);
  RunOptions options = Options();
  options.queue_batches = 1;
  const PipelineResult result = RunPromptly(pipeline, options, seconds(60));
  ASSERT_EQ(result.status, OkStatus());
  std::int64_t total = 0;
  for (const std::int64_t size : seen->values()) total += size;
  EXPECT_EQ(total, 60'000);
}

TEST_P(RunnerTest, ManySmallRuns) {
  for (int i = 0; i < 100; ++i) {
    Pipeline pipeline;
    auto sums = pipeline | "Read" >> Create(std::vector<std::int64_t>{1, 2, 3}) | "Keys" >> Map(KeyOf) |
                "Sum" >> CombinePerKey(Sum{}) | "Values" >> Values() | "Total" >> CombineGlobally(Sum{});
    auto seen = Collect(sums);
    ASSERT_EQ(pipeline.Run(Options()).status, OkStatus());
    ASSERT_EQ(seen->values(), std::vector<std::int64_t>{6});
  }
}

TEST_P(RunnerTest, MoreThreadsThanKeys) {
  Pipeline pipeline;
  auto sums = pipeline | "Read" >> Read(Numbers{.count = 50'000}).MaxDisorder(seconds(60)) |
              "Keys" >> Map([](const std::int64_t& n) { return Pair{n % 2, n}; }) | "Sum" >> CombinePerKey(Sum{});
  auto seen = Collect(sums);
  ASSERT_EQ(pipeline.Run(Options()).status, OkStatus());
  std::map<std::int64_t, std::int64_t> got;
  for (const Pair& pair : seen->values()) got[pair.key] = pair.value;
  EXPECT_THAT(got, ::testing::ElementsAre(::testing::Pair(0, 624'975'000), ::testing::Pair(1, 625'000'000)));
}

/// Emits numbers, then waits until all their panes have been seen, or for too long.
struct Patient {
  using Element = std::int64_t;
  std::function<bool()> seen_all;
  std::int64_t count = 0;
  int waits = 0;
  static constexpr bool kUnbounded = true;

  StatusOr<std::vector<Restriction>> InitialRestrictions(const SplitOptions&) const {
    return std::vector{Restriction{.partition = "0"}};
  }
  StatusOr<ProcessContinuation> Read(RestrictionTracker& tracker, WatermarkEstimator&, SourceOutput<Element>& out) {
    for (std::int64_t i = tracker.from(); i < count && tracker.TryClaim(i); ++i) out.Emit(i, Timestamp::FromSeconds(1));
    if (waits++ > 20'000) return InternalError("not all panes came while the source waited");
    return seen_all() ? ProcessContinuation::Stop() : ProcessContinuation::Resume(milliseconds(1));
  }
};

// What is gathered for other workers is sent though the watermark stands still: triggers wait for it.
TEST(StreamingTest, EarlyPanesOfAllKeysComeWhileTheWatermarkStandsStill) {
  for (const int threads : {1, 2, 5}) {
    constexpr std::int64_t kCount = 300;
    auto total = std::make_shared<std::atomic<std::int64_t>>(0);
    Pipeline pipeline;
    pipeline | "Read" >> Read(Patient{.seen_all = [total] { return total->load() == kCount; }, .count = kCount}) |
        "Keys" >> Map(KeyOf) |
        "Window" >> WindowInto(FixedWindows{seconds(10)})
                        .Triggering(AfterWatermark{.early = AfterProcessingTime{milliseconds(1)}})
                        .Discarding() |
        "Count" >> CombinePerKey(Count{}) | "Total" >> Map([total](const Pair& pair) {
                                              total->fetch_add(pair.value);
                                              return pair;
                                            });
    EXPECT_EQ(pipeline.Run(Threads(threads, true)).status, OkStatus()) << threads << " threads";
    EXPECT_EQ(total->load(), kCount);
  }
}

}  // namespace
}  // namespace millrace::native
