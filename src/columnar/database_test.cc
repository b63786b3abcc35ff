#include "columnar/database.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>

namespace millrace::columnar {
namespace {

using ::testing::HasSubstr;

class DatabaseTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ =
        std::filesystem::temp_directory_path() / ("millrace_database_" + std::to_string(getpid()) + "_" +
                                                  ::testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::create_directories(folder_);
    file_ = (folder_ / "views.duckdb").string();
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path folder_;
  std::string file_;
};

TEST_F(DatabaseTest, KeepsWhatWasCommitted) {
  {
    Connection connection = *Database::Open({.path = file_})->Connect();
    ASSERT_EQ(connection.Execute("CREATE TABLE t (n BIGINT); INSERT INTO t VALUES (1), (2)"), OkStatus());
    ASSERT_EQ(connection.Execute("BEGIN; INSERT INTO t VALUES (3)"), OkStatus());
  }
  Connection connection = *Database::Open({.path = file_})->Connect();
  EXPECT_EQ(*connection.QueryInt64("SELECT sum(n) FROM t"), 3);
}

TEST_F(DatabaseTest, StatementsTakeParameters) {
  Connection connection = *Database::Open({})->Connect();
  ASSERT_EQ(connection.Execute("CREATE TABLE t AS SELECT range AS n, 'k' || range AS k FROM range(10)"), OkStatus());
  Statement statement = *connection.Prepare("SELECT n FROM t WHERE n > $1 AND k <> $2 ORDER BY n");
  EXPECT_EQ(statement.parameters(), 2U);
  ASSERT_EQ(statement.BindInt64(1, 7), OkStatus());
  ASSERT_EQ(statement.BindText(2, "k8"), OkStatus());
  Result result = *statement.Query();
  ASSERT_TRUE(*result.Next());
  EXPECT_EQ(result.rows(), 1U);
  EXPECT_EQ(result.Text(0, 0), "9");
  EXPECT_EQ(statement.BindInt64(3, 1).code(), StatusCode::kInvalidArgument);
}

TEST_F(DatabaseTest, ErrorsSayWhatIsWrong) {
  Connection connection = *Database::Open({})->Connect();
  EXPECT_THAT(connection.Query("SELECT * FROM missing").status().message(), HasSubstr("missing"));
  EXPECT_THAT(connection.Execute("SELEC 1").message(), HasSubstr("syntax error"));
  StatusOr<Result> failing = connection.Query("SELECT error('at run time') FROM range(3)");
  Status status = failing.ok() ? failing->Next().status() : failing.status();
  EXPECT_THAT(status.message(), HasSubstr("at run time"));
}

TEST_F(DatabaseTest, ExtensionsAreNotDownloaded) {
  Connection connection = *Database::Open({})->Connect();
  Status status = connection.Execute("SELECT * FROM read_xlsx('x.xlsx')");
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(*connection.QueryInt64("SELECT count(*) FROM duckdb_settings() WHERE name LIKE 'auto%extensions' AND "
                                   "value <> 'false'"),
            0);
}

TEST_F(DatabaseTest, AFileHeldByAnotherProcessIsRefusedWithAdvice) {
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    StatusOr<Database> held = Database::Open({.path = file_});
    const char answer = held.ok() ? 'y' : 'n';
    if (write(ready[1], &answer, 1) == 1) pause();
    _exit(0);
  }
  char answer = 'n';
  ASSERT_EQ(read(ready[0], &answer, 1), 1);
  ASSERT_EQ(answer, 'y');
  StatusOr<Database> refused = Database::Open({.path = file_});
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_EQ(refused.status().code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(refused.status().message(), HasSubstr(file_ + " is held by another process; send the query"));
  EXPECT_TRUE(Database::Open({.path = file_}).ok());
}

TEST_F(DatabaseTest, ADamagedFileIsNamed) {
  std::ofstream(file_) << std::string(20'000, 'x');
  StatusOr<Database> damaged = Database::Open({.path = file_});
  EXPECT_EQ(damaged.status().code(), StatusCode::kDataLoss);
  EXPECT_THAT(damaged.status().message(), HasSubstr(file_ + " is damaged"));
  std::ofstream(file_) << "short";
  EXPECT_EQ(Database::Open({.path = file_}).status().code(), StatusCode::kDataLoss);
  EXPECT_EQ(Database::Open({.path = (folder_ / "none" / "x.duckdb").string()}).status().code(), StatusCode::kNotFound);
}

}  // namespace
}  // namespace millrace::columnar
