// The snippet of docs/guide/event-log.md, compiled and run; snippets_test.py compares the texts.
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <set>
#include <string>

#include "archive/archiver.h"
#include "log/log_writer.h"
#include "millrace/io/archive.h"
#include "millrace/millrace.h"
#include "millrace/testing/collect.h"

namespace millrace {
namespace {

using namespace std::chrono_literals;
using testing::Collect;

class EventLogGuideTest : public ::testing::Test {
 protected:
  EventLogGuideTest() : data_(::testing::TempDir() + "event_log_guide_" + std::to_string(::getpid())) {
    auto writer = log::LogWriter::Open(base::PosixFileSystem(), data_ + "/log", "rides",
                                       {.partitions = 2, .sync = log::SyncPolicy::kOs, .segment_bytes = 3'000});
    writer_ = *std::move(writer);
  }
  ~EventLogGuideTest() override { std::filesystem::remove_all(data_); }

  void Append(std::int32_t partition, int count) {
    for (int i = 0; i < count; ++i) {
      std::int64_t& next = next_[partition];
      const std::string data = std::to_string(partition) + "/" + std::to_string(next);
      const log::AppendRecord record{
          .event_time = Timestamp::FromSeconds(next++), .data = data, .partition = partition};
      ASSERT_TRUE(writer_->Append({&record, 1}).ok());
    }
  }

  const std::string data_;
  std::unique_ptr<log::LogWriter> writer_;
  std::int64_t next_[2] = {};
};

TEST_F(EventLogGuideTest, FromACutThroughArchiveAndLog) {
  Append(0, 300);
  Append(1, 350);
  auto archiver = archive::Archiver::Open(
      {.log_folder = data_ + "/log", .topic = "rides", .store = archive::OpenFolderStore(data_ + "/archive/rides")});
  ASSERT_TRUE(archiver.ok()) << archiver.status();
  ASSERT_TRUE((*archiver)->ArchiveClosed(true).ok());
  Append(0, 50);
  Append(1, 100);
  const std::string& data = data_;
  Pipeline pipeline;
  // region cut
  // What was sent after the cut, which each partition's next offset makes, from wherever it is now.
  auto records = pipeline | "Rides" >> archive::Read({.folder = data + "/archive",
                                                      .log_folder = data + "/log",
                                                      .topic = "rides",
                                                      .max_disorder = 10s,
                                                      .from = {250, 400}});
  auto texts = records | "Data" >> Map([](const LogRecord& record) { return record.data; });
  // end cut
  auto seen = Collect(texts);
  const PipelineResult result = pipeline.Run();
  ASSERT_TRUE(result.ok()) << result.status.ToString();
  std::set<std::string> expected;  // partition 0: 50 from the archive and 50 from the log; partition 1: from the log
  for (int i = 250; i < 350; ++i) expected.insert("0/" + std::to_string(i));
  for (int i = 400; i < 450; ++i) expected.insert("1/" + std::to_string(i));
  const auto values = seen->values();
  EXPECT_EQ(values.size(), expected.size());
  EXPECT_EQ(std::set<std::string>(values.begin(), values.end()), expected);
}

}  // namespace
}  // namespace millrace
