// A topic with a log and an archive in a folder of its own, and a list of what was appended to it.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "archive/archiver.h"
#include "base/random.h"
#include "log/log_writer.h"
#include "millrace/io/archive.h"

namespace millrace {

class TopicFixture : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = (std::filesystem::path(::testing::TempDir()) /
               ("archive_read_" + std::to_string(::getpid()) + "_" +
                ::testing::UnitTest::GetInstance()->current_test_info()->name()))
                  .string();
    std::filesystem::remove_all(folder_);
    clock_.SetNow(Timestamp::FromSeconds(1'800'000'000));
  }
  void TearDown() override {
    archiver_.reset();
    writer_.reset();
    std::filesystem::remove_all(folder_);
  }

  void OpenLog(std::int32_t partitions) {
    auto writer = log::LogWriter::Open(base::PosixFileSystem(), folder_ + "/log", "clicks",
                                       {.partitions = partitions,
                                        .sync = log::SyncPolicy::kOs,
                                        .segment_bytes = 2000,
                                        .retention_bytes = 1,
                                        .clock = &clock_});
    ASSERT_TRUE(writer.ok()) << writer.status();
    writer_ = *std::move(writer);
  }

  void OpenArchiver(Duration grace = Duration(0), std::int64_t file_records = 30) {
    auto archiver = archive::Archiver::Open({.log_folder = folder_ + "/log",
                                             .topic = "clicks",
                                             .store = Store(),
                                             .file_limits = {.records_max = file_records},
                                             .compaction = {.files_min = 2},
                                             .grace = grace,
                                             .written_by = "a test",
                                             .clock = &clock_});
    ASSERT_TRUE(archiver.ok()) << archiver.status();
    archiver_ = *std::move(archiver);
  }

  std::shared_ptr<ArchiveStore> Store() const { return archive::OpenFolderStore(folder_ + "/archive/clicks"); }

  void Append(std::int32_t partition, std::int64_t second) {
    const std::string data = "event " + std::to_string(appended_++);
    const log::AppendRecord record{
        .event_time = Timestamp::FromSeconds(second), .key = "k", .data = data, .partition = partition};
    const auto appended = writer_->Append({&record, 1});
    ASSERT_TRUE(appended.ok()) << appended.status();
    expected_[{partition, (*appended)[0].offset}] = {data, second};
  }
  void AppendMany(base::Random& random, int count, std::int32_t partitions) {
    for (int i = 0; i < count; ++i) {
      Append(static_cast<std::int32_t>(random.Below(static_cast<std::uint64_t>(partitions))),
             static_cast<std::int64_t>(appended_) + random.Between(0, 20));
    }
  }

  /// Removes what is archived from the log, but for what must be on the device first.
  Status Retain() {
    const Status synced = writer_->Sync();
    return synced.ok() ? writer_->ApplyRetention().status() : synced;
  }

  archive::ReadOptions Options() const {
    return {.folder = folder_ + "/archive", .log_folder = folder_ + "/log", .topic = "clicks"};
  }

  /// Partition and offset of what was read, to data and event second; a record that came twice is a failure.
  using Records = std::map<std::pair<std::int32_t, std::int64_t>, std::pair<std::string, std::int64_t>>;
  static Records AsRecords(const std::vector<LogRecord>& read) {
    Records records;
    for (const LogRecord& record : read) {
      const bool is_new =
          records.try_emplace({record.partition, record.offset}, record.data, record.event_time.micros() / 1'000'000)
              .second;
      EXPECT_TRUE(is_new) << "twice: " << record.partition << "/" << record.offset;
    }
    return records;
  }

  std::string folder_;
  base::ManualClock clock_;
  std::unique_ptr<log::LogWriter> writer_;
  std::unique_ptr<archive::Archiver> archiver_;
  std::int64_t appended_ = 0;
  Records expected_;
};

}  // namespace millrace
