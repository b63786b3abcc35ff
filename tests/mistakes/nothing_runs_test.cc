// A pipeline with mistakes names all of them and runs nothing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "millrace/io/view_sink.h"
#include "millrace/millrace.h"

namespace millrace {
namespace {

/// Counts how often it is asked for its restrictions, and read.
struct CountedSource {
  using Element = std::int64_t;
  std::shared_ptr<std::atomic<int>> calls;
  StatusOr<std::vector<Restriction>> InitialRestrictions(const SplitOptions&) const {
    ++*calls;
    return std::vector{Restriction{.partition = "", .from = 0, .to = 1}};
  }
  StatusOr<ProcessContinuation> Read(RestrictionTracker& tracker, WatermarkEstimator&, SourceOutput<Element>& out) {
    ++*calls;
    for (std::int64_t at = tracker.from(); tracker.TryClaim(at); ++at) out.Emit(at, Timestamp::Min());
    return ProcessContinuation::Stop();
  }
};

class NothingRunsTest : public ::testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(Modes, NothingRunsTest, ::testing::Bool(),
                         [](const auto& mode) { return mode.param ? "Streaming" : "Batch"; });

TEST_P(NothingRunsTest, AllMistakesAreReportedAndNoSourceIsOpened) {
  const auto calls = std::make_shared<std::atomic<int>>(0);
  Pipeline pipeline;
  auto numbers = pipeline | "Numbers" >> Read(CountedSource{calls});
  numbers | "Hours" >> WindowInto(FixedWindows{std::chrono::hours(-1)});
  numbers | "Dedupe" >> Deduplicate([](const std::int64_t& n) { return n; });
  auto counts = numbers | "Count" >> Count::PerElement();
  counts | "First" >> View("counts");
  counts | "Second" >> View("counts");
  RunOptions options;
  options.streaming = GetParam();
  const PipelineResult result = pipeline.Run(options);
  EXPECT_EQ(result.state, PipelineResult::State::kFailed);
  EXPECT_EQ(result.status.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(result.status.message(),
            "the pipeline has 3 mistakes:\n"
            "  Dedupe: Deduplicate has no horizon; say for how long of event time an id is remembered, such as "
            ".Within(24h)\n"
            "  Hours: the size and period of windows must be greater than zero\n"
            "  Second: there are two views named \"counts\"");
  EXPECT_EQ(*calls, 0);
  EXPECT_TRUE(result.steps.empty());
}

TEST_P(NothingRunsTest, TheSameSourceIsOpenedWithoutMistakes) {
  const auto calls = std::make_shared<std::atomic<int>>(0);
  Pipeline pipeline;
  pipeline | "Numbers" >> Read(CountedSource{calls}) | "Count" >> Count::PerElement();
  RunOptions options;
  options.streaming = GetParam();
  EXPECT_EQ(pipeline.Run(options).status, OkStatus());
  EXPECT_GT(*calls, 1);
}

}  // namespace
}  // namespace millrace
