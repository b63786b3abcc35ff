// A disk that takes no more: the program fails with a clear message, and when there is room again, it goes on where it
// was and every cell and dead letter is there once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/test_settings.h"
#include "expectations.h"
#include "visits_program.h"

namespace millrace::results_test {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;

void ExpectAllAfter(const ProgramOptions& options, std::size_t failures, const std::string& said) {
  SCOPED_TRACE(said);
  EXPECT_GE(failures, 4U);
  ExpectAll(options, options.data_dir + "/generation-1");
}

TEST(ResultsFaultsTest, AFileThatMayNotGrowFailsTheRunAndNothingElse) {
  const Folder folder;
  // Epochs of two thousand cells let every file grow: DuckDB's log and file, RocksDB's log, the checkpoint.
  ProgramOptions options{.data_dir = folder.path(), .epochs = 20, .events = 2'000, .pages = 500};
  std::size_t failures = 0;
  std::uint64_t last_epoch = 0;
  std::string said;
  const std::uint64_t step = static_cast<std::uint64_t>(base::TestRounds(192, 48)) << 10;
  for (std::uint64_t limit = 64 << 10; limit < 3 << 20; limit += step) {
    SCOPED_TRACE("no file beyond " + std::to_string(limit) + " bytes");
    options.file_bytes_max = limit;
    const Ended ended = RunVisits(options);
    if (ended.exit_code == 0) return ExpectAllAfter(options, failures, said);
    ASSERT_EQ(ended.exit_code, 1) << ended.signal << " " << ended.err;
    EXPECT_THAT(ended.err, AnyOf(HasSubstr("disk"), HasSubstr("space"), HasSubstr("File too large"))) << limit;
    said += std::to_string(limit) + ": " + ended.err;
    ++failures;
    const std::string generation = folder.path() + "/generation-1";
    if (!std::filesystem::exists(generation + "/warehouse.duckdb")) continue;
    const std::uint64_t epoch = ReadCheckpoint(generation).epoch;
    EXPECT_GE(epoch, last_epoch);
    last_epoch = epoch;
  }
  options.file_bytes_max = 0;
  const Ended ended = RunVisits(options);
  ASSERT_EQ(ended.exit_code, 0) << ended.err << "\nbefore:\n" << said;
  ExpectAllAfter(options, failures, said);
}

}  // namespace
}  // namespace millrace::results_test
