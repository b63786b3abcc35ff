// One process at a time, Ctrl-C, and runs that are killed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <thread>

#include "base/file_system.h"
#include "columnar/database.h"
#include "program.h"

namespace millrace::cli_test {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;

class SignalsTest : public ::testing::Test {
 protected:
  Outcome Ride(std::vector<std::string> arguments) const {
    arguments.push_back(data_);
    return RunRides(arguments);
  }
  std::int64_t CountRows(const std::string& view) const {
    const Outcome sql = Ride({"sql", "SELECT count(*) AS n FROM " + view, "--format=csv"});
    EXPECT_EQ(sql.exit_code, 0) << sql.err;
    return sql.exit_code == 0 ? std::stoll(sql.out.substr(2)) : -1;
  }

  TemporaryFolder folder_;
  std::string data_ = "--data_dir=" + folder_.path();
};

TEST_F(SignalsTest, VerbsSayWhoHoldsTheDirectory) {
  Child run("rides", {"run", "--streaming", "--endless", data_});
  ASSERT_TRUE(run.WaitUntilItRuns(folder_.path()));
  const std::string holder = "is held by `rides run` \\(pid " + std::to_string(run.pid()) + ", since 20.*Z\\)";
  const Outcome outcome = Ride({"run"});  // other verbs ask the run; tests/cli/server_test.cc
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.err, ContainsRegex(holder));
  EXPECT_THAT(outcome.err, HasSubstr("wait for it to end, or stop it: kill -INT " + std::to_string(run.pid())));
  run.Signal(SIGTERM);
  EXPECT_EQ(run.Wait().exit_code, 0);
}

TEST_F(SignalsTest, AFirstRunIsNamedBeforeItHasWrittenTheManifest) {
  const std::string file = folder_.path() + "/lock";
  const auto lock = base::PosixFileSystem().Lock(file);
  ASSERT_TRUE(lock.ok()) << lock.status();
  const std::string pid = std::to_string(::getpid());
  std::ofstream(file) << R"({"program":"rides","verb":"run","pid":)" << pid << R"(,"since":"2026-01-01T00:00:00Z"})";
  const std::string out = folder_.path() + "/out.parquet";
  const std::vector<std::vector<std::string>> verbs = {
      {"query", "city_cents"}, {"sql", "SELECT 1"}, {"export", "city_cents", out}, {"run"}};
  for (const auto& verb : verbs) {
    const Outcome outcome = Ride(verb);
    EXPECT_EQ(outcome.exit_code, 1) << verb[0];
    EXPECT_THAT(outcome.err, HasSubstr("is held by `rides run` (pid " + pid)) << verb[0];
  }
}

TEST_F(SignalsTest, CtrlCEndsAStreamingRunWithItsResults) {
  Child run("rides", {"run", "--streaming", "--endless", "--threads=2", data_});
  ASSERT_TRUE(run.WaitUntilItRuns(folder_.path()));
  std::this_thread::sleep_for(std::chrono::milliseconds(1500));
  run.Signal(SIGINT);
  const Outcome outcome = run.Wait();
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("stopping:"));
  EXPECT_THAT(outcome.err, HasSubstr("rides: stopped after "));
  const std::int64_t rows = CountRows("city_cents");
  EXPECT_GT(rows, 10);
  const Outcome query = Ride({"query", "city_cents", "--format=csv"});
  EXPECT_EQ(std::count(query.out.begin(), query.out.end(), '\n'), rows + 1);
}

TEST_F(SignalsTest, AStoppedBatchRunKeepsTheEarlierResults) {
  ASSERT_EQ(Ride({"run"}).exit_code, 0);
  const std::int64_t rows = CountRows("city_cents");
  Child run("rides", {"run", "--batch", "--rides=100000", "--slow=1ms", "--threads=1", data_});
  ASSERT_TRUE(run.WaitUntilItRuns(folder_.path()));
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  run.Signal(SIGINT);
  const Outcome outcome = run.Wait();
  EXPECT_EQ(outcome.exit_code, 130) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("a batch run that is stopped gives no result; the earlier one is kept"));
  EXPECT_EQ(CountRows("city_cents"), rows);
}

TEST_F(SignalsTest, ASecondCtrlCKills) {
  Child run("rides", {"run", "--slow=1h", "--threads=1", data_});
  ASSERT_TRUE(run.WaitUntilItRuns(folder_.path()));
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  run.Signal(SIGINT);
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  run.Signal(SIGINT);
  EXPECT_EQ(run.Wait().signal, SIGINT);
  EXPECT_EQ(Ride({"run"}).exit_code, 0);
}

TEST_F(SignalsTest, AKilledRunLeavesADirectoryThatTheNextRunCanUse) {
  Child first("rides", {"run", "--streaming", "--endless", data_});
  ASSERT_TRUE(first.WaitUntilItRuns(folder_.path()));
  std::this_thread::sleep_for(std::chrono::milliseconds(1500));
  first.Signal(SIGKILL);
  EXPECT_EQ(first.Wait().signal, SIGKILL);
  const Outcome query = Ride({"query", "city_cents"});
  EXPECT_EQ(query.exit_code, 1);
  EXPECT_THAT(query.err, HasSubstr("has no results yet: its run was ended before the first checkpoint; resume it"));

  const Outcome batch = Ride({"run"});
  EXPECT_EQ(batch.exit_code, 1);
  EXPECT_THAT(batch.err, HasSubstr("--fresh")) << "a run that can be resumed is not given up silently";
  ASSERT_EQ(Ride({"run", "--fresh"}).exit_code, 0);
  EXPECT_EQ(CountRows("city_cents"), 4);
  Child second("rides", {"run", "--streaming", "--endless", data_});
  ASSERT_TRUE(second.WaitUntilItRuns(folder_.path()));
  second.Signal(SIGKILL);
  second.Wait();
  EXPECT_EQ(CountRows("city_cents"), 4);
}

TEST_F(SignalsTest, AWarehouseThatSomebodyElseHasOpenIsTold) {
  ASSERT_EQ(Ride({"run"}).exit_code, 0);
  const auto open = columnar::Database::Open({.path = folder_.path() + "/generation-1/warehouse.duckdb"});
  ASSERT_TRUE(open.ok());
  const Outcome sql = Ride({"sql", "SELECT 1"});
  EXPECT_EQ(sql.exit_code, 1);
  EXPECT_THAT(sql.err, HasSubstr("warehouse.duckdb is held by another process"));
  EXPECT_THAT(sql.err, HasSubstr("PID " + std::to_string(::getpid())));
  EXPECT_EQ(Ride({"query", "city_cents"}).exit_code, 0);
}

TEST_F(SignalsTest, ReadersWaitForEachOther) {
  ASSERT_EQ(Ride({"run"}).exit_code, 0);
  Child slow("rides", {"sql", "SELECT sum(a.range * b.range) FROM range(10000) a, range(6000) b", data_});
  Child other("rides", {"query", "city_cents", data_});
  Child third("rides", {"query", "driver_rides", data_});
  EXPECT_EQ(third.Wait().exit_code, 0);
  EXPECT_EQ(other.Wait().exit_code, 0);
  EXPECT_EQ(slow.Wait().exit_code, 0);
}

}  // namespace
}  // namespace millrace::cli_test
