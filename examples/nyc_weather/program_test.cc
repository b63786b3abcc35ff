// The program itself on the flights and the weather of January.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "columnar/database.h"

namespace nyc_weather {
namespace {

using millrace::columnar::QuoteLiteral;
using ::testing::HasSubstr;
using ::testing::StartsWith;

struct NycOutcome {
  int exit_code = -1;
  std::string out;
  std::string err;
};

std::string Content(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

void RedirectTo(const std::string& path, int descriptor) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  ::dup2(file, descriptor);
  ::close(file);
}

class NycWeatherTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    std::string pattern = (std::filesystem::temp_directory_path() / "millrace_nyc_XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    for (const char* name : {"flights", "weather"}) {
      auto database = millrace::columnar::Database::Open({});
      ASSERT_EQ(database.status(), millrace::OkStatus());
      ASSERT_EQ(database->Connect()->Execute(
                    "COPY (FROM read_csv(" +
                    QuoteLiteral(MILLRACE_SOURCE_DIR "/.setup/data/nyc_" + std::string(name) + ".csv") +
                    ", header = true, all_varchar = true) WHERE month = '1') TO " + QuoteLiteral(File(name)) +
                    " (FORMAT csv, HEADER true)"),
                millrace::OkStatus())
          << "run tools/setup first";
    }
  }
  static void TearDownTestSuite() { std::filesystem::remove_all(folder_); }

  static std::string File(const std::string& name) { return folder_ + "/" + name + ".csv"; }
  static std::vector<std::string> Files() { return {"--flights=" + File("flights"), "--weather=" + File("weather")}; }

  static pid_t Start(std::vector<std::string> arguments, const std::string& data) {
    const std::string program =
        std::filesystem::read_symlink("/proc/self/exe").replace_filename("nyc_weather").string();
    arguments.insert(arguments.begin(), program);
    arguments.push_back("--data_dir=" + folder_ + "/" + data);
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    const pid_t child = ::fork();
    if (child != 0) return child;
    RedirectTo(folder_ + "/out", STDOUT_FILENO);
    RedirectTo(folder_ + "/err", STDERR_FILENO);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  static NycOutcome Run(const std::vector<std::string>& arguments, const std::string& data) {
    int status = 0;
    ::waitpid(Start(arguments, data), &status, 0);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, Content(folder_ + "/out"), Content(folder_ + "/err")};
  }
  static void MustRun(std::vector<std::string> arguments, const std::string& data) {
    const NycOutcome run = Run(arguments, data);
    ASSERT_EQ(run.exit_code, 0) << run.err;
  }
  static std::vector<std::string> With(std::vector<std::string> arguments, const std::vector<std::string>& more) {
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  // What the query gives, without the header.
  static std::string Rows(const std::string& sql, const std::string& data) {
    const NycOutcome query = Run({"sql", sql, "--format=csv"}, data);
    EXPECT_EQ(query.exit_code, 0) << query.err;
    return query.out.substr(std::min(query.out.size(), query.out.find('\n') + 1));
  }
  static std::int64_t Number(const std::string& sql, const std::string& data) { return std::stoll(Rows(sql, data)); }
  static std::string CheckSql() {
    std::string sql = Content(MILLRACE_SOURCE_DIR "/examples/nyc_weather/check.sql");
    for (const auto& [placeholder, name] : {std::pair("'FLIGHTS'", "flights"), std::pair("'WEATHER'", "weather")}) {
      const std::size_t at = sql.find(placeholder);
      EXPECT_NE(at, std::string::npos);
      sql.replace(at, std::string_view(placeholder).size(), QuoteLiteral(File(name)));
    }
    return sql;
  }
  // The cells that differ, a line each.
  static std::string Differences(const std::string& data) { return Rows(CheckSql(), data); }
  static void Publish(const std::string& data) {
    MustRun({"publish", File("weather"), "--topic=weather", "--duplicates=0.05", "--close"}, data);
    MustRun({"publish", File("flights"), "--topic=flights", "--duplicates=0.03", "--garbage=0.01", "--close"}, data);
  }

  static inline std::string folder_;
};

TEST_F(NycWeatherTest, EveryCellOfABatchRunEqualsSql) {
  MustRun(With({"run", "--batch", "--threads=2"}, Files()), "batch");
  EXPECT_EQ(Differences("batch"), "");
  EXPECT_EQ(Number("SELECT sum(flights) FROM hourly_weather", "batch"), 27'004);
  EXPECT_EQ(Number("SELECT count(*) FROM enriched_flights", "batch"), 27'004);
  EXPECT_GT(Number("SELECT count(*) FROM hourly_weather WHERE flights = 0 OR visib IS NULL", "batch"), 0);
  // Which weather is the newest is certain here.
  EXPECT_EQ(Rows("SELECT DISTINCT observed FROM enriched_flights", "batch"),
            Rows("SELECT max(window_start) FROM hourly_weather WHERE visib IS NOT NULL", "batch"));
}

TEST_F(NycWeatherTest, EveryCellOfAStreamingRunEqualsSql) {
  MustRun(With({"run", "--streaming", "--threads=2"}, Files()), "streaming");
  EXPECT_EQ(Differences("streaming"), "");
}

TEST_F(NycWeatherTest, TheLogsRunEqualsSqlButForFlightsThatCameTooLate) {
  Publish("log");
  MustRun({"run", "--source=log", "--threads=2"}, "log");
  EXPECT_EQ(Differences("log"), "");
  const std::string late = "FROM dead_letters WHERE name = 'late' AND step = 'Nyc/Join'";
  EXPECT_EQ(Number("SELECT sum(flights) FROM hourly_weather", "log") + Number("SELECT count(*) " + late, "log"),
            27'004);
  EXPECT_GT(Number("SELECT count(*) FROM dead_letters WHERE name = 'events'", "log"), 200);
}

TEST_F(NycWeatherTest, RunsThatAreKilledEndWithTheSame) {
  Publish("killed");
  const std::vector<std::string> run = {"run", "--source=log", "--threads=2", "--checkpoint_interval=50ms"};
  for (const int after_ms : {150, 250, 400}) {
    const pid_t child = Start(run, "killed");
    std::this_thread::sleep_for(std::chrono::milliseconds(after_ms));
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
  }
  MustRun(run, "killed");
  EXPECT_EQ(Differences("killed"), "");
}

TEST_F(NycWeatherTest, TheCheckFindsDifferences) {
  MustRun(With({"run", "--batch", "--threads=2"}, Files()), "batch");
  for (const auto& [right, wrong, view] :
       {std::tuple("delay >= 15", "delay >= 16", "hourly_weather"),
        std::tuple("lag(scheduled) OVER by_tail + INTERVAL 6 HOUR", "lag(scheduled) OVER by_tail + INTERVAL 7 HOUR",
                   "aircraft_sessions"),
        std::tuple("weather.hour = got.observed", "weather.hour = got.observed - INTERVAL 1 HOUR",
                   "enriched_flights")}) {
    std::string sql = CheckSql();
    const std::size_t at = sql.find(right);
    ASSERT_NE(at, std::string::npos) << right;
    const std::string rows = Rows(sql.replace(at, std::string_view(right).size(), wrong), "batch");
    EXPECT_THAT(rows, StartsWith(std::string(view) + ",")) << wrong;
  }
}

TEST_F(NycWeatherTest, DescribeNamesTheSessionsAndTheSideInput) {
  const NycOutcome described = Run({"describe"}, "batch");
  EXPECT_THAT(described.out, HasSubstr("Sessions(gap 6h)"));
  EXPECT_THAT(described.out, HasSubstr("\nview aircraft_sessions\n"));
  EXPECT_THAT(described.out, HasSubstr("side input: weather from \"Nyc/Newest\""));
}

}  // namespace
}  // namespace nyc_weather
