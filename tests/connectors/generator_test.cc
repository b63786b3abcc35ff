// Generate: which numbers with which times, at which rate, and how the watermark follows.
#include "millrace/io/generator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "millrace/millrace.h"
#include "millrace/testing/collect.h"

namespace millrace {
namespace {

using testing::Collect;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

std::map<std::int64_t, Timestamp> Numbers(const generator::Sequence& sequence, const RunOptions& options) {
  Pipeline pipeline;
  auto seen = Collect(pipeline | "Numbers" >> Generate(sequence));
  EXPECT_EQ(pipeline.Run(options).status, OkStatus());
  std::map<std::int64_t, Timestamp> numbers;
  for (const auto& element : seen->elements) {
    EXPECT_TRUE(numbers.emplace(element.value, element.timestamp).second) << element.value << " came twice";
  }
  return numbers;
}

TEST(GeneratorTest, TheNumbersDependOnNothingElse) {
  generator::Sequence sequence{
      .count = 1000, .start = -5, .event_time_start = Timestamp::FromSeconds(100), .event_time_step = 1s};
  std::map<std::int64_t, Timestamp> expected;
  for (std::int64_t i = 0; i < 1000; ++i) expected[i - 5] = Timestamp::FromSeconds(100 + i);
  for (const int partitions : {1, 3, 1000, 2000}) {
    for (const int threads : {1, 2, 3, 4}) {
      for (const std::int64_t bundle : {1, 2, 3, 5, 7, 100000}) {
        RunOptions options;
        options.threads = threads;
        options.bundle_elements = bundle;
        options.streaming = bundle % 2 == 0;
        sequence.partitions = partitions;
        ASSERT_EQ(Numbers(sequence, options), expected) << partitions << " " << threads << " " << bundle;
      }
    }
  }
  EXPECT_TRUE(Numbers({.count = 0}, {}).empty());
}

TEST(GeneratorTest, DisorderIsBoundedAndTheSameEveryTime) {
  const generator::Sequence sequence{
      .count = 2000, .event_time_start = Timestamp::FromSeconds(0), .event_time_step = 10ms, .disorder = 5s};
  const auto numbers = Numbers(sequence, {});
  Duration least = 10s;
  Duration most{0};
  for (const auto& [number, time] : numbers) {
    const Duration early = Timestamp::FromMillis(number * 10) - time;
    least = std::min(least, early);
    most = std::max(most, early);
  }
  EXPECT_GE(least, Duration(0));
  EXPECT_LT(least, 100ms);
  EXPECT_LE(most, 5s);
  EXPECT_GT(most, 4900ms);
  EXPECT_EQ(Numbers(sequence, {}), numbers);
}

// The sums of ten-second windows and how many elements were late, in streaming mode.
std::pair<std::map<std::int64_t, std::int64_t>, std::int64_t> Windows(std::optional<Duration> declared) {
  Pipeline pipeline;
  auto read = Generate({.count = 20'000,
                        .event_time_start = Timestamp::FromSeconds(1000),
                        .event_time_step = 10ms,
                        .disorder = 5s,
                        .partitions = 2});
  if (declared) read = read.MaxDisorder(*declared);
  auto counts = Collect(pipeline | "Numbers" >> read | "Windows" >> WindowInto(FixedWindows{10s}) |
                        "Count" >> CombineGlobally(Count{}).WithoutDefaults());
  RunOptions options;
  options.streaming = true;
  options.bundle_elements = 100;
  const PipelineResult result = pipeline.Run(options);
  EXPECT_EQ(result.status, OkStatus());
  std::map<std::int64_t, std::int64_t> by_start;
  for (const auto& element : counts->elements) by_start[element.window.start.micros() / 1'000'000] += element.value;
  return {by_start, result.steps.at("Count").late_dropped};
}

TEST(GeneratorTest, NothingIsLateUnlessLessDisorderIsDeclared) {
  const auto [exact, none] = Windows(std::nullopt);
  std::int64_t sum = 0;
  for (const auto& [start, count] : exact) sum += count;
  EXPECT_EQ(sum, 20'000);
  EXPECT_EQ(none, 0);
  const auto [enough, still_none] = Windows(5s);
  EXPECT_EQ(enough, exact);
  EXPECT_EQ(still_none, 0);
  const auto [short_of, late] = Windows(1s);
  EXPECT_GT(late, 0);
}

TEST(GeneratorTest, KeepsItsRate) {
  RunOptions options;
  options.streaming = true;
  options.threads = 2;
  const auto begin = std::chrono::steady_clock::now();
  const auto numbers = Numbers({.count = 300, .rate_per_s = 1000, .partitions = 3}, options);
  const auto elapsed = std::chrono::steady_clock::now() - begin;
  EXPECT_EQ(numbers.size(), 300U);
  EXPECT_GE(elapsed, 99 * 3ms - 5ms);  // the last of each partition is due after 99 of its steps
  EXPECT_LT(elapsed, 30s);
}

TEST(GeneratorTest, WithoutEndItRunsUntilItIsCancelled) {
  Pipeline pipeline;
  auto cancel = std::make_shared<std::atomic<bool>>(false);
  std::atomic<std::int64_t> seen = 0;
  pipeline | "Numbers" >> Generate({.partitions = 3}) | "Watch" >> ParDo([&](const std::int64_t&, Timestamp at) {
                                                          EXPECT_GT(at, *Timestamp::Parse("2020-01-01"));
                                                          if (++seen > 100'000) cancel->store(true);
                                                        });
  RunOptions options;
  options.streaming = true;
  options.cancel = cancel;
  const PipelineResult result = pipeline.Run(options);
  EXPECT_EQ(result.state, PipelineResult::State::kCancelled);
  EXPECT_GT(seen, 100'000);
}

TEST(GeneratorTest, MistakesAreReportedBeforeTheRun) {
  for (const generator::Sequence& wrong : {generator::Sequence{.partitions = 0},
                                           {.count = -1},
                                           {.rate_per_s = -1},
                                           {.disorder = -1s},
                                           {.event_time_step = -1s}}) {
    Pipeline pipeline;
    Collect(pipeline | "Numbers" >> Generate(wrong));
    EXPECT_THAT(pipeline.Run().status.message(), HasSubstr("Numbers: partitions must be at least 1"));
  }
}

}  // namespace
}  // namespace millrace
