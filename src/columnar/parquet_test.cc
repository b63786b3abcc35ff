// Parquet files written and read back, ranges, statistics, and files that are damaged.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "columnar/parquet_reader.h"
#include "columnar/parquet_writer.h"

namespace millrace::columnar {
namespace {

using ::testing::HasSubstr;

struct Event {
  Timestamp at;
  std::int64_t number = 0;
  std::string text;
  std::vector<std::int32_t> list;
};
struct NarrowEvent {
  std::int8_t number = 0;
};
struct StrangeEvent {
  std::int64_t text = 0;
  std::int64_t absent = 0;
};

class ParquetTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ =
        std::filesystem::temp_directory_path() / ("millrace_parquet_" + std::to_string(getpid()) + "_" +
                                                  ::testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::create_directories(folder_);
    file_ = (folder_ / "events [1].parquet").string();  // glob characters are no pattern
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void Write(int count, const ParquetWriteOptions& options = {.row_group_rows = 2048}) {
    std::vector<Event> events;
    for (int i = 0; i < count; ++i) {
      events.push_back({Timestamp::FromSeconds(i), i, "text number " + std::to_string(i), {i, i + 1}});
    }
    StatusOr<ParquetWriter> writer = ParquetWriter::Open(file_, SchemaOf<Event>(), options);
    ASSERT_TRUE(writer.ok()) << writer.status();
    ASSERT_EQ(writer->Append(events.data(), sizeof(Event), events.size()), OkStatus());
    EXPECT_FALSE(std::filesystem::exists(file_));
    ASSERT_EQ(writer->Close(), OkStatus());
  }

  std::filesystem::path folder_;
  std::string file_;
};

TEST_F(ParquetTest, RowsComeBackInOrderAcrossReads) {
  Write(10'000);
  ParquetReader reader = *ParquetReader::Open(file_, SchemaOf<Event>());
  std::vector<Event> events(777);
  std::int64_t expected = 0;
  while (true) {
    StatusOr<ParquetBatch> batch = reader.Read(events.data(), sizeof(Event), events.size());
    ASSERT_TRUE(batch.ok()) << batch.status();
    if (batch->count == 0) break;
    EXPECT_EQ(batch->first_row, static_cast<std::uint64_t>(expected));
    for (std::size_t i = 0; i < batch->count; ++i, ++expected) {
      ASSERT_EQ(events[i].number, expected);
      ASSERT_EQ(events[i].at, Timestamp::FromSeconds(expected));
      ASSERT_EQ(events[i].text, "text number " + std::to_string(expected));
      ASSERT_EQ(events[i].list.size(), 2U);
      ASSERT_EQ(events[i].list[1], expected + 1);
    }
  }
  EXPECT_EQ(expected, 10'000);
  EXPECT_EQ(reader.next_row(), 10'000U);
}

TEST_F(ParquetTest, ARangeBeginsAndEndsWhereItShould) {
  Write(10'000);
  for (auto [begin, end] : {std::pair{0, 1}, {2047, 2049}, {4096, 4096}, {9999, 20'000}, {10'000, 10'001}}) {
    ParquetReader reader = *ParquetReader::Open(
        file_, SchemaOf<NarrowEvent>(),
        {.begin_row = static_cast<std::uint64_t>(begin), .end_row = static_cast<std::uint64_t>(end)});
    std::vector<NarrowEvent> events(4000);
    std::size_t count = 0;
    while (true) {
      ParquetBatch batch = *reader.Read(events.data(), sizeof(NarrowEvent), events.size());
      if (batch.count == 0) break;
      EXPECT_EQ(batch.first_row, begin + count);
      count += batch.count;
    }
    EXPECT_EQ(count, static_cast<std::size_t>(std::max(0, std::min(end, 10'000) - begin)));
  }
}

TEST_F(ParquetTest, ARowThatDoesNotFitIsReportedAndTheOthersGoOn) {
  Write(6000);
  ParquetReader reader = *ParquetReader::Open(file_, SchemaOf<NarrowEvent>(), {.begin_row = 100, .end_row = 5000});
  std::vector<NarrowEvent> events(6000);
  ParquetBatch batch = *reader.Read(events.data(), sizeof(NarrowEvent), events.size());
  ASSERT_EQ(batch.count, 4900U);
  ASSERT_EQ(batch.issues.size(), 4872U);
  EXPECT_EQ(events[27].number, 127);
  EXPECT_EQ(batch.issues[0].ToString(), "row 128, field number: the value is out of the range of int8");
  EXPECT_EQ(batch.issues.back().row, 4999U);
}

TEST_F(ParquetTest, TheFooterTellsRowGroupsTimesAndMetadata) {
  Write(5000, {.row_group_rows = 2048, .metadata = {{"source", "log's"}, {"cut", "a\\b\x01é"}}});
  StatusOr<ParquetFileInfo> info = ReadParquetInfo(file_);
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->row_count, 5000U);
  ASSERT_EQ(info->row_groups.size(), 3U);
  EXPECT_EQ(info->row_groups[1].first_row, 2048U);
  EXPECT_EQ(info->row_groups[2].row_count, 904U);
  ASSERT_EQ(info->columns.size(), 4U);
  EXPECT_EQ(info->columns[3].sql_type, "INTEGER[]");
  EXPECT_EQ(info->row_groups[1].columns[1].min, "2048");
  EXPECT_EQ(info->row_groups[1].columns[0].max_time, Timestamp::FromSeconds(4095));
  EXPECT_EQ(info->TimeRange("at"), (std::pair{Timestamp::FromSeconds(0), Timestamp::FromSeconds(4999)}));
  EXPECT_EQ(info->TimeRange("text"), std::nullopt);
  EXPECT_EQ(info->metadata,
            (std::vector<std::pair<std::string, std::string>>{{"source", "log's"}, {"cut", "a\\b\x01é"}}));
}

TEST_F(ParquetTest, MissingAndUnfittingColumnsAreListedWithTheFile) {
  Write(10);
  Status status = ParquetReader::Open(file_, SchemaOf<StrangeEvent>()).status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr(file_));
  EXPECT_THAT(status.message(), HasSubstr("column text has type VARCHAR and cannot be read into a int64"));
  EXPECT_THAT(status.message(), HasSubstr("column absent is missing"));
  EXPECT_EQ(ParquetReader::Open(file_ + "x", SchemaOf<Event>()).status().code(), StatusCode::kNotFound);
}

TEST_F(ParquetTest, AWriterThatIsNotClosedLeavesNothing) {
  {
    StatusOr<ParquetWriter> writer = ParquetWriter::Open(file_, SchemaOf<Event>());
    Event event;
    ASSERT_EQ(writer->Append(&event, sizeof(Event), 1), OkStatus());
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
  Write(3);
  EXPECT_EQ(ParquetWriter::Open(file_, SchemaOf<Event>()).status().code(), StatusCode::kAlreadyExists);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
  EXPECT_EQ(ParquetWriter::Open(folder_ / "no" / "x.parquet", SchemaOf<Event>()).status().code(),
            StatusCode::kNotFound);
}

TEST_F(ParquetTest, AnEmptyFileIsAFile) {
  Write(0);
  ParquetReader reader = *ParquetReader::Open(file_, SchemaOf<Event>());
  Event event;
  EXPECT_EQ(reader.Read(&event, sizeof(Event), 1)->count, 0U);
  EXPECT_EQ(ReadParquetInfo(file_)->row_count, 0U);
}

TEST_F(ParquetTest, DamagedFilesGiveAStatusThatNamesThem) {
  Write(3000);
  std::ifstream stream(file_, std::ios::binary);
  const std::string sound((std::istreambuf_iterator<char>(stream)), {});
  std::mt19937 random(20'010'101);
  int refused = 0;
  for (int round = 0; round < 120; ++round) {
    std::string damaged = sound;
    if (round % 4 == 0) {
      damaged.resize(random() % sound.size());
    } else {
      for (int flips = 0; flips < 4; ++flips)
        damaged[random() % damaged.size()] ^= static_cast<char>(1 << random() % 8);
    }
    std::ofstream(file_, std::ios::binary | std::ios::trunc) << damaged;
    StatusOr<ParquetReader> reader = ParquetReader::Open(file_, SchemaOf<Event>());
    Status status = reader.status();
    std::vector<Event> events(512);
    while (status.ok()) {
      StatusOr<ParquetBatch> batch = reader->Read(events.data(), sizeof(Event), events.size());
      status = batch.status();
      if (status.ok() && batch->count == 0) break;
    }
    if (status.ok()) continue;  // a flip may hit a byte that nobody reads, or a value
    ++refused;
    EXPECT_THAT(status.message(), HasSubstr(file_)) << "round " << round;
  }
  EXPECT_GT(refused, 40);
}

}  // namespace
}  // namespace millrace::columnar
