#include "runner/native/status_snapshot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "millrace/millrace.h"
#include "millrace/runner/run_options.h"

namespace millrace::native {
namespace {

using std::chrono::minutes;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr std::int64_t kTicks = 100;

// A hundred ticks, a minute after each other, and then nothing more, but no end either.
struct Ticks {
  using Element = std::int64_t;
  static constexpr bool kUnbounded = true;
  StatusOr<std::vector<Restriction>> InitialRestrictions(const SplitOptions&) const {
    return std::vector{Restriction{.partition = "ticks/0"}};
  }
  StatusOr<ProcessContinuation> Read(RestrictionTracker& tracker, WatermarkEstimator& watermark,
                                     SourceOutput<std::int64_t>& out) {
    for (std::int64_t i = tracker.from(); i < kTicks; ++i) {
      if (!tracker.TryClaim(i)) return ProcessContinuation::Stop();
      out.Emit(i, Timestamp::FromSeconds(i * 60));
      watermark.Set(Timestamp::FromSeconds(i * 60));
    }
    return ProcessContinuation::Resume(std::chrono::milliseconds(5));
  }
};

void Build(Pipeline& pipeline) {
  pipeline | "Ticks" >> Read(Ticks{}) | "Parity" >> Map([](std::int64_t i) {
                                          Metrics::Counter("ticks").Increment();
                                          return KV<std::int64_t, std::int64_t>{i % 2, i};
                                        }) |
      "Hours" >> WindowInto(FixedWindows{minutes(60)}) | "Count" >> CombinePerKey(Count{}) | View("counts");
}

const StepStatus& StepOf(const RunStatus& status, const std::string& label) {
  for (const StepStatus& step : status.steps) {
    if (step.label == label) return step;
  }
  ADD_FAILURE() << "no step " << label;
  return status.steps[0];
}

class StatusSnapshotTest : public ::testing::TestWithParam<int> {
 protected:
  // Runs until the status has what `done` wants, then cancels.
  template <class Done>
  RunStatus RunUntil(Done done) {
    Pipeline pipeline;
    Build(pipeline);
    RunOptions options{.streaming = true, .threads = GetParam()};
    options.status = board_;
    options.progress_interval = std::chrono::milliseconds(10);
    options.cancel = std::make_shared<std::atomic<bool>>(false);
    std::thread runner([&] { EXPECT_EQ(pipeline.Run(options).status, OkStatus()); });
    std::optional<RunStatus> status;
    for (int i = 0; i < 1'000 && !(status && done(*status)); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      status = board_->Read(Timestamp());
    }
    options.cancel->store(true);
    runner.join();
    EXPECT_TRUE(status && done(*status));
    return status.value_or(RunStatus{});
  }

  std::shared_ptr<StatusBoard> board_ = std::make_shared<StatusBoard>();
};

TEST_P(StatusSnapshotTest, TellsPartitionsStepsAndViews) {
  const Timestamp last = Timestamp::FromSeconds((kTicks - 1) * 60);
  const RunStatus status = RunUntil([&](const RunStatus& now) {
    return now.watermark == last && !now.views.empty() && now.views[0].cells_written == 2;
  });
  EXPECT_EQ(status.mode, "streaming");
  EXPECT_EQ(status.state, "running");
  EXPECT_EQ(status.threads, GetParam());
  EXPECT_EQ(status.elements_read, kTicks);

  ASSERT_EQ(status.sources.size(), 1U);
  ASSERT_EQ(status.sources[0].partitions.size(), 1U);
  const PartitionStatus& partition = status.sources[0].partitions[0];
  EXPECT_EQ(partition.partition, "ticks/0");
  EXPECT_EQ(partition.position, kTicks);
  EXPECT_EQ(partition.last_position, kTicks - 1);
  EXPECT_EQ(partition.last_event_time, last);
  EXPECT_EQ(partition.watermark, last);
  EXPECT_FALSE(partition.end);

  const StepStatus& count = StepOf(status, "Count");
  EXPECT_EQ(count.kind, "CombinePerKey");
  EXPECT_EQ(count.elements_in, kTicks);
  EXPECT_EQ(count.elements_out, 2);
  EXPECT_EQ(count.open_windows, 1);
  EXPECT_EQ(count.oldest_open_window->start, Timestamp::FromSeconds(3'600));
  EXPECT_GT(count.state_bytes, 0U);
  EXPECT_GE(status.state_bytes, count.state_bytes);
  EXPECT_EQ(StepOf(status, "Parity").metrics.counters.at("ticks"), kTicks);
  EXPECT_EQ(status.views[0].name, "counts");
  EXPECT_EQ(status.views[0].complete_through, last);
  EXPECT_TRUE(StepOf(status, status.views[0].step).metrics.counters.empty());

  EXPECT_THAT(HoldsText(status.holds), StartsWith(status.views[0].step + " <- Count <- "));
  EXPECT_THAT(HoldsText(status.holds), HasSubstr("Ticks <- ticks/0 <- last record offset 99 at 1970-01-01T01:39:00Z"));
  EXPECT_EQ(board_->Read(Timestamp())->state, "cancelled");
}

INSTANTIATE_TEST_SUITE_P(Threads, StatusSnapshotTest, ::testing::Values(1, 3));

TEST(StatusSnapshot, TellsTheEndOfARun) {
  const auto run = [](bool fails) {
    Pipeline pipeline;
    pipeline | "One" >> Create({1}) | "Maybe" >> Map([fails](int i) {
                                        if (fails) throw std::runtime_error("a broken mill");
                                        return i;
                                      });
    RunOptions options;
    options.status = std::make_shared<StatusBoard>();
    static_cast<void>(pipeline.Run(options));
    return *options.status->Read(Timestamp());
  };
  EXPECT_EQ(run(false).state, "done");
  EXPECT_EQ(run(false).watermark, Timestamp::Max());
  const RunStatus failed = run(true);
  EXPECT_EQ(failed.state, "failed");
  EXPECT_THAT(failed.failure, HasSubstr("a broken mill"));
}

}  // namespace
}  // namespace millrace::native
