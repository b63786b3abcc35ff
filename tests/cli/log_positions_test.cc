#include "cli/log_positions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "archive/archiver.h"
#include "base/file_system.h"
#include "log/log_writer.h"
#include "program.h"

namespace millrace::cli {
namespace {

RunStatus StatusOfPartitions(const std::vector<std::string>& names) {
  RunStatus status;
  SourceStatus source{.label = "Clicks"};
  for (const std::string& name : names) source.partitions.push_back({.partition = name, .position = 1});
  status.sources.push_back(source);
  return status;
}

class LogPositionsTest : public ::testing::Test {
 protected:
  std::unique_ptr<log::LogWriter> OpenLog() {
    auto writer = log::LogWriter::Open(base::PosixFileSystem(), folder_.path() + "/log", "clicks", {.partitions = 2});
    EXPECT_TRUE(writer.ok()) << writer.status();
    return *std::move(writer);
  }
  static void Append(log::LogWriter& writer, std::int32_t partition, int count) {
    for (int i = 0; i < count; ++i) {
      const log::AppendRecord record{
          .event_time = Timestamp::FromSeconds(i), .key = "k", .data = "d", .partition = partition};
      ASSERT_TRUE(writer.Append(std::span(&record, 1)).ok());
    }
  }

  cli_test::TemporaryFolder folder_;
};

TEST_F(LogPositionsTest, FollowTheLogAndItsArchive) {
  const auto writer = OpenLog();
  Append(*writer, 0, 3);
  Append(*writer, 1, 5);
  auto archiver = archive::Archiver::Open({.log_folder = folder_.path() + "/log",
                                           .topic = "clicks",
                                           .store = archive::OpenFolderStore(folder_.path() + "/archive/clicks")});
  ASSERT_TRUE(archiver.ok()) << archiver.status();
  ASSERT_TRUE((*archiver)->ArchiveClosed(true).ok());
  Append(*writer, 1, 2);

  LogPositions positions(folder_.path());
  RunStatus status = StatusOfPartitions({"clicks/0", "clicks/1"});
  positions.AddTo(status);
  const auto& partitions = status.sources[0].partitions;
  EXPECT_EQ(partitions[0].end, 3);
  EXPECT_EQ(partitions[0].landed, 3);
  EXPECT_EQ(partitions[0].archived_through, 3);
  EXPECT_EQ(partitions[1].end, 7);
  EXPECT_EQ(partitions[1].archived_through, 5);

  Append(*writer, 0, 1);
  positions.AddTo(status);
  EXPECT_EQ(partitions[0].end, 4);
}

TEST_F(LogPositionsTest, LeaveAloneWhatIsNoPartitionOfTheLog) {
  const auto writer = OpenLog();
  Append(*writer, 0, 1);
  LogPositions positions(folder_.path());
  RunStatus status = StatusOfPartitions(
      {"clicks/2", "clicks/-1", "clicks/x", "clicks", "/0", "other/0", "../log/clicks/0", "files/rides.json", ""});
  positions.AddTo(status);
  for (const PartitionStatus& partition : status.sources[0].partitions) {
    EXPECT_EQ(partition.end, std::nullopt) << partition.partition;
    EXPECT_EQ(partition.archived_through, std::nullopt) << partition.partition;
  }
}

}  // namespace
}  // namespace millrace::cli
