// The verbs of a program, from its command line to its exit code.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "millrace/runner/main.h"
#include "program.h"

namespace millrace::cli_test {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class VerbsTest : public ::testing::Test {
 protected:
  Outcome Ride(std::vector<std::string> arguments) const {
    arguments.push_back("--data_dir=" + data_dir_);
    return RunRides(arguments);
  }
  void RunOk(std::vector<std::string> arguments = {}) const {
    arguments.insert(arguments.begin(), "run");
    const Outcome run = Ride(std::move(arguments));
    ASSERT_EQ(run.exit_code, 0) << run.err;
  }
  std::string Output(const std::vector<std::string>& arguments) const {
    const Outcome outcome = Ride(arguments);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return outcome.out;
  }

  TemporaryFolder folder_;
  std::string data_dir_ = folder_.path() + "/data";
};

constexpr const char* kCityTable =
    "city  window_start         window_end           cents\n"
    "----  -------------------  -------------------  -----\n"
    "Oslo  2001-01-01 00:00:00  2001-01-01 01:00:00    200\n"
    "Oslo  2001-01-01 01:00:00  2001-01-01 02:00:00    400\n"
    "Rome  2001-01-01 00:00:00  2001-01-01 01:00:00    100\n"
    "Rome  2001-01-01 01:00:00  2001-01-01 02:00:00    500\n"
    "(4 rows)\n";

TEST_F(VerbsTest, RunThenQueryInBothModes) {
  for (const char* mode : {"--batch", "--streaming"}) {
    RunOk({mode, "--threads=2"});
    EXPECT_EQ(Output({"query", "city_cents"}), kCityTable) << mode;
    EXPECT_EQ(Output({"sql", "FROM city_cents ORDER BY ALL"}), kCityTable) << mode;
  }
}

TEST_F(VerbsTest, SqlMayBeginWithAComment) {
  RunOk();
  EXPECT_EQ(Output({"sql", "-- how many\nSELECT count(*) AS n FROM city_cents", "--format=csv"}), "n\n4\n");
  EXPECT_EQ(Output({"--format=csv", "sql", "--how many\nSELECT count(*) AS n FROM city_cents"}), "n\n4\n");
}

TEST_F(VerbsTest, ARunSaysWhatItDid) {
  const Outcome run = Ride({"run", "--threads=1"});
  EXPECT_THAT(run.out, "");
  EXPECT_THAT(run.err, StartsWith("rides: done in "));
  EXPECT_THAT(run.err, HasSubstr(": 6 elements read ("));
  EXPECT_THAT(run.err, HasSubstr("9 cells written to 2 views, 1 dead letter\n"));
}

TEST_F(VerbsTest, QueryTakesKeysAndPrefixes) {
  RunOk();
  EXPECT_EQ(Output({"query", "driver_rides", "Oslo", "--format=csv"}),
            "city,driver,window_start,window_end,rides\n"
            "Oslo,d0,2001-01-01T00:00:00Z,2001-01-01T01:00:00Z,1\n"
            "Oslo,d1,2001-01-01T01:00:00Z,2001-01-01T02:00:00Z,1\n"
            "Oslo,d2,2001-01-01T00:00:00Z,2001-01-01T01:00:00Z,1\n");
  EXPECT_EQ(Output({"query", "driver_rides", "Oslo", "d1", "--format=json"}),
            "{\"city\":\"Oslo\",\"driver\":\"d1\",\"window_start\":\"2001-01-01T01:00:00Z\","
            "\"window_end\":\"2001-01-01T02:00:00Z\",\"rides\":1}\n");
  EXPECT_THAT(Output({"query", "driver_rides", "Bern"}), HasSubstr("(0 rows)\n"));
  const Outcome many = Ride({"query", "driver_rides", "Oslo", "d1", "x"});
  EXPECT_EQ(many.exit_code, 2);
  EXPECT_THAT(many.err, HasSubstr("3 keys are too many; the key is: city driver"));
}

TEST_F(VerbsTest, QueryTakesTimesAndALimit) {
  RunOk();
  EXPECT_EQ(Output({"query", "city_cents", "--from=2001-01-01T01:00:00Z", "--format=csv"}),
            "city,window_start,window_end,cents\n"
            "Oslo,2001-01-01T01:00:00Z,2001-01-01T02:00:00Z,400\n"
            "Rome,2001-01-01T01:00:00Z,2001-01-01T02:00:00Z,500\n");
  EXPECT_EQ(Output({"query", "city_cents", "Oslo", "--to", "2001-01-01 01:00:00", "--format=csv"}),
            "city,window_start,window_end,cents\n"
            "Oslo,2001-01-01T00:00:00Z,2001-01-01T01:00:00Z,200\n");
  EXPECT_THAT(Output({"query", "city_cents", "--limit=1"}), HasSubstr("(1 row)\n"));
}

TEST_F(VerbsTest, SqlReadsAndDoesNotWrite) {
  RunOk();
  EXPECT_EQ(Output({"sql",
                    "SELECT city, sum(cents) AS cents, NULL AS none, 0.5::DOUBLE AS half FROM city_cents "
                    "GROUP BY city ORDER BY city",
                    "--format=json"}),
            "{\"city\":\"Oslo\",\"cents\":600,\"none\":null,\"half\":0.5}\n"
            "{\"city\":\"Rome\",\"cents\":600,\"none\":null,\"half\":0.5}\n");
  EXPECT_EQ(Output({"sql", "SELECT name, step, element, event_time FROM dead_letters", "--format=csv"}),
            "name,step,element,event_time\n"
            "rides,Check,\"{\"\"city\"\":\"\"Rome\"\",\"\"driver\"\":\"\"d0\"\",\"\"cents\"\":300}\","
            "2001-01-01T01:00:00Z\n");
  EXPECT_EQ(Output({"sql", "SELECT TIMESTAMPTZ '2001-01-01 00:00:00+02' AS at, 'nan'::FLOAT AS n, true AS b, [1] AS l",
                    "--format=json"}),
            "{\"at\":\"2000-12-31T22:00:00Z\",\"n\":\"NaN\",\"b\":true,\"l\":\"[1]\"}\n");
  const Outcome write = Ride({"sql", "DELETE FROM dead_letters"});
  EXPECT_EQ(write.exit_code, 1);
  EXPECT_THAT(write.err, HasSubstr("read-only"));
  EXPECT_EQ(Output({"sql", "SELECT count(*) AS n FROM dead_letters", "--format=csv"}), "n\n1\n");
  const Outcome wrong = Ride({"sql", "SELECT * FROM no_such_table"});
  EXPECT_EQ(wrong.exit_code, 1);
  EXPECT_THAT(wrong.err, HasSubstr("no_such_table"));
}

TEST_F(VerbsTest, ExportWritesParquet) {
  RunOk();
  const std::string file = folder_.path() + "/out.parquet";
  ASSERT_EQ(Ride({"export", "driver_rides", file}).exit_code, 0);
  EXPECT_EQ(Output({"sql", "SELECT column_name, column_type FROM (DESCRIBE FROM '" + file + "')", "--format=csv"}),
            "column_name,column_type\ncity,VARCHAR\ndriver,VARCHAR\nwindow_start,TIMESTAMP\n"
            "window_end,TIMESTAMP\nrides,BIGINT\n");
  EXPECT_EQ(Output({"sql", "FROM '" + file + "'", "--format=csv"}), Output({"query", "driver_rides", "--format=csv"}));
  const Outcome again = Ride({"export", "driver_rides", file});
  EXPECT_EQ(again.exit_code, 1);
  EXPECT_THAT(again.err, HasSubstr("--overwrite"));
  EXPECT_EQ(Ride({"export", "driver_rides", file, "--overwrite"}).exit_code, 0);
  EXPECT_THAT(Ride({"export", "driver_rides", folder_.path() + "/no/out.parquet"}).err, HasSubstr("no folder"));
}

TEST_F(VerbsTest, DescribeShowsTheGraphAndTheViews) {
  const Outcome describe = RunRides({"describe", "--window=10m"});
  EXPECT_EQ(describe.exit_code, 0) << describe.err;
  EXPECT_THAT(describe.out, HasSubstr("FixedWindows(10m)"));
  EXPECT_THAT(describe.out, HasSubstr("view driver_rides\n  key      city string, driver string\n"));
  EXPECT_THAT(describe.out, HasSubstr("  value    rides int64\n"));
}

TEST_F(VerbsTest, HelpAndVersion) {
  const Outcome help = RunRides({"--help"});
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_THAT(help.out, StartsWith("Sums up rides of taxis, by city and by driver.\n\nusage: rides run"));
  EXPECT_THAT(help.out, HasSubstr("--rides=INTEGER                 how many rides there are [6]"));
  EXPECT_THAT(help.out, HasSubstr("--temp_location=TEXT"));
  EXPECT_EQ(RunRides({"run", "-h"}).out, help.out);
  std::ifstream cmake(std::string(MILLRACE_SOURCE_DIR) + "/CMakeLists.txt");
  std::ostringstream text;
  text << cmake.rdbuf();
  EXPECT_THAT(text.str(), HasSubstr("project(Millrace VERSION " + std::string(kVersion) + " "));
  EXPECT_EQ(RunRides({"--version"}).out, "rides (Millrace " + std::string(kVersion) + ")\n");
}

TEST_F(VerbsTest, AWrongCommandLineEndsWithTwo) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{}, "say what to do"},
      {{"fly"}, "there is no verb fly"},
      {{"run"}, "say where the views are to be kept: rides run --data_dir=DIR"},
      {{"run", "--data_dir=x", "--threds=2"}, "there is no option --threds; did you mean --threads?"},
      {{"run", "--data_dir=x", "--threads=two"}, "--threads=two: expected an integer, found two"},
      {{"run", "--data_dir=x", "--batch", "--streaming"}, "exclude each other"},
      {{"run", "--data_dir=x", "--runner=FlinkRunner"}, "not in this version of Millrace"},
      {{"run", "now", "--data_dir=x"}, "run takes no arguments: now"},
      {{"query", "--data_dir=x"}, "rides: usage: rides query VIEW"},
      {{"query", "citys", "--data_dir=x"}, "there is no view citys; there are: city_cents, driver_rides"},
      {{"query", "city_cents"}, "say where the results are"},
      {{"query", "city_cents", "--data_dir=x", "--format=xml"}, "--format=xml: give table, json or csv"},
      {{"sql", "--data_dir=x"}, "give one statement, in quotes"},
      {{"sql", "SELECT", "1", "--data_dir=x"}, "give one statement, in quotes"},
      {{"query", "city_cents", "--data_dir=x", "--from=noon"}, "rides: --from=noon: 'noon' is no timestamp"},
      {{"export", "city_cents", "--data_dir=x"}, "export VIEW OUT.parquet"},
  };
  for (const auto& [arguments, message] : cases) {
    const Outcome outcome = RunRides(arguments);
    EXPECT_EQ(outcome.exit_code, 2) << message;
    EXPECT_THAT(outcome.err, HasSubstr(message));
    EXPECT_EQ(outcome.out, "") << message;
  }
  EXPECT_FALSE(std::filesystem::exists("x"));
}

TEST_F(VerbsTest, ARunTakesThePlaceOfTheOneBefore) {
  RunOk({"--streaming", "--rides=9", "--cities=Bern"});
  EXPECT_THAT(Output({"query", "city_cents"}), HasSubstr("Bern"));
  RunOk({"--batch"});
  EXPECT_EQ(Output({"query", "city_cents"}), kCityTable);
  EXPECT_EQ(Output({"sql", "FROM city_cents ORDER BY ALL"}), kCityTable);
  EXPECT_EQ(Output({"sql", "SELECT count(*) AS n FROM dead_letters", "--format=csv"}), "n\n1\n");
  int generations = 0;
  for (const auto& entry : std::filesystem::directory_iterator(data_dir_)) {
    generations += entry.path().filename().string().starts_with("generation-") ? 1 : 0;
  }
  EXPECT_EQ(generations, 1);
}

TEST_F(VerbsTest, AFailedRunKeepsTheEarlierResults) {
  const Outcome first = Ride({"run", "--fail_at=d1"});
  EXPECT_EQ(first.exit_code, 1);
  EXPECT_THAT(first.err, HasSubstr("a broken driver"));
  const Outcome none = Ride({"query", "city_cents"});
  EXPECT_EQ(none.exit_code, 1);
  EXPECT_THAT(none.err, HasSubstr("has no results"));
  RunOk();
  EXPECT_EQ(Ride({"run", "--fail_at=d1", "--rides=100"}).exit_code, 1);
  EXPECT_EQ(Output({"query", "city_cents"}), kCityTable);
}

TEST_F(VerbsTest, OtherDirectoriesAreNotTouched) {
  const Outcome missing = Ride({"query", "city_cents"});
  EXPECT_EQ(missing.exit_code, 1);
  EXPECT_THAT(missing.err, HasSubstr("there is no data directory"));
  EXPECT_FALSE(std::filesystem::exists(data_dir_));

  std::filesystem::create_directories(data_dir_);
  std::ofstream(data_dir_ + "/thesis.txt") << "years of work";
  const Outcome foreign = Ride({"run"});
  EXPECT_EQ(foreign.exit_code, 1);
  EXPECT_THAT(foreign.err, HasSubstr("holds other things (such as thesis.txt)"));
  EXPECT_TRUE(std::filesystem::exists(data_dir_ + "/thesis.txt"));
  std::filesystem::remove(data_dir_ + "/thesis.txt");

  RunOk();
  const Outcome other = Ride({"run", "--job_name=walks"});
  EXPECT_EQ(other.exit_code, 1);
  EXPECT_THAT(other.err, HasSubstr("belongs to the job rides, this one is walks"));
  EXPECT_EQ(Output({"query", "city_cents"}), kCityTable);
}

TEST_F(VerbsTest, ADamagedManifestIsTold) {
  RunOk();
  std::ofstream(data_dir_ + "/millrace.json") << "{\"format\":";
  const Outcome query = Ride({"query", "city_cents"});
  EXPECT_EQ(query.exit_code, 1);
  EXPECT_THAT(query.err, HasSubstr("millrace.json is damaged"));
  std::ofstream(data_dir_ + "/millrace.json")
      << "{\"format\":9,\"job_name\":\"rides\",\"generation\":1,\"mode\":\"batch\"}";
  EXPECT_THAT(Ride({"run"}).err, HasSubstr("has format 9, this program reads format 2"));
}

}  // namespace
}  // namespace millrace::cli_test
