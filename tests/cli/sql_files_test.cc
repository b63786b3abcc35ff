// Which SQL file computes which view, and what a recompute by SQL says where there is none.
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cli/sql_batch.h"
#include "millrace/topology/lambda.h"

namespace millrace::cli {
namespace {

class SqlFilesTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "sql_files_" + testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::create_directories(folder_ + "/other");
    Write("a.sql", "SELECT 1");
    Write("other/a.sql", "SELECT 2");
    for (const char* view : {"a", "b", "c"}) {
      views_.push_back({.name = view, .key = &TypeOf<std::string>(), .value = &TypeOf<std::int64_t>()});
    }
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void Write(const std::string& name, const std::string& text) const { std::ofstream(folder_ + "/" + name) << text; }

  Invocation Of(std::map<std::string, std::string> sql) const {
    const topology::Lambda lambda{.log = {},
                                  .logic = [](const PCollection<LogRecord>&) {},
                                  .views = {"a", "b", "c"},
                                  .every = std::chrono::hours(1),
                                  .sql = std::move(sql),
                                  .sql_folder = folder_};
    Invocation invocation;
    invocation.topology = std::make_shared<const detail::TopologyDescription>(lambda.Describe());
    return invocation;
  }

  std::string folder_;
  std::vector<ViewDescriptor> views_;
};

TEST_F(SqlFilesTest, ViewsWithoutAFileAreRefusedByName) {
  const Status refused = ReadSqlFiles(Of({{"a", "a.sql"}}), views_).status();
  EXPECT_EQ(refused.code(), StatusCode::kFailedPrecondition);
  EXPECT_NE(refused.message().find("no SQL file computes the view b, c; name one in topology::Lambda"),
            std::string::npos)
      << refused;
}

TEST_F(SqlFilesTest, AFileThatIsNotThereIsNamedWithItsView) {
  const Status missing = ReadSqlFiles(Of({{"a", "none.sql"}}), {views_[0]}).status();
  EXPECT_EQ(missing.code(), StatusCode::kNotFound);
  EXPECT_NE(missing.message().find("view a: SQL file " + folder_ + "/none.sql"), std::string::npos) << missing;
}

TEST_F(SqlFilesTest, TheOptionTakesThePlaceOfTheFolder) {
  Invocation invocation = Of({{"a", "a.sql"}});
  const std::vector<batch::SqlView> given = *ReadSqlFiles(invocation, {views_[0]});
  EXPECT_EQ(given[0].text, "SELECT 1");
  invocation.batch.sql_folder = folder_ + "/other";
  const std::vector<batch::SqlView> other = *ReadSqlFiles(invocation, {views_[0]});
  EXPECT_EQ(other[0].text, "SELECT 2");
  EXPECT_EQ(other[0].path, folder_ + "/other/a.sql");
  EXPECT_NE(CodeVersionOf(given), CodeVersionOf(other));
  EXPECT_EQ(CodeVersionOf(given), CodeVersionOf(*ReadSqlFiles(Of({{"a", "a.sql"}}), {views_[0]})));
}

}  // namespace
}  // namespace millrace::cli
