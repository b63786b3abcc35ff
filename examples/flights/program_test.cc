// The program itself on the first twenty thousand flights of the real file.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "columnar/database.h"

namespace flights {
namespace {

using millrace::columnar::QuoteLiteral;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

struct Outcome {
  int exit_code = -1;
  std::string out;
  std::string err;
};

std::string Slurp(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string Replaced(std::string text, const std::string& what, const std::string& by) {
  const std::size_t at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  return at == std::string::npos ? text : text.replace(at, what.size(), by);
}

void Redirect(const std::string& path, int descriptor) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  ::dup2(file, descriptor);
  ::close(file);
}

class ProgramTest : public ::testing::Test {
 protected:
  // One folder, one slice of the file and one batch run for all tests.
  static void SetUpTestSuite() {
    std::string pattern = (std::filesystem::temp_directory_path() / "millrace_flights_XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    auto database = millrace::columnar::Database::Open({});
    ASSERT_EQ(database.status(), millrace::OkStatus());
    ASSERT_EQ(
        database->Connect()->Execute("COPY (SELECT * FROM read_parquet(" + QuoteLiteral(Data("flights-3m.parquet")) +
                                     ") LIMIT 20000) TO " + QuoteLiteral(Input()) + " (FORMAT parquet)"),
        millrace::OkStatus())
        << "run tools/setup first";
    const Outcome run = Run({"run", "--batch", "--threads=2", "--input=" + Input(), Airports()}, "batch");
    ASSERT_EQ(run.exit_code, 0) << run.err;
  }
  static void TearDownTestSuite() { std::filesystem::remove_all(folder_); }

  static std::string Data(const std::string& name) { return MILLRACE_SOURCE_DIR "/.setup/data/" + name; }
  static std::string Input() { return folder_ + "/flights.parquet"; }
  static std::string Airports() { return "--airports=" + Data("airports.csv"); }

  // Runs the program, which is beside this one, on a data directory of that name.
  static Outcome Run(std::vector<std::string> arguments, const std::string& data) {
    const std::string program = std::filesystem::read_symlink("/proc/self/exe").replace_filename("flights").string();
    arguments.insert(arguments.begin(), program);
    arguments.push_back("--data_dir=" + folder_ + "/" + data);
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    const pid_t child = ::fork();
    if (child == 0) {
      Redirect(folder_ + "/out", STDOUT_FILENO);
      Redirect(folder_ + "/err", STDERR_FILENO);
      ::execv(argv[0], argv.data());
      ::_exit(127);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, Slurp(folder_ + "/out"), Slurp(folder_ + "/err")};
  }
  static std::string Output(const std::vector<std::string>& arguments, const std::string& data = "batch") {
    const Outcome outcome = Run(arguments, data);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return outcome.out;
  }
  // The cells that differ, a line each, without the header.
  static std::string Differences(const std::string& data, const std::string& delayed = "delay >= 15") {
    std::string sql = Slurp(MILLRACE_SOURCE_DIR "/examples/flights/check.sql");
    sql = Replaced(sql, "'FLIGHTS'", QuoteLiteral(Input()));
    sql = Replaced(sql, "'AIRPORTS'", QuoteLiteral(Data("airports.csv")));
    sql = Replaced(sql, "delay >= 15", delayed);
    const std::string rows = Output({"sql", sql, "--format=csv"}, data);
    EXPECT_THAT(rows, StartsWith("view,origin,destination,window_start,"));
    return rows.substr(std::min(rows.size(), rows.find('\n') + 1));
  }
  static std::vector<std::string> Rows(const std::string& sql) {
    auto database = millrace::columnar::Database::Open({});
    auto connection = *database->Connect();
    auto result = connection.Query(sql);
    if (!result.ok()) return {result.status().message()};
    std::vector<std::string> rows;
    while (*result->Next()) {
      for (std::size_t row = 0; row < result->rows(); ++row) {
        std::string text;
        for (std::size_t i = 0; i < result->columns().size(); ++i) {
          text += (i > 0 ? " " : "") + result->Text(i, row).value_or("NULL");
        }
        rows.push_back(text);
      }
    }
    return rows;
  }

  static inline std::string folder_;
};

TEST_F(ProgramTest, EveryCellOfABatchRunEqualsSql) {
  EXPECT_EQ(Differences("batch"), "");
  const std::string cells = Output({"sql", "SELECT sum(flights) FROM hourly_delays", "--format=csv"});
  EXPECT_GT(std::stoi(cells.substr(cells.find('\n') + 1)), 19'000);
}

TEST_F(ProgramTest, EveryCellOfAStreamingRunEqualsSql) {
  const Outcome run = Run({"run", "--streaming", "--threads=2", "--input=" + Input(), Airports()}, "streaming");
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.err, HasSubstr("cells written to 2 views"));
  EXPECT_EQ(Differences("streaming"), "");
}

TEST_F(ProgramTest, EveryCellOfARunThatReadsTheLogEqualsSql) {
  const Outcome publish =
      Run({"publish", Input(), "--duplicates=0.03", "--garbage=0.01", "--seed=5", "--close"}, "from_log");
  ASSERT_EQ(publish.exit_code, 0) << publish.err;
  const Outcome run = Run({"run", "--source=log", "--threads=2", Airports()}, "from_log");
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(Differences("from_log"), "");
  const Outcome batch = Run({"run", "--source=log", "--batch", "--threads=2", Airports()}, "from_log");
  ASSERT_EQ(batch.exit_code, 0) << batch.err;
  EXPECT_EQ(Differences("from_log"), "");
}

TEST_F(ProgramTest, TheCheckFindsADifference) {
  const std::string rows = Differences("batch", "delay >= 16");
  EXPECT_THAT(rows, HasSubstr("hourly_delays,"));
  EXPECT_GT(std::count(rows.begin(), rows.end(), '\n'), 10);
}

TEST_F(ProgramTest, AFinishedRunLeavesViewsWithoutRanking) {
  EXPECT_EQ(Output({"sql",
                    "SELECT count(*) AS views, bool_or(contains(sql, 'row_number')) AS ranking FROM duckdb_views() "
                    "WHERE view_name IN ('hourly_delays', 'route_delays')",
                    "--format=csv"}),
            "views,ranking\n2,false\n");
}

TEST_F(ProgramTest, AnExportIsAPlainParquetFile) {
  const std::string file = folder_ + "/hourly.parquet";
  Output({"export", "hourly_delays", file});
  const std::string table = "read_parquet(" + QuoteLiteral(file) + ")";
  EXPECT_THAT(Rows("SELECT column_name, column_type FROM (DESCRIBE FROM " + table + ")"),
              ElementsAre("origin VARCHAR", "window_start TIMESTAMP", "window_end TIMESTAMP", "flights BIGINT",
                          "delayed BIGINT", "delay_sum BIGINT", "delay_max BIGINT", "distance_sum BIGINT"));
  EXPECT_THAT(
      Rows("SELECT count(*) > 1000, count(*) - count(DISTINCT (origin, window_start, window_end)) FROM " + table),
      ElementsAre("true 0"));
  EXPECT_THAT(Rows("SELECT DISTINCT window_end - window_start FROM " + table), ElementsAre("01:00:00"));
  const std::string total = Output({"sql", "SELECT sum(flights) AS n FROM hourly_delays", "--format=csv"});
  EXPECT_THAT(Rows("SELECT sum(flights) FROM " + table), ElementsAre(total.substr(2, total.size() - 3)));
}

TEST_F(ProgramTest, QueriesAnswerInThreeFormats) {
  const std::vector<std::string> query = {"query", "hourly_delays", "ORD", "--from=2001-01-01T12:00:00Z",
                                          "--to=2001-01-01T15:00:00Z"};
  const auto as = [&](const std::string& format) {
    std::vector<std::string> arguments = query;
    arguments.push_back("--format=" + format);
    return Output(arguments);
  };
  // What SQL says of the file, as lines of CSV.
  const std::string valid =
      "delay BETWEEN -120 AND 1440 AND distance > 0 AND origin = 'ORD' AND date >= '2001-01-01 "
      "12:00:00' AND date < '2001-01-01 15:00:00'";
  const std::vector<std::string> rows = Rows(
      "SELECT concat_ws(',', 'ORD', strftime(hour, '%Y-%m-%dT%H:%M:%SZ'), strftime(hour + INTERVAL 1 HOUR, "
      "'%Y-%m-%dT%H:%M:%SZ'), count(*), count(*) FILTER (delay >= 15), sum(delay), max(delay), sum(distance)) FROM "
      "(SELECT *, time_bucket(INTERVAL 1 HOUR, date) AS hour FROM read_parquet(" +
      QuoteLiteral(Input()) + ") WHERE " + valid + ") GROUP BY hour ORDER BY hour");
  ASSERT_EQ(rows.size(), 3U);
  std::string expected = "origin,window_start,window_end,flights,delayed,delay_sum,delay_max,distance_sum\n";
  for (const std::string& row : rows) expected += row + "\n";
  EXPECT_EQ(as("csv"), expected);
  const std::string json = as("json");
  EXPECT_EQ(std::count(json.begin(), json.end(), '\n'), 3);
  EXPECT_THAT(json, StartsWith("{\"origin\":\"ORD\",\"window_start\":\"2001-01-01T12:00:00Z\",\"window_end\":"
                               "\"2001-01-01T13:00:00Z\",\"flights\":"));
  const std::string table = as("table");
  EXPECT_THAT(table, StartsWith("origin  window_start"));
  EXPECT_THAT(table, HasSubstr("ORD     2001-01-01 12:00:00  2001-01-01 13:00:00  "));
  EXPECT_THAT(table, HasSubstr("(3 rows)\n"));
}

TEST_F(ProgramTest, DescribeNamesBothViews) {
  const std::string text = Output({"describe"});
  EXPECT_THAT(text, HasSubstr("\nview hourly_delays\n  key      origin string\n"));
  EXPECT_THAT(text, HasSubstr("\nview route_delays\n  key      origin string, destination string\n"));
}

}  // namespace
}  // namespace flights
