// log::Read in pipelines: batch and streaming, exact positions, watermarks, control records, idle partitions.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/simulated_file_system.h"
#include "log/log_writer.h"
#include "millrace/io/log.h"
#include "millrace/millrace.h"
#include "millrace/testing/collect.h"

namespace millrace {
namespace {

using log::AppendRecord;
using log::LogWriter;
using testing::Collect;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;
using namespace std::chrono_literals;

class LogReadTest : public ::testing::Test {
 protected:
  void Open(std::int32_t partitions) {
    auto writer = LogWriter::Open(files_, "log", "clicks", {.partitions = partitions, .segment_bytes = 5'000});
    ASSERT_TRUE(writer.ok()) << writer.status();
    writer_ = *std::move(writer);
  }
  void Append(std::int32_t partition, std::int64_t second, const std::string& data) {
    const AppendRecord record{
        .event_time = Timestamp::FromSeconds(second), .key = "k", .data = data, .partition = partition};
    const auto appended = writer_->Append({&record, 1});
    ASSERT_TRUE(appended.ok()) << appended.status();
  }
  detail::LogReadTransform Source(log::ReadOptions options = {}) {
    options.folder = "log";
    options.topic = "clicks";
    detail::LogReadTransform read = log::Read(options);
    read.files = &files_;
    return read;
  }
  std::vector<LogRecord> ReadAll(const log::ReadOptions& options, const RunOptions& run = {}) {
    Pipeline pipeline;
    auto seen = Collect(pipeline | "Clicks" >> Source(options));
    status_ = pipeline.Run(run).status;
    std::vector<LogRecord> records = seen->values();
    std::sort(records.begin(), records.end(), [](const LogRecord& a, const LogRecord& b) {
      return std::pair(a.partition, a.offset) < std::pair(b.partition, b.offset);
    });
    return records;
  }

  base::SimulatedFileSystem files_{{.seed = 1}};
  std::unique_ptr<LogWriter> writer_;
  Status status_;
};

std::vector<std::string> Places(const std::vector<LogRecord>& records) {
  std::vector<std::string> places;
  for (const LogRecord& record : records) {
    places.push_back(std::to_string(record.partition) + "/" + std::to_string(record.offset) + " " + record.data);
  }
  return places;
}

TEST_F(LogReadTest, BatchModeReadsWhatIsThereFromCutToCut) {
  Open(2);
  for (int i = 0; i < 5; ++i) Append(0, i, "a" + std::to_string(i));
  ASSERT_TRUE(writer_->AdvanceWatermark(Timestamp::FromSeconds(3)).ok());
  Append(1, 9, "b");
  Append(0, 9, "a5");
  EXPECT_THAT(Places(ReadAll({})), ElementsAre("0/0 a0", "0/1 a1", "0/2 a2", "0/3 a3", "0/4 a4", "0/6 a5", "1/1 b"));
  EXPECT_EQ(status_, OkStatus());
  EXPECT_THAT(Places(ReadAll({.from = {3, 1}, .to = {6, 2}})), ElementsAre("0/3 a3", "0/4 a4", "1/1 b"));
  EXPECT_EQ(status_, OkStatus());
  ReadAll({.to = {8, 2}});
  EXPECT_EQ(status_.code(), StatusCode::kOutOfRange);
  ReadAll({.from = {0}});
  EXPECT_THAT(status_.message(), HasSubstr("has 1 offsets; the topic has 2 partitions"));
}

TEST_F(LogReadTest, EveryRecordIsReadOnceWhateverTheBundlesAndThreads) {
  Open(3);
  std::vector<std::string> expected;
  for (int i = 0; i < 300; ++i) Append(i % 3, i, std::to_string(i));
  ASSERT_TRUE(writer_->AdvanceWatermark(Timestamp::Max()).ok());
  for (int p = 0; p < 3; ++p) {
    for (int i = 0; i < 100; ++i) {
      expected.push_back(std::to_string(p) + "/" + std::to_string(i) + " " + std::to_string(i * 3 + p));
    }
  }
  for (const int threads : {1, 2, 4}) {
    for (const std::int64_t bundle : {1, 7, 100'000}) {
      for (const bool streaming : {false, true}) {
        RunOptions run;
        run.streaming = streaming;
        run.threads = threads;
        run.bundle_elements = bundle;
        ASSERT_EQ(Places(ReadAll({.max_disorder = 1s, .until_closed = true}, run)), expected)
            << threads << " " << bundle << " " << streaming;
        ASSERT_EQ(status_, OkStatus());
      }
    }
  }
}

// The windows that fire, in order, as "count@end of the window in seconds".
struct Firings {
  std::shared_ptr<std::vector<std::string>> seen = std::make_shared<std::vector<std::string>>();
  std::shared_ptr<std::mutex> mutex = std::make_shared<std::mutex>();

  void CountIn(const PCollection<LogRecord>& records) const {
    records | "Tens" >> WindowInto(FixedWindows{10s}) | "Count" >> CombineGlobally(Count{}).WithoutDefaults() |
        "Note" >> ParDo([seen = seen, mutex = mutex](const std::int64_t& count, BoundedWindow window) {
          const std::lock_guard lock(*mutex);
          seen->push_back(std::to_string(count) + "@" + std::to_string(window.end.micros() / 1'000'000));
        });
  }
  std::vector<std::string> Now() const {
    const std::lock_guard lock(*mutex);
    return *seen;
  }
  void WaitFor(std::size_t count) const {
    for (int i = 0; i < 10'000 && Now().size() < count; ++i) std::this_thread::sleep_for(1ms);
  }
};

TEST_F(LogReadTest, TheWatermarkFollowsDisorderControlRecordsAndIdlePartitions) {
  Open(2);
  Pipeline pipeline;
  const Firings firings;
  firings.CountIn(pipeline | "Clicks" >> Source({.max_disorder = 2s, .idle_after = 300ms, .until_closed = true}));
  RunOptions run;
  run.streaming = true;
  Status status;
  std::thread running([&] { status = pipeline.Run(run).status; });
  Append(0, 5, "a");
  Append(1, 6, "b");
  Append(0, 30, "c");
  Append(1, 11, "d");  // watermark 9
  std::this_thread::sleep_for(50ms);
  EXPECT_THAT(firings.Now(), ElementsAre());
  Append(1, 12, "e");  // watermark 10
  firings.WaitFor(1);
  EXPECT_THAT(firings.Now(), ElementsAre("2@10"));
  // Partition 1 falls idle; partition 0, which goes on, decides alone.
  for (int i = 0; i < 10'000 && firings.Now().size() < 2; ++i) {
    Append(0, 30, "more");
    std::this_thread::sleep_for(5ms);
  }
  EXPECT_EQ(firings.Now().at(1), "2@20");
  ASSERT_TRUE(writer_->AdvanceWatermark(Timestamp::FromSeconds(40)).ok());
  firings.WaitFor(3);
  EXPECT_EQ(firings.Now().size(), 3);
  Append(1, 45, "f");
  ASSERT_TRUE(writer_->AdvanceWatermark(Timestamp::Max()).ok());
  running.join();
  EXPECT_EQ(status, OkStatus());
  EXPECT_EQ(firings.Now().size(), 4);
  EXPECT_EQ(firings.Now().back(), "1@50");
}

TEST_F(LogReadTest, WithoutDisorderOnlyControlRecordsAdvanceTime) {
  Open(1);
  Pipeline pipeline;
  const Firings firings;
  firings.CountIn(pipeline | "Clicks" >> Source({.idle_after = 1ms, .until_closed = true}));
  RunOptions run;
  run.streaming = true;
  Status status;
  std::thread running([&] { status = pipeline.Run(run).status; });
  for (const int second : {1, 50, 2}) Append(0, second, "x");
  std::this_thread::sleep_for(50ms);
  EXPECT_THAT(firings.Now(), ElementsAre());
  ASSERT_TRUE(writer_->AdvanceWatermark(Timestamp::FromSeconds(10)).ok());
  firings.WaitFor(1);
  EXPECT_THAT(firings.Now(), ElementsAre("2@10"));
  ASSERT_TRUE(writer_->AdvanceWatermark(Timestamp::Max()).ok());
  running.join();
  EXPECT_THAT(firings.Now(), ElementsAre("2@10", "1@60"));
}

TEST_F(LogReadTest, RunsAfterTheEndOfTimeEndAtOnce) {
  Open(2);
  Append(0, 1, "a");
  ASSERT_TRUE(writer_->AdvanceWatermark(Timestamp::Max()).ok());
  RunOptions run;
  run.streaming = true;
  EXPECT_THAT(ReadAll({.until_closed = true, .from = {2, 1}}, run), ElementsAre());
  EXPECT_EQ(status_, OkStatus());
}

TEST_F(LogReadTest, WithoutEndItRunsUntilItIsCancelled) {
  Open(1);
  Append(0, 1, "a");
  Pipeline pipeline;
  auto seen = Collect(pipeline | "Clicks" >> Source());
  EXPECT_EQ(pipeline.Validate(false), OkStatus());
  EXPECT_THAT(pipeline.Describe(), HasSubstr("unbounded in streaming mode"));
  RunOptions run;
  run.streaming = true;
  run.cancel = std::make_shared<std::atomic<bool>>(false);
  std::thread running([&] { static_cast<void>(pipeline.Run(run)); });
  while (seen->size() < 1) std::this_thread::yield();
  Append(0, 1, "b");
  while (seen->size() < 2) std::this_thread::yield();
  run.cancel->store(true);
  running.join();
  EXPECT_THAT(Places(seen->values()), UnorderedElementsAre("0/0 a", "0/1 b"));
}

TEST_F(LogReadTest, SaysWhatIsMissing) {
  ReadAll({});
  EXPECT_EQ(status_.code(), StatusCode::kNotFound);
  EXPECT_THAT(status_.message(), HasSubstr("the log log has no topic clicks"));
  Pipeline pipeline;
  Collect(pipeline | "Clicks" >> Source({.poll_interval = 0s}));
  EXPECT_THAT(pipeline.Validate(true).message(), HasSubstr("Clicks: idle_after must not be negative"));
}

}  // namespace
}  // namespace millrace
