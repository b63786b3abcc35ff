#include "expectations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "columnar/database.h"

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

}  // namespace

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
  EXPECT_THAT(files, ::testing::UnorderedElementsAre("lock", "checkpoint", "warehouse.duckdb", "views"));
  EXPECT_FALSE(std::filesystem::exists(folder + "/views/epoch"));
}

}  // namespace millrace::results_test
