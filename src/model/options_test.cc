#include "millrace/core/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cctype>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace millrace {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct AllKinds {
  bool verbose = false;
  std::int8_t small = 1;
  std::uint64_t large = 2;
  double ratio = 0.5;
  std::string inputFile = "rides.json";
  Duration window = std::chrono::minutes(90);
  Timestamp since = Timestamp::FromSeconds(0);
  std::optional<std::int32_t> limit;
  std::optional<bool> strict;
  std::vector<std::string> cities = {"Oslo"};
  std::vector<std::int64_t> codes;
  static constexpr OptionHelp kOptionHelp[] = {{"inputFile", "where the rides are"}};
};

struct ParseResult {
  AllKinds options;
  StatusOr<std::vector<std::string>> others = std::vector<std::string>();
};
ParseResult Parse(const std::vector<std::string>& arguments) {
  ParseResult result;
  OptionParser parser;
  parser.Add("Options", &result.options);
  result.others = parser.Parse(arguments);
  return result;
}
std::string ErrorOf(const std::vector<std::string>& arguments) { return Parse(arguments).others.status().message(); }

TEST(OptionsTest, WithoutArgumentsTheDefaultsStay) {
  const ParseResult parsed = Parse({});
  EXPECT_THAT(*parsed.others, IsEmpty());
  EXPECT_EQ(parsed.options.inputFile, "rides.json");
  EXPECT_EQ(parsed.options.limit, std::nullopt);
  EXPECT_THAT(parsed.options.cities, ElementsAre("Oslo"));
}

TEST(OptionsTest, EveryKindIsRead) {
  const ParseResult parsed = Parse({"--verbose", "--small=-5", "--large", "18446744073709551615", "--ratio=1e-3",
                                    "--input_file", "a=b", "--window=1h30m", "--since=2001-01-01", "--limit=0",
                                    "--strict", "--cities=Rome", "--cities", "Bern", "--codes=-7"});
  ASSERT_EQ(parsed.others.status(), OkStatus());
  EXPECT_TRUE(parsed.options.verbose);
  EXPECT_EQ(parsed.options.small, -5);
  EXPECT_EQ(parsed.options.large, 18446744073709551615U);
  EXPECT_EQ(parsed.options.ratio, 1e-3);
  EXPECT_EQ(parsed.options.inputFile, "a=b");
  EXPECT_EQ(parsed.options.window, std::chrono::minutes(90));
  EXPECT_EQ(parsed.options.since, Timestamp::FromSeconds(978'307'200));
  EXPECT_EQ(parsed.options.limit, 0);
  EXPECT_EQ(parsed.options.strict, true);
  EXPECT_THAT(parsed.options.cities, ElementsAre("Rome", "Bern"));
  EXPECT_THAT(parsed.options.codes, ElementsAre(-7));
}

TEST(OptionsTest, SnakeCaseAndCamelCaseAreOneName) {
  EXPECT_EQ(Parse({"--input_file=x"}).options.inputFile, "x");
  EXPECT_EQ(Parse({"--inputFile=x"}).options.inputFile, "x");
  PipelineOptions options;
  OptionParser parser;
  parser.Add("Options", &options);
  ASSERT_TRUE(parser.Parse(std::vector<std::string>{"--tempLocation=/t", "--jobName", "j", "--dataDir=d"}).ok());
  EXPECT_EQ(options.temp_location, "/t");
  EXPECT_EQ(options.job_name, "j");
  EXPECT_EQ(options.data_dir, "d");
}

TEST(OptionsTest, ABoolTakesNoArgumentBehindIt) {
  const ParseResult parsed = Parse({"--verbose", "false", "--strict=false"});
  EXPECT_TRUE(parsed.options.verbose);
  EXPECT_EQ(parsed.options.strict, false);
  EXPECT_THAT(*parsed.others, ElementsAre("false"));
}

TEST(OptionsTest, TheLastOneCounts) { EXPECT_EQ(Parse({"--small=1", "--small=2"}).options.small, 2); }

TEST(OptionsTest, OtherArgumentsKeepTheirOrder) {
  const ParseResult parsed = Parse({"query", "-5", "--small", "-6", "-.5", "-", "--", "--small=9", "--"});
  ASSERT_EQ(parsed.others.status(), OkStatus());
  EXPECT_THAT(*parsed.others, ElementsAre("query", "-5", "-.5", "-", "--small=9", "--"));
  EXPECT_EQ(parsed.options.small, -6);
}

TEST(OptionsTest, TextThatBeginsWithDashesIsNoOption) {
  const std::vector<std::string> texts = {"-- a comment", "-- x\nSELECT 1", "--why\nSELECT a = 1", "--\tx", "- x",
                                          "-- "};
  for (const std::string& text : texts) {
    const ParseResult parsed = Parse({"sql", text, "--small=1"});
    ASSERT_EQ(parsed.others.status(), OkStatus()) << text;
    EXPECT_THAT(*parsed.others, ElementsAre("sql", text));
    EXPECT_EQ(parsed.options.small, 1);
  }
  EXPECT_EQ(Parse({"--input_file", "-- x"}).options.inputFile, "-- x");
  EXPECT_EQ(Parse({"--input_file=a b = c"}).options.inputFile, "a b = c");
}

TEST(OptionsTest, AnUnknownOptionNamesTheNearest) {
  EXPECT_EQ(ErrorOf({"--inptu_file=x"}), "there is no option --inptu_file; did you mean --input_file?");
  EXPECT_EQ(ErrorOf({"--citys=x"}), "there is no option --citys; did you mean --cities?");
  EXPECT_EQ(ErrorOf({"--something_else"}), "there is no option --something_else; --help lists all");
  EXPECT_EQ(ErrorOf({"-verbose"}), "-verbose: options begin with two dashes: --verbose");
}

TEST(OptionsTest, EveryBadValueIsToldAtOnce) {
  EXPECT_EQ(ErrorOf({"--small=300", "--ratio=much", "--verbose=yes"}),
            "--small=300: 300 is out of the range -128 to 127\n"
            "--ratio=much: expected a number in range, found \"much\"\n"
            "--verbose=yes: expected true or false, found \"yes\"");
  EXPECT_THAT(ErrorOf({"--window=soon"}), HasSubstr("1h30m"));
  EXPECT_THAT(ErrorOf({"--since=noon"}), HasSubstr("2001-01-01T12:30:00.25Z"));
  EXPECT_EQ(ErrorOf({"--limit"}), "--limit needs a value: --limit=INTEGER");
  EXPECT_EQ(ErrorOf({"--input_file", "--verbose"}), "--input_file needs a value: --input_file=TEXT");
}

TEST(OptionsTest, HelpShowsTypesDefaultsAndTexts) {
  AllKinds options;
  OptionParser parser;
  parser.Add("Options of rides", &options);
  const std::string help = parser.Help();
  EXPECT_THAT(help, HasSubstr("Options of rides\n"));
  EXPECT_THAT(help, HasSubstr("--input_file=TEXT               where the rides are [rides.json]\n"));
  EXPECT_THAT(help, HasSubstr("--window=DURATION               [1h30m]\n"));
  EXPECT_THAT(help, HasSubstr("--since=TIME                    [1970-01-01T00:00:00Z]\n"));
  EXPECT_THAT(help, HasSubstr("--cities=TEXT                   (may be repeated) [Oslo]\n"));
  EXPECT_THAT(help, HasSubstr("  --verbose\n"));
  EXPECT_THAT(help, HasSubstr("  --limit=INTEGER\n"));
}

TEST(OptionsTest, HelpIsTheSameAfterParsing) {
  AllKinds options;
  OptionParser parser;
  parser.Add("Options", &options);
  const std::string before = parser.Help();
  ASSERT_TRUE(parser.Parse(std::vector<std::string>{"--small=100", "--cities=Rome"}).ok());
  EXPECT_EQ(parser.Help(), before);
}

struct Clashing {
  std::string runner;
  std::map<std::string, std::string> labels;
  static constexpr OptionHelp kOptionHelp[] = {{"input", "no such field"}};
};
TEST(OptionsTest, WhatIsWrongWithTheStructsIsToldAtOnce) {
  PipelineOptions first;
  Clashing second;
  OptionParser parser;
  parser.Add("First", &first);
  parser.Add("Second", &second);
  const std::string message = parser.Parse(std::vector<std::string>()).status().message();
  EXPECT_THAT(message, HasSubstr("Clashing::runner: the option --runner is taken already; rename the field"));
  EXPECT_THAT(message, HasSubstr("Clashing::labels is a map<string, string>, which no option can set"));
  EXPECT_THAT(message, HasSubstr("Clashing::kOptionHelp names input, which is no field"));
}

TEST(OptionsTest, RunnersThatAreNotHereAreRefused) {
  for (const char* here : {"native", "NativeRunner", "DirectRunner", "direct", "direct_runner"}) {
    PipelineOptions options;
    options.runner = here;
    EXPECT_TRUE(RunOptionsOf(options).ok()) << here;
  }
  PipelineOptions options;
  options.runner = "FlinkRunner";
  EXPECT_EQ(RunOptionsOf(options).status().code(), StatusCode::kUnimplemented);
  EXPECT_THAT(RunOptionsOf(options).status().message(), HasSubstr("not in this version"));
  options.runner = "Fast";
  EXPECT_EQ(RunOptionsOf(options).status().code(), StatusCode::kInvalidArgument);
}

TEST(OptionsTest, ModesAndThreads) {
  PipelineOptions options;
  EXPECT_FALSE(RunOptionsOf(options)->streaming);
  EXPECT_EQ(RunOptionsOf(options)->threads, 0);
  options.streaming = true;
  options.threads = 3;
  EXPECT_TRUE(RunOptionsOf(options)->streaming);
  EXPECT_EQ(RunOptionsOf(options)->threads, 3);
  options.batch = true;
  EXPECT_THAT(RunOptionsOf(options).status().message(), HasSubstr("exclude each other"));
  options.batch = false;
  options.threads = -1;
  EXPECT_THAT(RunOptionsOf(options).status().message(), HasSubstr("--threads=-1"));
}

TEST(OptionsTest, TheStateBackend) {
  PipelineOptions options;
  EXPECT_EQ(RunOptionsOf(options)->state.backend, StateBackend::kMemory);
  options.state_backend = "rocksdb";
  options.state_memory_mib = 3;
  options.temp_location = "scratch";
  const StatusOr<RunOptions> rocksdb = RunOptionsOf(options);
  EXPECT_EQ(rocksdb->state.backend, StateBackend::kRocksdb);
  EXPECT_EQ(rocksdb->state.memory_bytes, 3 << 20);
  EXPECT_EQ(rocksdb->state.folder, "scratch/state");
  options.state_memory_mib = 0;
  EXPECT_THAT(RunOptionsOf(options).status().message(), HasSubstr("--state_memory_mib=0"));
  options.state_backend = "hashmap";
  EXPECT_THAT(RunOptionsOf(options).status().message(), HasSubstr("--state_backend=hashmap"));
}

}  // namespace
}  // namespace millrace
