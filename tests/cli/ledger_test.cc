// The verb `ledger`.
#include "millrace/runner/ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "millrace/core/json.h"
#include "program.h"

namespace millrace::cli_test {
namespace {

using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// What a line of `--format=json` holds.
struct LedgerLine {
  bool is_total = false;
  bool balances = false;
  std::vector<LedgerProblem> problems;
  LedgerEpoch epoch;
};

class LedgerTest : public ::testing::Test {
 protected:
  Outcome Ride(std::vector<std::string> arguments) const {
    arguments.push_back("--data_dir=" + data_dir_);
    return RunRides(arguments);
  }
  std::vector<LedgerLine> Lines(const Outcome& outcome) const {
    std::vector<LedgerLine> lines;
    std::istringstream text(outcome.out);
    for (std::string line; std::getline(text, line);) {
      const StatusOr<LedgerLine> parsed = json::Parse<LedgerLine>(line);
      EXPECT_TRUE(parsed.ok()) << parsed.status() << "\n" << line;
      if (parsed.ok()) lines.push_back(*parsed);
    }
    return lines;
  }

  TemporaryFolder folder_;
  std::string data_dir_ = folder_.path() + "/data";
};

TEST_F(LedgerTest, ARunWithoutCheckpointsHasOneEpoch) {
  const Outcome none = Ride({"ledger"});
  EXPECT_EQ(none.exit_code, 1);
  EXPECT_THAT(none.err, HasSubstr("no run has begun there"));
  ASSERT_EQ(Ride({"run"}).exit_code, 0);
  const Outcome table = Ride({"ledger"});
  EXPECT_EQ(table.exit_code, 0) << table.err;
  EXPECT_THAT(table.out, AllOf(StartsWith("epoch  attempt  written_at"), HasSubstr("balances"),
                               HasSubstr("epoch 1 together\nstep"), ContainsRegex("\nCheck +ParDo +6 +6 +6 +0 "),
                               ContainsRegex("\nCitySum +CombinePerKey +5 +5 +0 ")));
  const std::vector<LedgerLine> lines = Lines(Ride({"ledger", "--format=json"}));
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_TRUE(lines[0].balances && lines[1].balances && lines[1].is_total && !lines[0].is_total);
  EXPECT_TRUE(lines[1].epoch.is_end);
  ASSERT_EQ(lines[0].epoch.sources.size(), 1U);
  EXPECT_EQ(lines[0].epoch.sources[0].elements, 6);
  EXPECT_THAT(Ride({"ledger", "--format=csv"}).out, StartsWith("step,kind,in,units,emitted,"));
  EXPECT_EQ(Lines(Ride({"ledger", "--format=json", "--epoch=1"})).size(), 1U);
}

TEST_F(LedgerTest, AStageThatLosesAnElementIsNamed) {
  const Outcome run = Ride({"run", "--broken"});
  ASSERT_EQ(run.exit_code, 0);
  EXPECT_THAT(run.err, HasSubstr("rides: the ledger does not balance; `rides ledger` says where\n"));
  const Outcome table = Ride({"ledger"});
  EXPECT_EQ(table.exit_code, 1);
  EXPECT_THAT(table.out, HasSubstr("differences"));
  EXPECT_THAT(table.err, AllOf(HasSubstr("rides: the ledger does not balance\n"),
                               ContainsRegex("epoch 1, which read [^ ]* ?\\[0, 6\\): step ByCity: 1 element is missing "
                                             "at its beginning: 5 taken in, 4 seen")));
  const Outcome json = Ride({"ledger", "--format=json", "--epoch=1"});
  EXPECT_EQ(json.exit_code, 1);
  const std::vector<LedgerLine> lines = Lines(json);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_FALSE(lines[0].balances);
  ASSERT_FALSE(lines[0].problems.empty());
  EXPECT_EQ(lines[0].problems[0].step, "ByCity");
}

TEST_F(LedgerTest, ARunWithCheckpointsIsReadWhileItGoesOn) {
  Child run("rides",
            {"run", "--endless", "--streaming", "--checkpoint_interval=50ms", "--http=off", "--data_dir=" + data_dir_});
  ASSERT_TRUE(run.WaitUntilItRuns(data_dir_));
  Outcome ledger;
  for (int i = 0; i < 200; ++i) {
    ledger = Ride({"ledger", "--format=json"});
    if (ledger.exit_code == 0 && Lines(ledger).size() > 5) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  ASSERT_EQ(ledger.exit_code, 0) << ledger.err;
  ASSERT_EQ(Ride({"stop"}).exit_code, 0);
  run.Wait();
  const std::vector<LedgerLine> lines = Lines(Ride({"ledger", "--format=json"}));
  ASSERT_GT(lines.size(), 5U);
  std::int64_t next = lines[0].epoch.sources.at(0).ranges.at(0).from;
  std::uint64_t epoch = lines[0].epoch.epoch;
  for (const LedgerLine& line : lines) {
    EXPECT_TRUE(line.balances);
    if (line.is_total) continue;
    EXPECT_EQ(line.epoch.epoch, epoch++);
    for (const LedgerRange& range : line.epoch.sources.at(0).ranges) {
      EXPECT_EQ(range.from, next);
      next = range.to;
    }
  }
  EXPECT_EQ(lines.back().epoch.sources.at(0).ranges, (std::vector<LedgerRange>{{"", 0, next}}));
}

TEST_F(LedgerTest, SaysWhatIsWrong) {
  EXPECT_EQ(RunRides({"ledger"}).exit_code, 2);
  EXPECT_EQ(Ride({"ledger", "now"}).exit_code, 2);
  EXPECT_EQ(Ride({"ledger", "--format=xml"}).exit_code, 2);
  ASSERT_EQ(Ride({"run"}).exit_code, 0);
  const Outcome unknown = Ride({"ledger", "--epoch=7"});
  EXPECT_EQ(unknown.exit_code, 1);
  EXPECT_THAT(unknown.err, HasSubstr("the ledger has no epoch 7; it has the last 1, from 1 to 1"));
  const std::string path = data_dir_ + "/generation-1/ledger.json";
  std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
  const Outcome damaged = Ride({"ledger"});
  EXPECT_EQ(damaged.exit_code, 1);
  EXPECT_THAT(damaged.err, HasSubstr("generation-1/ledger.json is damaged"));
}

}  // namespace
}  // namespace millrace::cli_test
