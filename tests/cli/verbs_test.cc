// The verbs of a program, from its command line to its exit code.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "program.h"

namespace millrace::cli_test {
namespace {

using ::testing::HasSubstr;

TEST(VerbsTest, RunThenQuery) {
  const TemporaryFolder folder;
  const std::string data = "--data_dir=" + folder.path();
  const Outcome run = RunRides({"run", data, "--threads=2"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  const Outcome query = RunRides({"query", "city_cents", data});
  EXPECT_EQ(query.exit_code, 0) << query.err;
  EXPECT_EQ(query.out,
            "city  window_start         window_end           cents\n"
            "----  -------------------  -------------------  -----\n"
            "Oslo  2001-01-01 00:00:00  2001-01-01 01:00:00    200\n"
            "Oslo  2001-01-01 01:00:00  2001-01-01 02:00:00    400\n"
            "Rome  2001-01-01 00:00:00  2001-01-01 01:00:00    100\n"
            "Rome  2001-01-01 01:00:00  2001-01-01 02:00:00    500\n"
            "(4 rows)\n");
}

}  // namespace
}  // namespace millrace::cli_test
