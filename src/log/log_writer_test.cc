// Appending and reading: order, partitions, control records, limits, segments, producers.
#include "log/log_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "base/simulated_file_system.h"
#include "log/log_samples.h"

namespace millrace::log {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class LogWriterTest : public ::testing::Test {
 protected:
  std::unique_ptr<LogWriter> OpenWriter(WriterOptions options = {}) {
    options.report = messages_.Report();
    options.clock = &clock_;
    auto writer = LogWriter::Open(files_, "log", "clicks", options);
    EXPECT_TRUE(writer.ok()) << writer.status();
    return writer.ok() ? *std::move(writer) : nullptr;
  }
  std::unique_ptr<LogReader> OpenReader() {
    auto reader = LogReader::Open(files_, "log", "clicks");
    EXPECT_TRUE(reader.ok()) << reader.status();
    return reader.ok() ? *std::move(reader) : nullptr;
  }

  base::SimulatedFileSystem files_{{.seed = 1}};
  base::ManualClock clock_{Timestamp::FromSeconds(1'000'000)};
  Messages messages_;
};

TEST_F(LogWriterTest, ReadsWhatWasAppended) {
  auto writer = OpenWriter({.partitions = 1});
  const SampleRecord first{
      .key = "k", .data = "first", .event_time = Timestamp::FromSeconds(5), .attributes = {{"a", "1"}, {"b", ""}}};
  const SampleRecord second{.key = "", .data = "", .event_time = Timestamp::Min()};
  const SampleRecord third{.key = "k", .data = std::string(300'000, 'x'), .event_time = Timestamp::Max()};
  const auto appended = AppendAll(*writer, {first, second, third});
  ASSERT_TRUE(appended.ok()) << appended.status();
  EXPECT_EQ((*appended)[2].offset, 2);
  EXPECT_THAT(writer->End(), ElementsAre(3));

  auto records = ReadPartition(*OpenReader(), 0);
  ASSERT_TRUE(records.ok()) << records.status();
  ASSERT_EQ(records->size(), 3);
  EXPECT_EQ((*records)[0].key, "k");
  EXPECT_EQ((*records)[0].data, "first");
  EXPECT_EQ((*records)[0].event_time, Timestamp::FromSeconds(5));
  EXPECT_EQ((*records)[0].publish_time, Timestamp::FromSeconds(1'000'000));
  EXPECT_THAT((*records)[0].attributes, ElementsAre(std::pair("a", "1"), std::pair("b", "")));
  EXPECT_EQ((*records)[1].event_time, Timestamp::Min());
  EXPECT_EQ((*records)[2].event_time, Timestamp::Max());
  EXPECT_EQ((*records)[2].data, third.data);
  EXPECT_EQ((*records)[2].offset, 2);
}

TEST_F(LogWriterTest, KeepsTheOrderOfAKeyAndSpreadsRecordsWithoutOne) {
  auto writer = OpenWriter();
  std::vector<SampleRecord> records;
  for (int i = 0; i < 40; ++i) records.push_back({.key = i % 2 == 0 ? "even" : "odd", .data = std::to_string(i)});
  for (int i = 0; i < 8; ++i) records.push_back({.key = "", .data = "none"});
  const auto appended = AppendAll(*writer, records);
  ASSERT_TRUE(appended.ok()) << appended.status();
  std::map<std::int32_t, std::int64_t> without_key;
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (records[i].key.empty()) {
      ++without_key[(*appended)[i].partition];
    } else {
      EXPECT_EQ((*appended)[i].partition, PartitionOfKey(records[i].key, 4));
    }
    if (i >= 2 && i < 40) {
      EXPECT_GT((*appended)[i].offset, (*appended)[i - 2].offset);
    }
  }
  EXPECT_THAT(without_key, ElementsAre(std::pair(0, 2), std::pair(1, 2), std::pair(2, 2), std::pair(3, 2)));
}

TEST_F(LogWriterTest, GoesOnInNewSegmentsAndAfterAReopen) {
  std::vector<std::string> expected;
  for (int round = 0; round < 3; ++round) {
    auto writer = OpenWriter({.partitions = 1, .segment_bytes = 2'000});
    for (int i = 0; i < 20; ++i) {
      expected.push_back(std::to_string(round) + "/" + std::to_string(i) + std::string(200, '.'));
      const auto appended = AppendAll(*writer, {{.key = "k", .data = expected.back()}});
      ASSERT_TRUE(appended.ok()) << appended.status();
      ASSERT_EQ((*appended)[0].offset, static_cast<std::int64_t>(expected.size()) - 1);
    }
    if (round != 1) {
      EXPECT_TRUE(writer->Close().ok());
    }
  }
  EXPECT_GT(files_.List("log/clicks/0")->size(), 10);
  auto reader = OpenReader();
  EXPECT_EQ(DataOf(*ReadPartition(*reader, 0)), expected);
  for (std::int64_t from : {1, 17, 33, 60}) {
    EXPECT_EQ(DataOf(*ReadPartition(*reader, 0, from)),
              std::vector<std::string>(expected.begin() + from, expected.end()));
  }
  EXPECT_EQ(reader->Read(0, 61).status().code(), StatusCode::kOutOfRange);
  EXPECT_THAT(messages_.texts, ElementsAre());
}

TEST_F(LogWriterTest, AFollowingCursorSeesWhatIsAppended) {
  auto writer = OpenWriter({.partitions = 1, .segment_bytes = 1'000});
  auto reader = OpenReader();
  auto cursor = *reader->Read(0, 0);
  RecordView view;
  EXPECT_EQ(*cursor->Next(&view), Found::kEnd);
  for (int i = 0; i < 30; ++i) {
    ASSERT_TRUE(AppendAll(*writer, {{.key = "k", .data = std::to_string(i)}, {.key = "k", .data = "second"}}).ok());
    ASSERT_EQ(*cursor->Next(&view), Found::kRecord);
    EXPECT_EQ(view.data, std::to_string(i));
    ASSERT_EQ(*cursor->Next(&view), Found::kRecord);
    EXPECT_EQ(view.data, "second");
    EXPECT_EQ(*cursor->Next(&view), Found::kEnd);
  }
}

TEST_F(LogWriterTest, ControlRecordsAdvanceTimeAndCloseTheTopic) {
  auto writer = OpenWriter({.partitions = 2});
  ASSERT_TRUE(AppendAll(*writer, {{.key = "k", .data = "a", .partition = 0}}).ok());
  ASSERT_TRUE(writer->AdvanceWatermark(Timestamp::FromSeconds(7)).ok());
  ASSERT_TRUE(writer->AdvanceWatermark(Timestamp::FromSeconds(6)).ok());  // nothing
  EXPECT_THAT(writer->End(), ElementsAre(2, 1));
  auto reader = OpenReader();
  EXPECT_EQ(reader->Range(1)->watermark, Timestamp::FromSeconds(7));
  EXPECT_FALSE(reader->Range(1)->closed());

  const Producer producer{.id = "p", .first_sequence = 0};
  const std::vector<SampleRecord> last{{.key = "k", .data = "b", .partition = 0}};
  ASSERT_TRUE(AppendAll(*writer, last, producer).ok());
  ASSERT_TRUE(writer->AdvanceWatermark(Timestamp::Max()).ok());
  ASSERT_TRUE(writer->AdvanceWatermark(Timestamp::Max()).ok());
  EXPECT_TRUE(reader->Range(0)->closed());
  EXPECT_EQ(DataOf(*ReadPartition(*reader, 0)), (std::vector<std::string>{"a", "control", "b", "control"}));
  ASSERT_TRUE(writer->Close().ok());
  writer = OpenWriter();
  EXPECT_EQ(writer->topic().partitions, 2);  // as it was made
  const auto refused = AppendAll(*writer, {{.key = "k", .data = "late"}});
  EXPECT_EQ(refused.status().code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(refused.status().message(), HasSubstr("is closed"));
  const auto again = AppendAll(*writer, last, producer);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE((*again)[0].duplicate);
  EXPECT_EQ((*again)[0].offset, 2);
}

TEST_F(LogWriterTest, RefusesWhatIsTooLargeAndStoresNothing) {
  auto writer = OpenWriter({.partitions = 1, .record_bytes_max = 1'000, .append_bytes_max = 10'000});
  const auto too_large =
      AppendAll(*writer, {{.key = "k", .data = "ok"}, {.key = "k", .data = std::string(1'000, 'x')}});
  EXPECT_EQ(too_large.status().code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(too_large.status().message(), HasSubstr("record 1 of the append: the record has 1001 bytes"));
  EXPECT_EQ(AppendAll(*writer, {{.key = "k", .data = "", .partition = 1}}).status().code(),
            StatusCode::kInvalidArgument);
  const std::vector<SampleRecord> many(200, {.key = "k", .data = "x"});
  EXPECT_THAT(AppendAll(*writer, many).status().message(), HasSubstr("append in parts"));
  EXPECT_EQ(AppendAll(*writer, {{.key = "k", .data = ""}}, Producer{.id = ""}).status().code(),
            StatusCode::kInvalidArgument);
  EXPECT_THAT(writer->End(), ElementsAre(0));
  EXPECT_EQ(LogWriter::Open(files_, "log", "../x").status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(LogWriter::Open(files_, "log", "y", {.partitions = 257}).status().code(), StatusCode::kInvalidArgument);
}

TEST_F(LogWriterTest, ASecondWriterIsToldWhoHoldsTheTopic) {
  auto writer = OpenWriter({.holder = "`flights publish`"});
  const auto second = LogWriter::Open(files_, "log", "clicks");
  EXPECT_EQ(second.status().code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(second.status().message(), HasSubstr("log/clicks is written by `flights publish` (pid "));
}

TEST_F(LogWriterTest, ManyThreadsAppendAtOnce) {
  auto writer = OpenWriter({.partitions = 3, .segment_bytes = 20'000, .queue_bytes_max = 5'000});
  constexpr int kThreads = 8;
  constexpr int kAppends = 50;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      const std::string id = "p" + std::to_string(t);
      for (int i = 0; i < kAppends; ++i) {
        const std::string data = std::to_string(i) + std::string(static_cast<std::size_t>(i), '.');
        const auto appended = AppendAll(*writer, {{.key = id, .data = data}}, Producer{.id = id, .first_sequence = i});
        ASSERT_TRUE(appended.ok()) << appended.status();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  const auto partitions = ReadTopicRecords(files_, "log", "clicks");
  ASSERT_TRUE(partitions.ok()) << partitions.status();
  std::map<std::string, int> next;
  for (const auto& partition : *partitions) {
    for (const LogRecord& record : partition) EXPECT_EQ(std::stoi(record.data), next[record.key]++);
  }
  for (int t = 0; t < kThreads; ++t) EXPECT_EQ(next["p" + std::to_string(t)], kAppends);
}

TEST_F(LogWriterTest, AnIntervalSyncsAndReadersSeeOnlyWhatIsSynced) {
  auto writer = OpenWriter({.partitions = 1, .sync = SyncPolicy::kInterval, .sync_interval = std::chrono::hours(1)});
  ASSERT_TRUE(AppendAll(*writer, {{.key = "k", .data = "a"}}).ok());
  EXPECT_THAT(writer->End(), ElementsAre(1));
  auto reader = OpenReader();
  EXPECT_EQ(reader->Range(0)->end, 0);
  ASSERT_TRUE(writer->Sync().ok());
  EXPECT_EQ(reader->Range(0)->end, 1);
  writer.reset();
  writer = OpenWriter({.sync = SyncPolicy::kInterval, .sync_interval = std::chrono::milliseconds(1)});
  ASSERT_TRUE(AppendAll(*writer, {{.key = "k", .data = "b"}}).ok());
  while (reader->Range(0)->end < 2) std::this_thread::yield();
}

TEST_F(LogWriterTest, PublishTimeNeverFalls) {
  auto writer = OpenWriter({.partitions = 1});
  ASSERT_TRUE(AppendAll(*writer, {{.key = "k", .data = "a"}}).ok());
  clock_.SetNow(Timestamp::FromSeconds(10));  // somebody sets the clock back
  ASSERT_TRUE(AppendAll(*writer, {{.key = "k", .data = "b"}}).ok());
  ASSERT_TRUE(writer->Close().ok());
  writer = OpenWriter();
  ASSERT_TRUE(AppendAll(*writer, {{.key = "k", .data = "c"}}).ok());
  clock_.SetNow(Timestamp::FromSeconds(1'000'001));
  ASSERT_TRUE(AppendAll(*writer, {{.key = "k", .data = "d"}}).ok());
  const auto records = ReadPartition(*OpenReader(), 0);
  for (int i : {0, 1, 2}) {
    EXPECT_EQ((*records)[static_cast<std::size_t>(i)].publish_time, Timestamp::FromSeconds(1'000'000));
  }
  EXPECT_EQ((*records)[3].publish_time, Timestamp::FromSeconds(1'000'001));
}

}  // namespace
}  // namespace millrace::log
