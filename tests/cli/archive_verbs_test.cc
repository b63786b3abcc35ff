// The verbs `archive run|list|verify|compact`: what they print and their exit codes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "../archive_read/topic_fixture.h"
#include "cli/verbs.h"
#include "millrace/core/json.h"

namespace millrace {
namespace {

using ::testing::HasSubstr;

struct ListedRange {
  std::string topic;
  std::int32_t partition = 0;
  std::int64_t from = 0;
  std::int64_t to = 0;
  std::int64_t count = 0;
  std::int64_t controls = 0;
  std::optional<std::string> path;
};

class ArchiveVerbsTest : public TopicFixture {
 protected:
  std::string Run(const std::vector<std::string>& arguments, const std::string& format = "table", bool flush = false) {
    cli::Invocation invocation;
    invocation.program = "clicks";
    invocation.verb = "archive";
    invocation.arguments = arguments;
    invocation.pipeline.data_dir = folder_;
    invocation.output.format = format;
    invocation.archive.flush = flush;
    invocation.archive.archive_grace = Duration(0);
    ::testing::internal::CaptureStdout();
    const StatusOr<int> code = cli::ArchiveVerb(invocation);
    std::string output = ::testing::internal::GetCapturedStdout();
    status_ = code.status();
    code_ = code.value_or(-1);
    return output;
  }
  std::vector<ListedRange> List() {
    std::vector<ListedRange> ranges;
    std::istringstream lines(Run({"list"}, "json"));
    for (std::string line; std::getline(lines, line);) {
      const auto range = json::Parse<ListedRange>(line);
      EXPECT_TRUE(range.ok()) << range.status() << ": " << line;
      if (range.ok()) ranges.push_back(*range);
    }
    return ranges;
  }

  Status status_;
  int code_ = -1;
};

TEST_F(ArchiveVerbsTest, RunListVerifyCompact) {
  OpenLog(1);
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 10; ++i) Append(0, i);
    EXPECT_EQ(Run({"run"}, "table", true).substr(0, 20), "clicks: 10 records, ") << status_;
    EXPECT_EQ(code_, 0) << status_;
  }
  ASSERT_TRUE(writer_->AdvanceWatermark(Timestamp::Max()).ok());
  EXPECT_THAT(Run({"run", "clicks"}), HasSubstr("archived through 31"));
  std::vector<ListedRange> ranges = List();
  ASSERT_EQ(ranges.size(), 4U);
  EXPECT_EQ(ranges[1].from, 10);
  EXPECT_EQ(ranges[1].to, 20);
  EXPECT_EQ(ranges[1].count, 10);
  EXPECT_EQ(ranges[3].controls, 1);
  EXPECT_EQ(ranges[3].path, std::nullopt);
  EXPECT_TRUE(std::filesystem::exists(*ranges[1].path));
  EXPECT_THAT(Run({"verify"}), ::testing::MatchesRegex("clicks: 3 files, 30 records, [0-9,]+ bytes, 0 problems\n"));
  EXPECT_EQ(code_, 0) << status_;
  EXPECT_THAT(Run({"compact"}), HasSubstr("3 files were merged, 3 replaced files removed, 1 ranges are left"));
  EXPECT_EQ(List().size(), 1U);
  Run({"verify"});
  EXPECT_EQ(code_, 0) << status_;

  const std::string path = *List()[0].path;
  std::fstream file(path, std::ios::in | std::ios::out);
  file.seekp(10);
  file.put('x');
  file.close();
  const std::string said = Run({"verify", "clicks"});
  EXPECT_EQ(code_, 1);
  EXPECT_THAT(said, HasSubstr(path.substr(path.find("day="))));
  EXPECT_THAT(said, HasSubstr("partition 0, offset 0: its digest is"));
  EXPECT_THAT(said, HasSubstr("1 problems"));
}

TEST_F(ArchiveVerbsTest, ADamagedManifestIsAProblem) {
  OpenLog(1);
  Append(0, 1);
  Run({"run"}, "table", true);
  ASSERT_EQ(code_, 0) << status_;
  std::ofstream(folder_ + "/archive/clicks/manifest", std::ios::app) << "x";
  EXPECT_THAT(Run({"verify"}), HasSubstr("clicks: manifest: manifest " + folder_));
  EXPECT_EQ(code_, 1);
  Run({"run"});
  EXPECT_EQ(status_.code(), StatusCode::kDataLoss) << "it is not written over";
}

TEST_F(ArchiveVerbsTest, MistakesOfTheCommandLine) {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{}, {"frob"}, {"list", "../secret"}, {"run", ""}}) {
    Run(arguments);
    EXPECT_TRUE(cli::IsUsageError(status_)) << status_;
  }
  Run({"verify"});
  EXPECT_EQ(status_.code(), StatusCode::kNotFound);
  Run({"run"});
  EXPECT_EQ(status_.code(), StatusCode::kNotFound);
}

}  // namespace
}  // namespace millrace
