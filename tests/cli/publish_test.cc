// The verb `publish`, also killed and run again: each record is in the log once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <thread>

#include "base/file_system.h"
#include "base/random.h"
#include "base/test_settings.h"
#include "log/log_reader.h"
#include "millrace/core/json.h"
#include "program.h"

namespace millrace::cli_test {
namespace {

using ::testing::HasSubstr;

struct ReportLine {
  std::string kind;
  std::string id;
  std::int64_t sequence = 0;
  std::string data;
};

class PublishTest : public ::testing::Test {
 protected:
  static constexpr std::int64_t kRides = 3'000;

  PublishTest() {
    std::ofstream file(Input());
    for (std::int64_t i = 0; i < kRides; ++i) {
      file << "{\"number\":" << i << ",\"city\":\"" << (i % 3 == 0 ? "Rome" : "Oslo") << i % 20 << "\"}\n";
    }
  }

  std::string Input() const { return folder_.path() + "/rides.json"; }
  std::string Data() const { return folder_.path() + "/data"; }
  std::string Report() const { return folder_.path() + "/report"; }
  std::vector<std::string> Arguments(const std::vector<std::string>& more) const {
    std::vector<std::string> arguments = {"publish",
                                          Input(),
                                          "--data_dir=" + Data(),
                                          "--topic=rides",
                                          "--report=" + Report(),
                                          "--garbage=0.02",
                                          "--duplicates=0.05",
                                          "--late=0.05"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  // How often each text is in the log, and how many control records there are.
  std::map<std::string, std::int64_t> Log() const {
    std::map<std::string, std::int64_t> counts;
    auto reader = log::LogReader::Open(base::PosixFileSystem(), Data() + "/log", "rides");
    EXPECT_TRUE(reader.ok()) << reader.status();
    for (std::int32_t p = 0; reader.ok() && p < (*reader)->topic().partitions; ++p) {
      auto cursor = (*reader)->Read(p, 0);
      EXPECT_TRUE(cursor.ok()) << cursor.status();
      log::RecordView view;
      for (auto found = (*cursor)->Next(&view); found.ok() && *found != log::Found::kEnd;
           found = (*cursor)->Next(&view)) {
        ++counts[*found == log::Found::kControl ? "closed" : std::string(view.data)];
      }
    }
    return counts;
  }
  std::vector<ReportLine> ReportLines() const {
    std::vector<ReportLine> lines;
    std::ifstream file(Report());
    for (std::string line; std::getline(file, line) && !file.eof();) {  // a kill may tear the last line
      auto parsed = json::Parse<ReportLine>(line);
      EXPECT_TRUE(parsed.ok()) << line;
      if (parsed.ok()) lines.push_back(*parsed);
    }
    return lines;
  }
  // What the report and the input say must be in the log.
  std::map<std::string, std::int64_t> Expected() const {
    std::map<std::string, std::int64_t> counts;
    std::vector<std::string> texts;
    std::ifstream file(Input());
    for (std::string line; std::getline(file, line);) texts.push_back(line);
    for (const std::string& text : texts) ++counts[text];
    for (const ReportLine& line : ReportLines()) {
      if (line.kind == "duplicate") ++counts[texts[std::stoul(line.id)]];
      if (line.kind == "garbage") ++counts[line.data];
    }
    return counts;
  }

  TemporaryFolder folder_;
};

TEST_F(PublishTest, PublishesEachEventOnceAndReportsTheRest) {
  const Outcome outcome = RunRides(Arguments({}));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("3,000 events ("));
  EXPECT_EQ(Log(), Expected());
  const std::vector<ReportLine> lines = ReportLines();
  ASSERT_GT(lines.size(), 300U);
  EXPECT_EQ(lines.back().kind, "done");
  std::int64_t records = 0;
  for (const auto& [text, count] : Log()) records += count;
  EXPECT_EQ(lines.back().sequence, records);
}

TEST_F(PublishTest, RunAgainItAppendsNothingAndCanStillClose) {
  ASSERT_EQ(RunRides(Arguments({})).exit_code, 0);
  const auto before = Log();
  const Outcome again = RunRides(Arguments({}));
  ASSERT_EQ(again.exit_code, 0) << again.err;
  EXPECT_THAT(again.err, HasSubstr(": 0 appended, "));
  EXPECT_EQ(Log(), before);
  const Outcome closed = RunRides(Arguments({"--close"}));
  ASSERT_EQ(closed.exit_code, 0) << closed.err;
  auto log = Log();
  EXPECT_EQ(log["closed"], 4);
  log.erase("closed");
  EXPECT_EQ(log, before);
  EXPECT_EQ(RunRides(Arguments({"--close"})).exit_code, 0);
}

TEST_F(PublishTest, KilledAtAnyMomentItGoesOn) {
  base::Random random(base::TestSeed());
  SCOPED_TRACE("MILLRACE_TEST_SEED=" + std::to_string(base::TestSeed()));
  const std::int64_t rounds = base::TestRounds(4, 60);
  for (std::int64_t round = 0; round < rounds; ++round) {
    Child child("rides", Arguments({"--rate=6000", "--sync=always"}));
    std::this_thread::sleep_for(std::chrono::milliseconds(random.Between(5, 250)));
    child.Signal(SIGKILL);
    child.Wait();
    // All that the log holds and that is no event was reported before.
    if (!std::filesystem::exists(Report())) continue;
    const auto expected = Expected();
    for (const auto& [text, count] : Log()) {
      const auto found = expected.find(text);
      ASSERT_NE(found, expected.end()) << text;
      EXPECT_LE(count, found->second) << text;
    }
  }
  const Outcome outcome = RunRides(Arguments({}));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(Log(), Expected());
}

TEST_F(PublishTest, CtrlCStopsItAndItGoesOn) {
  Child child("rides", Arguments({"--rate=2000"}));
  while (!std::filesystem::exists(Data() + "/log/rides/ends"))
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  child.Signal(SIGINT);
  const Outcome stopped = child.Wait();
  EXPECT_EQ(stopped.exit_code, 130) << stopped.err;
  EXPECT_THAT(stopped.err, HasSubstr("run the same command again to go on"));
  ASSERT_EQ(RunRides(Arguments({})).exit_code, 0);
  EXPECT_EQ(Log(), Expected());
}

TEST_F(PublishTest, OnePublishAtATimeWritesATopic) {
  Child first("rides", Arguments({"--rate=500"}));
  while (!std::filesystem::exists(Data() + "/log/rides/ends"))
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  const Outcome second = RunRides(Arguments({"--report="}));
  EXPECT_EQ(second.exit_code, 1);
  EXPECT_THAT(second.err, HasSubstr("`rides publish`"));
  EXPECT_THAT(second.err, HasSubstr("pid " + std::to_string(first.pid())));
}

TEST_F(PublishTest, SaysWhatIsWrong) {
  const auto error = [&](const std::vector<std::string>& more) {
    const Outcome outcome = RunRides(Arguments(more));
    EXPECT_NE(outcome.exit_code, 0);
    return outcome.err;
  };
  EXPECT_THAT(error({"--late=2"}), HasSubstr("--late is a share, from 0 to 1"));
  EXPECT_THAT(error({"--sync=never"}), HasSubstr("--sync is always, interval or os, not never"));
  EXPECT_THAT(error({"another"}), HasSubstr("say which file to publish: rides publish FILE --data_dir=DIR"));
  EXPECT_THAT(error({"--topic=/"}), HasSubstr("topic"));
  EXPECT_THAT(error({"--rate=-1"}), HasSubstr("--rate"));
  ASSERT_EQ(RunRides(Arguments({"--partitions=2"})).exit_code, 0);
  EXPECT_THAT(error({"--partitions=3"}), HasSubstr("the topic rides has 2, which never changes"));
  std::ofstream(Input(), std::ios::app) << "no ride\n";
  EXPECT_THAT(error({}), HasSubstr("correct the file"));
}

}  // namespace
}  // namespace millrace::cli_test
