// SIGKILL at seeded moments: after each one the stores hold a whole number of epochs, in the end all, and each dead
// letter once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>

#include "base/test_settings.h"
#include "columnar/database.h"
#include "visits_program.h"

namespace millrace::results_test {
namespace {

// "3 e2a1 (1.0)" without all but the number of visits.
std::map<std::string, std::int64_t> VisitsOf(const StoredVisits& stored) {
  std::map<std::string, std::int64_t> visits;
  for (const auto& [name, text] : stored) visits[name] = std::stoll(text);
  return visits;
}

// By event, how often it is there.
std::map<std::string, int> LettersOf(const Stored& stored) {
  std::map<std::string, int> letters;
  for (const auto& [letter, count] : stored.letters) letters[EventOf(letter)] += count;
  return letters;
}

std::map<std::string, int> Once(const std::set<std::string>& letters) {
  std::map<std::string, int> once;
  for (const std::string& letter : letters) once[letter] = 1;
  return once;
}

// As the verb `sql` opens it: read-only, with whatever log the kill left beside the file.
std::int64_t CountReadOnly(const std::string& folder, const std::string& table) {
  const StatusOr<columnar::Database> database =
      columnar::Database::Open({.path = cli::WarehousePath(folder), .is_read_only = true});
  EXPECT_TRUE(database.ok()) << database.status();
  if (!database.ok()) return -1;
  const StatusOr<std::int64_t> count = database->Connect()->QueryInt64("SELECT count(*) FROM " + table);
  return count.value_or(0);  // killed before it was made
}

// Both stores hold the epochs up to the last one that they note, and no store is ahead of the checkpoint.
void ExpectWholeEpochs(const ProgramOptions& options, const std::string& folder) {
  const std::int64_t letters = CountReadOnly(folder, "dead_letters");
  const std::int64_t visits = CountReadOnly(folder, "visits");
  const Stored stored = ReadStored(folder);
  EXPECT_EQ(visits, static_cast<std::int64_t>(stored.warehouse.size()));
  EXPECT_EQ(letters, static_cast<std::int64_t>(LettersOf(stored).size()));
  const std::uint64_t committed = ReadCheckpoint(folder).epoch;
  EXPECT_LE(stored.epochs.warehouse, committed);
  EXPECT_LE(stored.epochs.lookup, committed);
  const Oracle warehouse = OracleOf(options, stored.epochs.warehouse);
  EXPECT_EQ(VisitsOf(stored.warehouse), warehouse.visits) << "warehouse, epoch " << stored.epochs.warehouse;
  EXPECT_EQ(LettersOf(stored), Once(warehouse.letters));
  EXPECT_EQ(VisitsOf(stored.lookup), OracleOf(options, stored.epochs.lookup).visits)
      << "look-up, epoch " << stored.epochs.lookup;
}

// All epochs, each cell and letter by the attempt that the checkpoint knows, and no file left over.
void ExpectAll(const ProgramOptions& options, const std::string& folder) {
  const Stored stored = ReadStored(folder);
  const Oracle oracle = OracleOf(options, options.epochs);
  EXPECT_EQ(VisitsOf(stored.warehouse), oracle.visits);
  EXPECT_EQ(LettersOf(stored), Once(oracle.letters));
  const ProgramState state = ReadCheckpoint(folder);
  EXPECT_EQ(state.epoch, options.epochs);
  StoredVisits expected;
  for (const auto& [name, cell] : state.cells) {
    if (cell.visit.count) expected[name] = TextOf(*cell.visit.count, cell.attempt, cell.visit.pane);
  }
  EXPECT_EQ(stored.warehouse, expected);
  EXPECT_EQ(stored.lookup, expected);
  std::map<std::string, int> letters;
  for (const std::string& letter : state.letters) letters[letter] = 1;
  EXPECT_EQ(stored.letters, letters);
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) files.push_back(entry.path().filename());
  EXPECT_THAT(files, ::testing::UnorderedElementsAre("checkpoint", "warehouse.duckdb", "views"));
  EXPECT_FALSE(std::filesystem::exists(folder + "/views/epoch"));
}

void KillAgainAndAgain(ProgramOptions options, std::int64_t kills) {
  const std::uint64_t seed = base::TestSeed();
  SCOPED_TRACE("MILLRACE_TEST_SEED=" + std::to_string(seed));
  const Folder folder;
  options.data_dir = folder.path();
  const std::string generation = folder.path() + "/generation-1";
  std::int64_t killed = 0;
  for (std::int64_t i = 1; i <= kills; ++i) {
    options.kill_seed = seed * 1'000'000 + static_cast<std::uint64_t>(i);
    SCOPED_TRACE("kill " + std::to_string(i) + ", kill_seed " + std::to_string(options.kill_seed));
    const Ended ended = RunVisits(options);
    ASSERT_TRUE(ended.signal == SIGKILL) << ended.exit_code << " " << ended.err;
    ++killed;
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
