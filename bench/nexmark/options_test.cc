#include "nexmark/options.h"

#include <gtest/gtest.h>

#include <string>

#include "nexmark/report.h"

namespace millrace::nexmark {
namespace {

TEST(OptionsTest, DefaultsDependOnTheQuery) {
  EXPECT_EQ(ParseOptions({"--query=q5"})->events, 4'000'000U);
  EXPECT_EQ(ParseOptions({"--query=qk"})->events, 10'000'000U);
  EXPECT_EQ(ParseOptions({"--events=7", "--query=qk"})->events, 7U);
}

TEST(OptionsTest, ReadsEveryFlag) {
  StatusOr<Options> options = ParseOptions({"--query=q12", "--events=10", "--seed=3", "--rate=9", "--disorder=2^4",
                                            "--keys=5", "--strings=owned", "--format=json", "--threads=2"});
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->query, Query::kQ12);
  EXPECT_EQ(options->generator.seed, 3U);
  EXPECT_EQ(options->generator.rate, 9U);
  EXPECT_EQ(options->generator.disorder_log2, 4);
  EXPECT_EQ(options->keys, 5U);
  EXPECT_TRUE(options->owned_strings);
  EXPECT_EQ(options->format, OutputFormat::kJson);
  EXPECT_FALSE(RejectUnknown(*options).ok()) << "--threads is another program's flag";
  EXPECT_EQ(options->Take("threads"), "2");
  EXPECT_EQ(options->Take("threads"), std::nullopt);
  EXPECT_TRUE(RejectUnknown(*options).ok());
}

TEST(OptionsTest, DisorderIsAPowerOfTwo) {
  EXPECT_EQ(ParseDisorder("2^12").value_or(-1), 12);
  EXPECT_EQ(ParseDisorder("4096").value_or(-1), 12);
  EXPECT_EQ(ParseDisorder("0").value_or(-1), 0);
  EXPECT_EQ(ParseDisorder("1").value_or(-1), 0);
  for (const char* wrong : {"12", "2^31", "2^", "-4", "", "2147483648"}) {
    EXPECT_FALSE(ParseDisorder(wrong).ok()) << wrong;
  }
}

TEST(OptionsTest, MistakesAreNamed) {
  const auto message = [](const std::vector<std::string>& arguments) {
    return ParseOptions(arguments).status().message();
  };
  EXPECT_NE(message({"--query=q6"}).find("q0, q1, q2, q5, q7, q8, q12, qk"), std::string::npos);
  EXPECT_NE(message({}).find("--query is missing"), std::string::npos);
  EXPECT_NE(message({"--query=q1", "--events=1x"}).find("--events=1x"), std::string::npos);
  EXPECT_NE(message({"--query=q1", "--events"}).find("\"--events\" is no flag"), std::string::npos);
  EXPECT_NE(message({"--query=q1", "--rate=0"}).find("rate is 0"), std::string::npos);
  EXPECT_NE(message({"--query=q1", "--keys=0"}).find("--keys=0"), std::string::npos);
  EXPECT_NE(message({"--query=q1", "--strings=x"}).find("pooled or owned"), std::string::npos);
}

TEST(ReportTest, JsonLineHasTheFieldsInOrder) {
  RunReport report;
  report.query = "q5";
  report.events = 4'000'000;
  report.threads = 2;
  report.mode = "streaming";
  report.wall_s = 2;
  report.cpu_s = 4;
  report.peak_rss_mb = 17.25;
  report.check = "53,1";
  EXPECT_EQ(ToJson(report),
            R"({"query":"q5","events":4000000,"threads":2,"mode":"streaming","wall_s":2.000000,"cpu_s":4.000000,)"
            R"("events_per_s":2000000,"events_per_cpu_s":1000000,"peak_rss_mb":17.2,"check":"53,1"})");
  report.latency = LatencySummary{1, 2, 3.5, 4};
  report.extra.emplace_back("strings", JsonQuoted("a\"b\n"));
  const std::string json = ToJson(report);
  EXPECT_NE(json.find(R"("latency_ms":{"p50":1.000,"p99":2.000,"p999":3.500,"max":4.000})"), std::string::npos);
  EXPECT_TRUE(json.ends_with(R"(,"strings":"a\"b\u000a"})")) << json;
}

TEST(ReportTest, MeterSeesTimeAndMemory) {
  const RunMeter meter;
  volatile std::uint64_t work = 0;
  while (ProcessCpuSeconds() < 0.05) work = work + 1;
  std::vector<char> memory(64 << 20);
  volatile char* bytes = memory.data();
  for (std::size_t i = 0; i < memory.size(); i += 1'024) bytes[i] = 'x';
  RunReport report;
  meter.Finish(report);
  EXPECT_GT(report.wall_s, 0);
  EXPECT_GT(report.cpu_s, 0);
  EXPECT_GE(report.peak_rss_mb, 64);
}

}  // namespace
}  // namespace millrace::nexmark
