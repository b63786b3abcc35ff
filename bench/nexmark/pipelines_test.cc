// The queries as pipelines give the checks of the oracle, in both modes, in order and out of order, with any number of
// threads.
#include "nexmark/pipelines.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "base/random.h"
#include "base/test_settings.h"
#include "millrace/runner/rocksdb_state.h"
#include "nexmark/log_source.h"
#include "nexmark/oracle.h"

namespace millrace::nexmark {
namespace {

std::string OracleCheck(const Options& options) {
  const GeneratorConfig& config = options.generator;
  const int sums = SumsOfCheck(options.query);
  switch (options.query) {
    case Query::kQ0: return CheckOf(OracleQ0(config, options.events)).ToString(sums);
    case Query::kQ1: return CheckOf(OracleQ1(config, options.events)).ToString(sums);
    case Query::kQ2: return CheckOf(OracleQ2(config, options.events)).ToString(sums);
    case Query::kQ5: return CheckOf(OracleQ5(config, options.events)).ToString(sums);
    case Query::kQ7: return CheckOf(OracleQ7(config, options.events)).ToString(sums);
    case Query::kQ8: return CheckOf(OracleQ8(config, options.events)).ToString(sums);
    case Query::kQ12: return CheckOf(OracleQ12(config, options.events)).ToString(sums);
    case Query::kQk: return CheckOf(OracleQk(config, options.events, options.keys)).ToString(sums);
  }
  return "";
}

std::string PipelineCheck(const Options& options, const RunOptions& run, Status* status,
                          std::shared_ptr<Pace> pace = nullptr) {
  Pipeline pipeline;
  auto result = std::make_shared<CheckResult>();
  BuildQuery(options, pipeline, result, std::move(pace), run.threads);
  const PipelineResult outcome = pipeline.Run(run);
  *status = outcome.status;
  return result->check.ToString(SumsOfCheck(options.query));
}

class PipelinesTest : public ::testing::TestWithParam<Query> {};

INSTANTIATE_TEST_SUITE_P(Queries, PipelinesTest, ::testing::ValuesIn(kQueries),
                         [](const auto& query) { return std::string(QueryName(query.param)); });

TEST_P(PipelinesTest, GiveTheOraclesCheck) {
  base::Random random(base::TestSeed() * 31 + static_cast<std::uint64_t>(GetParam()));
  for (std::int64_t round = 0; round < base::TestRounds(4, 40); ++round) {
    Options options{.query = GetParam()};
    options.generator.seed = random.Next();
    options.generator.rate = 200 + random.Next() % 5'000;
    options.generator.disorder_log2 = static_cast<int>(random.Next() % 3 == 0 ? 0 : random.Next() % 13);
    options.events = 1'000 + random.Next() % 40'000;
    options.keys = 1 + random.Next() % 20'000;
    options.owned_strings = random.Next() % 4 == 0;
    const std::string expected = OracleCheck(options);
    for (const bool streaming : {false, true}) {
      for (const int threads : {1, 2, 8}) {
        RunOptions run{.streaming = streaming, .threads = threads};
        run.bundle_elements = static_cast<std::int64_t>(1 + random.Next() % 20'000);
        Status status;
        const std::string check = PipelineCheck(options, run, &status);
        ASSERT_EQ(status, OkStatus());
        ASSERT_EQ(check, expected) << "MILLRACE_TEST_SEED=" << base::TestSeed() << " round " << round << ", streaming "
                                   << streaming << ", threads " << threads << ", bundle " << run.bundle_elements
                                   << ", events " << options.events << ", disorder 2^"
                                   << options.generator.disorder_log2;
      }
    }
  }
}

TEST_P(PipelinesTest, GiveTheOraclesCheckAtAGivenRate) {
  Options options{.query = GetParam(), .events = 30'000};
  options.generator.rate = 5'000;
  const std::string expected = OracleCheck(options);
  for (const int threads : {1, 3}) {
    const auto pace = std::make_shared<Pace>(100'000, 4'600);
    Status status;
    EXPECT_EQ(PipelineCheck(options, {.streaming = true, .threads = threads}, &status, pace), expected);
    ASSERT_EQ(status, OkStatus());
    if (GetParam() == Query::kQ0) {
      EXPECT_GT(pace->Summary().max_ms, 0);
      EXPECT_LT(pace->Summary().p50_ms, 5'000);
    }
  }
}

TEST_P(PipelinesTest, GiveTheOraclesCheckWithCheckpoints) {
  Options options{.query = GetParam(), .events = 30'000};
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() /
      ("millrace_nexmark_" + std::to_string(::getpid()) + std::string(QueryName(GetParam())));
  RunOptions run{.streaming = true, .threads = 2, .bundle_elements = 200};
  run.checkpoints = CheckpointOptions{.folder = folder.string(), .interval = std::chrono::milliseconds(1)};
  Status status;
  EXPECT_EQ(PipelineCheck(options, run, &status), OracleCheck(options));
  EXPECT_EQ(status, OkStatus());
  std::filesystem::remove_all(folder);
}

TEST(LogSourceTest, GivesTheOraclesCheckFromALogThatWasFilledInTwoGoes) {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("millrace_nexmark_log_" + std::to_string(::getpid()));
  for (const Query query : {Query::kQ12, Query::kQk}) {
    Options options{.query = query, .events = 30'000, .keys = 5'000};
    options.generator.rate = 500;
    options.log_folder = (folder / QueryName(query)).string();
    for (int go = 0; go < 2; ++go) ASSERT_EQ(FillLog(options), OkStatus());
    for (const bool streaming : {false, true}) {
      Status status;
      EXPECT_EQ(PipelineCheck(options, {.streaming = streaming, .threads = 2}, &status), OracleCheck(options));
      EXPECT_EQ(status, OkStatus());
    }
    options.events = 30'001;
    EXPECT_EQ(FillLog(options).code(), StatusCode::kFailedPrecondition);
    options.query = Query::kQ5;
    EXPECT_EQ(FillLog(options).code(), StatusCode::kUnimplemented);
  }
  std::filesystem::remove_all(folder);
}

TEST_P(PipelinesTest, GiveTheOraclesCheckWithStateOutsideMemory) {
  Options options{.query = GetParam(), .events = 30'000};
  const std::string name = "millrace_nexmark_state_" + std::to_string(::getpid()) + std::string(QueryName(GetParam()));
  RunOptions run{.streaming = true, .threads = 2, .bundle_elements = 2'000};
  run.state = RocksdbState({.folder = (std::filesystem::temp_directory_path() / name).string(), .memory_bytes = 1});
  Status status;
  EXPECT_EQ(PipelineCheck(options, run, &status), OracleCheck(options));
  EXPECT_EQ(status, OkStatus());
}

// The checks of the benchmark's definition, at its 4,000,000 events.
TEST_P(PipelinesTest, GiveThePublishedCheck) {
  if (base::kSanitized) GTEST_SKIP() << "4,000,000 events take too long under a sanitizer; other builds check them";
  const auto published = [](Query query) -> std::string {
    switch (query) {
      case Query::kQ0: return "4000000,40656142710266";
      case Query::kQ1: return "4000000,36915776662916";
      case Query::kQ2: return "32852,338638035442";
      case Query::kQ5: return "53,44229,7090600";
      case Query::kQ7: return "9,899100000";
      case Query::kQ8: return "509983,255437675513";
      case Query::kQ12: return "93504,4000000,10423290360";
      case Query::kQk: return "";
    }
    return "";
  }(GetParam());
  if (published.empty()) GTEST_SKIP() << "the definition has no check for qk";
  for (const int disorder : {0, 12}) {
    Options options{.query = GetParam(), .events = kDefaultEvents};
    options.generator.disorder_log2 = disorder;
    Status status;
    EXPECT_EQ(PipelineCheck(options, {.streaming = true, .threads = 2}, &status), published);
    EXPECT_EQ(status, OkStatus());
  }
}

}  // namespace
}  // namespace millrace::nexmark
