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
using ::testing::Not;

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

// The first offset that is left of a partition, and the bytes of its segments but the last.
struct Kept {
  std::int64_t first = 0;
  std::uintmax_t closed_bytes = 0;
};

Kept KeptOf(const std::string& partition) {
  std::map<std::int64_t, std::uintmax_t> segments;
  for (const auto& entry : std::filesystem::directory_iterator(partition)) {
    if (entry.path().extension() == ".segment") segments[std::stoll(entry.path().stem())] = entry.file_size();
  }
  Kept kept{.first = segments.begin()->first};
  segments.erase(std::prev(segments.end()));
  for (const auto& [first, bytes] : segments) kept.closed_bytes += bytes;
  return kept;
}

TEST_F(PublishTest, RetentionRemovesTheOldestSegmentsUnlessTheyAreHeld) {
  const std::string rides = Data() + "/log/rides";
  const std::vector<std::string> small = {"--partitions=1", "--segment_bytes=5000", "--rate=6000"};
  const auto publish = [&](const std::vector<std::string>& more) {
    std::vector<std::string> arguments = Arguments(small);
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Outcome outcome = RunRides(arguments);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return outcome.err;
  };
  EXPECT_THAT(publish({}), Not(HasSubstr("removed")));
  const Kept all = KeptOf(rides + "/0");
  EXPECT_EQ(all.first, 0);
  ASSERT_GT(all.closed_bytes, 60'000U);
  // Nothing more is appended: retention comes at the end too.
  EXPECT_THAT(publish({"--retention_age=1d"}), Not(HasSubstr("removed")));
  std::filesystem::create_directory(rides + "/holds");
  std::ofstream(rides + "/holds/me.json")
      << R"({"format":1,"name":"me","next_offsets":[500],"updated_at":"2001-01-01T00:00:00Z"})";
  EXPECT_THAT(publish({"--retention_bytes=20000"}), HasSubstr(" old segments removed\n"));
  const Kept held = KeptOf(rides + "/0");
  EXPECT_GT(held.first, 0);
  EXPECT_LE(held.first, 500);
  EXPECT_GT(held.closed_bytes, 20'000U);
  // A hold that cannot be read: nothing is removed, and it is said.
  std::ofstream(rides + "/holds/me.json") << "{";
  EXPECT_THAT(publish({"--retention_bytes=20000"}),
              HasSubstr("retention removes nothing: " + rides + "/holds/me.json"));
  EXPECT_EQ(KeptOf(rides + "/0").first, held.first);
  std::filesystem::remove(rides + "/holds/me.json");
  EXPECT_THAT(publish({"--retention_bytes=20000"}), HasSubstr(" old segments removed"));
  const Kept some = KeptOf(rides + "/0");
  EXPECT_GT(some.first, 500);
  EXPECT_LE(some.closed_bytes, 20'000U);
  EXPECT_GT(some.closed_bytes, 0U);
  EXPECT_THAT(publish({"--retention_age=1us"}), HasSubstr(" old segments removed"));
  EXPECT_EQ(KeptOf(rides + "/0").closed_bytes, 0U);
  EXPECT_THAT(publish({}), HasSubstr(": 0 appended, ")) << "what was removed is known to have been there";
}

TEST_F(PublishTest, RetentionGoesOnWhileItPublishes) {
  Child child("rides", Arguments({"--partitions=1", "--segment_bytes=5000", "--rate=500", "--retention_bytes=10000"}));
  const std::string partition = Data() + "/log/rides/0";
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!std::filesystem::exists(partition + "/00000000000000000000.segment")) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  while (std::filesystem::exists(partition + "/00000000000000000000.segment")) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "nothing is removed";
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  child.Signal(SIGINT);
  EXPECT_EQ(child.Wait().exit_code, 130) << "it was still publishing";
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
  EXPECT_THAT(error({"--segment_bytes=0"}), HasSubstr("--segment_bytes is a number from 1 to 1073741824"));
  EXPECT_THAT(error({"--retention_bytes=0"}), HasSubstr("--retention_bytes is at least 1"));
  EXPECT_THAT(error({"--retention_age=0s"}), HasSubstr("--retention_age is longer than nothing, such as 7d"));
  ASSERT_EQ(RunRides(Arguments({"--partitions=2"})).exit_code, 0);
  EXPECT_THAT(error({"--partitions=3"}), HasSubstr("the topic rides has 2, which never changes"));
  std::ofstream(Input(), std::ios::app) << "no ride\n";
  EXPECT_THAT(error({}), HasSubstr("correct the file"));
}

}  // namespace
}  // namespace millrace::cli_test
