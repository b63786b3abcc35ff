// Retention and holds: by age and by size, never what a hold protects.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/simulated_file_system.h"
#include "log/holds.h"
#include "log/log_samples.h"

namespace millrace::log {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class LogRetentionTest : public ::testing::Test {
 protected:
  void Open(WriterOptions options) {
    options.partitions = 2;
    options.segment_bytes = 1;  // a segment for each batch
    options.clock = &clock_;
    auto writer = LogWriter::Open(files_, "log", "t", options);
    ASSERT_TRUE(writer.ok()) << writer.status();
    writer_ = *std::move(writer);
  }
  void AppendOne(std::int32_t partition, std::size_t bytes = 100) {
    ASSERT_TRUE(AppendAll(*writer_, {{.data = std::string(bytes, 'x'), .partition = partition}}).ok());
  }
  Status Set(const std::string& name, Cut cut) {
    return SetHold(files_, "log", "t", {.name = name, .next_offsets = std::move(cut), .updated_at = clock_.Now()});
  }

  base::SimulatedFileSystem files_{{.seed = 5}};
  base::ManualClock clock_{Timestamp::FromSeconds(1'000'000)};
  std::unique_ptr<LogWriter> writer_;
};

TEST_F(LogRetentionTest, RemovesByAgeWhatNobodyHolds) {
  Open({.retention_age = std::chrono::hours(1)});
  for (int i = 0; i < 10; ++i) {
    AppendOne(0);
    clock_.Advance(std::chrono::minutes(10));
  }
  // Records of the first five offsets are at least an hour old, and so is what begins after each of them but the last.
  ASSERT_TRUE(Set("archive", {2, 0}).ok());
  ASSERT_TRUE(Set("checkpoint-7", {9, 0}).ok());
  EXPECT_EQ(*writer_->ApplyRetention(), 2);
  EXPECT_THAT(writer_->Start(), ElementsAre(2, 0));
  ASSERT_TRUE(Set("archive", {8, 0}).ok());
  EXPECT_EQ(*writer_->ApplyRetention(), 1);
  EXPECT_THAT(writer_->Start(), ElementsAre(3, 0));
  clock_.Advance(std::chrono::hours(100));
  EXPECT_EQ(*writer_->ApplyRetention(), 5);
  const std::string unfinished = "log/t/holds/archive.json.new";  // of who was killed setting it
  ASSERT_TRUE(base::ReplaceFile(files_, unfinished, "{").ok());
  ASSERT_TRUE(RemoveHold(files_, "log", "t", "archive").ok());
  EXPECT_FALSE(*files_.Exists(unfinished));
  EXPECT_EQ(RemoveHold(files_, "log", "t", "archive").code(), StatusCode::kNotFound);
  EXPECT_EQ(*writer_->ApplyRetention(), 1);
  EXPECT_THAT(writer_->Start(), ElementsAre(9, 0));  // the last segment stays
  const auto reader = LogReader::Open(files_, "log", "t");
  EXPECT_EQ((*reader)->Range(0)->start, 9);
  EXPECT_EQ(ReadPartition(**reader, 0, 9)->size(), 1);
  const Status removed = (*reader)->Read(0, 8).status();
  EXPECT_EQ(removed.code(), StatusCode::kOutOfRange);
  EXPECT_THAT(removed.message(), HasSubstr("offset 8 has been removed by retention; the log begins at 9"));
}

TEST_F(LogRetentionTest, RemovesBySize) {
  Open({.retention_bytes = 1'000});
  for (int i = 0; i < 10; ++i) AppendOne(1);  // about 240 bytes each
  EXPECT_EQ(*writer_->ApplyRetention(), 6);
  EXPECT_THAT(writer_->Start(), ElementsAre(0, 6));
  EXPECT_EQ(*writer_->ApplyRetention(), 0);
}

TEST_F(LogRetentionTest, ACursorBehindRetentionIsTold) {
  Open({.retention_bytes = 1});
  for (int i = 0; i < 5; ++i) AppendOne(0);
  const auto reader = LogReader::Open(files_, "log", "t");
  auto cursor = *(*reader)->Read(0, 0);
  RecordView view;
  ASSERT_EQ(*cursor->Next(&view), Found::kRecord);
  EXPECT_EQ(*writer_->ApplyRetention(), 4);
  const auto next = cursor->Next(&view);
  EXPECT_EQ(next.status().code(), StatusCode::kOutOfRange) << next.status();
  EXPECT_EQ(cursor->next_offset(), 1);
}

TEST_F(LogRetentionTest, HoldsAreListedAndChecked) {
  Open({.retention_bytes = 1});
  for (int i = 0; i < 3; ++i) AppendOne(0);
  EXPECT_TRUE(ListHolds(files_, "log", "t")->empty());
  ASSERT_TRUE(Set("b", {3, 0}).ok());
  ASSERT_TRUE(Set("a", {2, 0}).ok());
  const auto holds = ListHolds(files_, "log", "t");
  ASSERT_EQ(holds->size(), 2);
  EXPECT_EQ((*holds)[0].name, "a");
  EXPECT_THAT((*holds)[0].next_offsets, ElementsAre(2, 0));
  EXPECT_EQ(Set("../x", {0, 0}).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(Set("c", {0}).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(SetHold(files_, "log", "u", {.name = "a"}).code(), StatusCode::kNotFound);
  EXPECT_EQ(*writer_->ApplyRetention(), 2);
  const Status too_late = Set("a", {1, 0});
  EXPECT_EQ(too_late.code(), StatusCode::kOutOfRange);
  EXPECT_THAT(too_late.message(), HasSubstr("begins at offset 2, so offset 1 cannot be held"));
  EXPECT_THAT((*ListHolds(files_, "log", "t"))[0].next_offsets, ElementsAre(2, 0));
}

TEST_F(LogRetentionTest, HoldsSurviveACrashAndADamagedOneStopsRetention) {
  Open({.retention_bytes = 1});
  for (int i = 0; i < 5; ++i) AppendOne(0);
  ASSERT_TRUE(Set("archive", {3, 0}).ok());
  files_.Crash();
  files_.Restart();
  writer_.reset();
  Open({.retention_bytes = 1});
  EXPECT_EQ(*writer_->ApplyRetention(), 3);
  files_.Flip("log/t/holds/archive.json", 0, 1);
  const auto refused = writer_->ApplyRetention();
  EXPECT_EQ(refused.status().code(), StatusCode::kDataLoss);
  EXPECT_THAT(refused.status().message(), HasSubstr("log/t/holds/archive.json is damaged"));
}

TEST_F(LogRetentionTest, ProducersOfRemovedSegmentsAreStillKnown) {
  Open({.retention_bytes = 1});
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(AppendAll(*writer_, {{.data = "x", .partition = 0}}, Producer{.id = "p", .first_sequence = i}).ok());
  }
  ASSERT_TRUE(writer_->Close().ok());
  Open({.retention_bytes = 1});
  ASSERT_EQ(*writer_->ApplyRetention(), 4);
  files_.Crash();
  files_.Restart();
  writer_.reset();
  Open({});
  const std::vector<SampleRecord> all(7, {.data = "x", .partition = 0});
  const auto again = AppendAll(*writer_, all, Producer{.id = "p", .first_sequence = 0});
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE((*again)[4].duplicate);
  EXPECT_EQ((*again)[4].offset, 4);
  EXPECT_FALSE((*again)[5].duplicate);
  EXPECT_EQ((*again)[6].offset, 6);
}

}  // namespace
}  // namespace millrace::log
