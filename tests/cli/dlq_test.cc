// The verb `dlq`, on rides of the log of which the program refuses some.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "base/file_system.h"
#include "base/random.h"
#include "base/test_settings.h"
#include "log/log_reader.h"
#include "millrace/core/json.h"
#include "program.h"

namespace millrace::cli_test {
namespace {

using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// A line of `dlq show --format=json`.
struct ShownLetter {
  std::string id;
  std::string name;
  std::string step;
  std::string origin;
  std::int64_t position = -1;
  std::string code_version;
  std::string element;
};
struct RefusedRide {
  std::string city;
  std::string driver;
  std::int64_t cents = 0;
};
struct LoggedRide {
  std::int64_t number = 0;
  std::string city;
};

constexpr std::int64_t kRides = 60;
constexpr const char* kOld = "--refuse_every=10";  // code that refuses 0, 10, ... 50

class DlqTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::ofstream file(folder_.path() + "/rides.json");
    for (std::int64_t i = 0; i < kRides; ++i) {
      file << json::Write(LoggedRide{i, i % 3 == 0 ? "Oslo" : "Rome"}) << "\n";
    }
    file.close();
    Ride({"publish", folder_.path() + "/rides.json", "--partitions=3"});
  }

  Outcome Try(std::vector<std::string> arguments) const {
    arguments.push_back("--data_dir=" + data_dir_);
    return RunRides(arguments);
  }
  // What must go well.
  std::string Ride(const std::vector<std::string>& arguments) const {
    const Outcome outcome = Try(arguments);
    EXPECT_EQ(outcome.exit_code, 0) << arguments[0] << ": " << outcome.err;
    return outcome.out;
  }
  std::vector<ShownLetter> Letters() const {
    std::vector<ShownLetter> letters;
    std::istringstream lines(Ride({"dlq", "show", "--format=json", "--limit=1000"}));
    for (std::string line; std::getline(lines, line);) {
      const StatusOr<ShownLetter> letter = json::Parse<ShownLetter>(line);
      EXPECT_TRUE(letter.ok()) << letter.status() << "\n" << line;
      if (letter.ok()) letters.push_back(*letter);
    }
    return letters;
  }
  // The sum of all rides' cents that the view has.
  std::int64_t Cents() const {
    const Outcome sum = Try({"sql", "SELECT sum(cents)::BIGINT AS cents FROM city_cents", "--format=csv"});
    const std::size_t line = sum.out.find('\n');
    if (sum.exit_code != 0 || line == std::string::npos || line + 2 > sum.out.size()) return -1;
    return std::atoll(sum.out.c_str() + line + 1);
  }
  template <class Condition>
  bool Await(Condition&& condition) const {
    for (int i = 0; i < 400; ++i) {
      if (condition()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(25));
    }
    return false;
  }

  static constexpr std::int64_t kAll = kRides * (kRides - 1) / 2;
  static constexpr std::int64_t kRefused = 0 + 10 + 20 + 30 + 40 + 50;

  TemporaryFolder folder_;
  std::string data_dir_ = folder_.path() + "/data";
};

TEST_F(DlqTest, LettersKnowTheirRecordAndAreListedByCause) {
  Ride({"run", "--log", "--batch", kOld});
  EXPECT_EQ(Cents(), kAll - kRefused);
  const std::string list = Ride({"dlq", "list", "--format=csv"});
  EXPECT_THAT(list, StartsWith("name,step,reason,letters,first_at,last_at,code_versions,one_id\nrides,Check,,6,2"));
  const std::vector<ShownLetter> letters = Letters();
  ASSERT_EQ(letters.size(), 6U);
  const auto reader = log::LogReader::Open(base::PosixFileSystem(), data_dir_ + "/log", "rides");
  ASSERT_TRUE(reader.ok()) << reader.status();
  for (const ShownLetter& letter : letters) {
    ASSERT_THAT(letter.origin, StartsWith("rides/"));
    const auto cursor = (*reader)->Read(std::stoi(letter.origin.substr(6)), letter.position);
    ASSERT_TRUE(cursor.ok()) << cursor.status();
    log::RecordView view;
    ASSERT_TRUE((*cursor)->Next(&view).ok());
    EXPECT_EQ(json::Parse<LoggedRide>(view.data)->number, json::Parse<RefusedRide>(letter.element)->cents);
    EXPECT_EQ(letter.id.size(), 16U);
    EXPECT_GE(letter.code_version.size(), 16U);
  }
  EXPECT_THAT(Ride({"dlq", "show", letters[2].id, "--format=csv"}), HasSubstr("\n" + letters[2].id + ",rides,Check,"));
  const std::string whole = Ride({"dlq", "show", letters[2].id});
  EXPECT_THAT(whole, AllOf(StartsWith("letter " + letters[2].id + "\n"), HasSubstr("\n  step          Check\n"),
                           ContainsRegex("\n  data          \\{\"number\":[0-9]*0,\"city\":")));
  EXPECT_THAT(Ride({"dlq", "list", "--by_step=Other", "--format=csv"}), ::testing::EndsWith("one_id\n"));
}

TEST_F(DlqTest, ADryRunTriesTheProgramOnTheLetters) {
  Ride({"run", "--log", "--batch", kOld});
  EXPECT_EQ(Ride({"dlq", "replay", "--dry_run", "--all_letters", "--log"}), "this program would take 6 of 6 letters\n");
  EXPECT_EQ(Ride({"dlq", "replay", "--dry_run", "--all_letters", "--log", "--refuse_every=20"}),
            "this program would take 3 of 6 letters\n  3 refused again by Check (rides)\n");
  EXPECT_EQ(Letters().size(), 6U) << "it has changed nothing";
  EXPECT_EQ(Cents(), kAll - kRefused);
  const Outcome other = Try({"dlq", "replay", "--dry_run", "--all_letters"});
  EXPECT_EQ(other.exit_code, 1);
  EXPECT_THAT(other.err, HasSubstr("does not read the log's topic that the letters come from"));
}

TEST_F(DlqTest, AFullReplayCountsWhatWasReplayedOnce) {
  Ride({"run", "--log", "--batch", kOld});
  EXPECT_EQ(Ride({"dlq", "replay", "--all_letters"}),
            "6 letters replayed: 6 records put into the log again for generation 1\n");
  EXPECT_TRUE(Letters().empty());
  EXPECT_EQ(Ride({"dlq", "replay", "--all_letters"}),
            "0 letters replayed: 0 records put into the log again for generation 1\n");
  EXPECT_EQ(Ride({"sql", "SELECT count(*) AS n FROM dead_letters", "--format=csv"}), "n\n6\n") << "they are kept";
  Ride({"run", "--log", "--batch"});
  EXPECT_EQ(Cents(), kAll);
  // Code that refuses them still has each letter once.
  Ride({"run", "--log", "--batch", kOld});
  EXPECT_EQ(Cents(), kAll - kRefused);
  EXPECT_EQ(Letters().size(), 6U);
}

TEST_F(DlqTest, TheRunThatGoesOnCountsThemAndIsAskedWhileItHoldsTheDirectory) {
  const std::vector<std::string> run = {
      "run", "--log", "--streaming", "--checkpoint_interval=50ms", "--http=off", "--data_dir=" + data_dir_};
  std::vector<std::string> old = run;
  old.push_back(kOld);
  Child first("rides", old);
  ASSERT_TRUE(first.WaitUntilItRuns(data_dir_));
  ASSERT_TRUE(Await([&] { return Cents() == kAll - kRefused && Letters().size() == 6; }));
  const std::vector<ShownLetter> letters = Letters();
  EXPECT_EQ(Ride({"dlq", "discard", letters[0].id}), "1 letter discarded\n");
  EXPECT_EQ(Letters().size(), 5U);
  ASSERT_EQ(Try({"stop"}).exit_code, 0);
  first.Wait();
  EXPECT_THAT(Ride({"dlq", "replay", "--all_letters"}), HasSubstr("5 letters replayed: 5 records"));
  const std::int64_t discarded = json::Parse<RefusedRide>(letters[0].element)->cents;
  Child second("rides", run);
  ASSERT_TRUE(second.WaitUntilItRuns(data_dir_));
  EXPECT_TRUE(Await([&] { return Cents() == kAll - discarded; })) << Cents() << " and not " << kAll - discarded;
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_EQ(Cents(), kAll - discarded);
  ASSERT_EQ(Try({"stop"}).exit_code, 0);
  second.Wait();
  EXPECT_EQ(Try({"ledger"}).exit_code, 0);
}

// Killed anywhere, and run again: each record is put back once.
TEST_F(DlqTest, AReplayThatIsKilledGoesOn) {
  Ride({"run", "--log", "--batch", "--refuse_every=1"});
  ASSERT_EQ(Letters().size(), static_cast<std::size_t>(kRides));
  base::Random random(base::TestSeed());
  const std::vector<std::string> replay = {"dlq", "replay", "--all_letters", "--data_dir=" + data_dir_};
  int killed = 0;
  for (std::int64_t i = 0; i < base::TestRounds(15, 200); ++i) {
    std::vector<std::string> some = replay;
    some.push_back("--limit=7");
    Child child("rides", some);
    std::this_thread::sleep_for(std::chrono::microseconds(random.Between(0, 120'000)));
    child.Signal(SIGKILL);
    killed += child.Wait().signal == SIGKILL ? 1 : 0;
  }
  RecordProperty("killed", killed);
  for (int i = 0; !Letters().empty(); ++i) {
    ASSERT_LT(i, 20);
    Ride({"dlq", "replay", "--all_letters"});
  }
  const auto reader = log::LogReader::Open(base::PosixFileSystem(), data_dir_ + "/log", "rides");
  ASSERT_TRUE(reader.ok()) << reader.status();
  const auto end = (*reader)->End();
  ASSERT_TRUE(end.ok());
  std::int64_t records = 0;
  for (const std::int64_t offset : *end) records += offset;
  EXPECT_EQ(records, 2 * kRides) << "MILLRACE_TEST_SEED=" << base::TestSeed();
  Ride({"run", "--log", "--batch"});
  EXPECT_EQ(Cents(), kAll);
}

// Retention removes what the letters come from.
TEST_F(DlqTest, TheArchiveKeepsTheRecordThatTheLogHasNoMore) {
  for (const bool is_archived : {true, false}) {
    SCOPED_TRACE(is_archived ? "archived" : "not archived");
    data_dir_ = folder_.path() + (is_archived ? "/archived" : "/bare");
    Ride({"publish", folder_.path() + "/rides.json", "--partitions=3", "--segment_bytes=500"});
    Ride({"run", "--log", "--batch", kOld});
    if (is_archived) Ride({"archive", "run", "--flush"});
    std::ofstream more(folder_.path() + "/more.json");
    for (std::int64_t i = 1; i <= 60; ++i)
      more << json::Write(LoggedRide{1'001 + 10 * i, i % 3 == 0 ? "Oslo" : "Rome"}) << "\n";
    more.close();
    Ride({"publish", folder_.path() + "/more.json", "--segment_bytes=500", "--retention_bytes=1"});
    const auto reader = log::LogReader::Open(base::PosixFileSystem(), data_dir_ + "/log", "rides");
    ASSERT_TRUE(reader.ok()) << reader.status();
    const std::vector<ShownLetter> letters = Letters();
    ASSERT_EQ(letters.size(), 6U);
    for (const ShownLetter& letter : letters) {
      const auto range = (*reader)->Range(std::stoi(letter.origin.substr(6)));
      ASSERT_TRUE(range.ok()) << range.status();
      ASSERT_LT(letter.position, range->start) << "the log still has it";
      const std::int64_t number = json::Parse<RefusedRide>(letter.element)->cents;
      const std::string data =
          "\n  data          " + json::Write(LoggedRide{number, number % 3 == 0 ? "Oslo" : "Rome"});
      const std::string gone = "\n  record        neither in the log nor in the archive any more\n";
      EXPECT_THAT(Ride({"dlq", "show", letter.id}), HasSubstr(is_archived ? data : gone));
    }
    const Outcome replayed = Try({"dlq", "replay", "--all_letters"});
    const char* told = is_archived ? "6 letters replayed: 6 records put into the log again for generation 1\n"
                                   : "0 letters replayed: 0 records put into the log again for generation 1\n";
    EXPECT_EQ(replayed.out, told) << replayed.err;
  }
}

TEST_F(DlqTest, SaysWhatIsWrong) {
  EXPECT_EQ(Try({"dlq"}).exit_code, 2);
  EXPECT_EQ(Try({"dlq", "eat"}).exit_code, 2);
  EXPECT_EQ(RunRides({"dlq", "list"}).exit_code, 2);
  EXPECT_EQ(Try({"dlq", "list", "x"}).exit_code, 2);
  EXPECT_THAT(Try({"dlq", "discard"}).err, HasSubstr("say which letters"));
  EXPECT_THAT(Try({"dlq", "list"}).err, HasSubstr("no run has begun there"));
  Ride({"run", "--log", "--batch", kOld});
  const Outcome unknown = Try({"dlq", "discard", "0123456789abcdef"});
  EXPECT_EQ(unknown.exit_code, 1);
  EXPECT_THAT(unknown.err, HasSubstr("no letter 0123456789abcdef is listed"));
  Ride({"publish", folder_.path() + "/rides.json", "--close"});
  const Outcome closed = Try({"dlq", "replay", "--all_letters"});
  EXPECT_EQ(closed.exit_code, 1);
  EXPECT_THAT(closed.err, HasSubstr("closed"));
}

}  // namespace
}  // namespace millrace::cli_test
