// SIGKILL at seeded moments: after each one the stores hold a whole number of epochs, in the end all, and each dead
// letter once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>

#include "base/test_settings.h"
#include "expectations.h"
#include "visits_program.h"

namespace millrace::results_test {
namespace {

void KillAgainAndAgain(ProgramOptions options, std::int64_t kills) {
  const std::uint64_t seed = base::TestSeed();
  SCOPED_TRACE("MILLRACE_TEST_SEED=" + std::to_string(seed));
  const Folder folder;
  options.data_dir = folder.path();
  const std::string generation = folder.path() + "/generation-1";
  for (std::int64_t i = 1; i <= kills; ++i) {
    options.kill_seed = seed * 1'000'000 + static_cast<std::uint64_t>(i);
    SCOPED_TRACE("kill " + std::to_string(i) + ", kill_seed " + std::to_string(options.kill_seed));
    const Ended ended = RunVisits(options);
    ASSERT_TRUE(ended.signal == SIGKILL) << ended.exit_code << " " << ended.err;
    if (std::filesystem::exists(generation + "/warehouse.duckdb")) ExpectWholeEpochs(options, generation);
    if (::testing::Test::HasFailure()) return;
  }
  options.kill_seed = 0;
  const Ended ended = RunVisits(options);
  ASSERT_EQ(ended.exit_code, 0) << ended.err;
  ExpectAll(options, generation);
}

TEST(ResultsCrashTest, SmallEpochs) {
  const std::int64_t kills = base::TestRounds(24, 400);
  KillAgainAndAgain({.epochs = static_cast<std::uint64_t>(5 * kills), .events = 200}, kills);
}

TEST(ResultsCrashTest, EpochsThatAreTakenInAsFiles) {
  const std::int64_t kills = base::TestRounds(2, 60);
  KillAgainAndAgain({.epochs = static_cast<std::uint64_t>(2 * kills), .events = 53'000, .pages = 1'000'000}, kills);
}

}  // namespace
}  // namespace millrace::results_test
