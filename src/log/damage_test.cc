// Damage on the device: flipped bits, cut and missing files. Each gives what docs/formats/log.md says, never a wrong
// answer.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "base/random.h"
#include "base/simulated_file_system.h"
#include "base/test_settings.h"
#include "log/log_samples.h"
#include "log/segment_format.h"
#include "log/segment_index.h"
#include "log/topic_files.h"

namespace millrace::log {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::string kSegment = "log/t/0/00000000000000000000.segment";

class LogDamageTest : public ::testing::Test {
 protected:
  StatusOr<std::unique_ptr<LogWriter>> Open(std::int64_t segment_bytes = 1'000'000) {
    WriterOptions options{.partitions = 1, .segment_bytes = segment_bytes};
    options.report = messages_.Report();
    return LogWriter::Open(files_, "log", "t", options);
  }
  // Appends one by one, so that each batch says how much was synced before.
  void Fill(int records, std::int64_t segment_bytes = 1'000'000, bool close = true) {
    auto writer = Open(segment_bytes);
    ASSERT_TRUE(writer.ok()) << writer.status();
    for (int i = 0; i < records; ++i) {
      sent_.push_back(std::to_string(sent_.size()) + std::string(90, '.'));
      const Producer producer{.id = "p", .first_sequence = static_cast<std::int64_t>(sent_.size()) - 1};
      ASSERT_TRUE(AppendAll(**writer, {{.key = "k", .data = sent_.back()}}, producer).ok());
    }
    if (close) {
      ASSERT_TRUE((*writer)->Close().ok());
    } else {
      files_.Kill();
      files_.Restart();
    }
  }
  std::uint64_t SizeOf(const std::string& path) { return *(*files_.Open(path, base::OpenMode::kRead))->Size(); }
  void Cut(const std::string& path, std::uint64_t size) {
    ASSERT_TRUE((*files_.Open(path, base::OpenMode::kReadWrite))->Truncate(size).ok());
  }
  void AppendGarbage(const std::string& bytes) {
    auto file = *files_.Open(kSegment, base::OpenMode::kReadWrite);
    ASSERT_TRUE(file->Append(std::as_bytes(std::span(bytes))).ok());
  }
  Status ReadStatus() { return ReadTopicRecords(files_, "log", "t").status(); }
  std::vector<std::string> Read() { return DataOf(ReadTopicRecords(files_, "log", "t")->at(0)); }

  base::SimulatedFileSystem files_{{.seed = 3}};
  Messages messages_;
  std::vector<std::string> sent_;
};

TEST_F(LogDamageTest, ATornEndIsCutOffAndSaidSo) {
  Fill(3, 1'000'000, false);
  const std::uint64_t size = SizeOf(kSegment);
  AppendGarbage(std::string(45, '\0'));
  messages_.texts.clear();  // what the killed writer said
  ASSERT_TRUE(Open().ok());
  EXPECT_THAT(messages_.texts, ElementsAre(AllOf(HasSubstr(kSegment), HasSubstr("a torn end of 45 bytes"),
                                                 HasSubstr("at position " + std::to_string(size) + ", offset 3"))));
  EXPECT_EQ(SizeOf(kSegment), size);
  EXPECT_EQ(Read(), sent_);
}

TEST_F(LogDamageTest, EveryFlippedByteOfASegmentIsFound) {
  Fill(4);
  const std::uint64_t size = SizeOf(kSegment);
  for (std::uint64_t at = 0; at < size; ++at) {
    files_.Flip(kSegment, at, 0x40);
    const Status read = ReadStatus();
    EXPECT_EQ(read.code(), StatusCode::kDataLoss) << "byte " << at;
    EXPECT_THAT(read.message(), AllOf(HasSubstr(kSegment), HasSubstr("position ")));
    const auto writer = Open();
    ASSERT_FALSE(writer.ok()) << "byte " << at;
    EXPECT_EQ(writer.status().code(), StatusCode::kDataLoss) << writer.status();
    EXPECT_THAT(writer.status().message(), HasSubstr(kSegment));
    EXPECT_EQ(SizeOf(kSegment), size) << "a refused recovery changes nothing";
    files_.Flip(kSegment, at, 0x40);
  }
  EXPECT_EQ(Read(), sent_);
}

TEST_F(LogDamageTest, DamageInTheMiddleIsNoTearEvenWithoutTheEnds) {
  Fill(4, 1'000'000, false);
  ASSERT_TRUE(files_.Remove("log/t/ends").ok());
  files_.Flip(kSegment, kSegmentHeaderBytes + 100, 1);  // in the first batch; later ones say that it was synced
  const auto writer = Open();
  EXPECT_EQ(writer.status().code(), StatusCode::kDataLoss);
  EXPECT_THAT(writer.status().message(),
              AllOf(HasSubstr(kSegment + ", position 64: offset 0: the checksum"), HasSubstr("no torn end")));
}

// What follows has a checksum that fits: a file of somebody else's making. fuzz/log_segment_fuzz.cc has found these.
TEST_F(LogDamageTest, ASegmentHeaderWithAnImpossibleNumberIsNone) {
  Fill(2);
  const SegmentHeader header{
      .topic_id = ReadTopic(files_, "log", "t")->id, .created_at = Timestamp(), .watermark = Timestamp::Min()};
  const auto write = [&](const SegmentHeader& changed) {
    std::string bytes(kSegmentHeaderBytes, '\0');
    EncodeSegmentHeader(changed, bytes.data());
    ASSERT_TRUE((*files_.Open(kSegment, base::OpenMode::kReadWrite))->WriteAt(0, std::as_bytes(std::span(bytes))).ok());
  };
  std::vector<SegmentHeader> impossible(3, header);
  impossible[0].created_at = Timestamp::FromMicros(std::numeric_limits<std::int64_t>::max());
  impossible[1].watermark = Timestamp::FromMicros(std::numeric_limits<std::int64_t>::min());
  impossible[2].first_offset = std::numeric_limits<std::int64_t>::max();
  for (const SegmentHeader& changed : impossible) {
    write(changed);
    EXPECT_EQ(ReadStatus().code(), StatusCode::kDataLoss);
    EXPECT_THAT(ReadStatus().message(), HasSubstr(kSegment + ", position 0: there is no whole header"));
    EXPECT_EQ(Open().status().code(), StatusCode::kDataLoss);
  }
  write(header);
  EXPECT_EQ(Read(), sent_);
}

TEST_F(LogDamageTest, ABatchWithAnImpossibleNumberIsNone) {
  BatchHeader header;
  header.records = 3;
  const auto is_one = [](const BatchHeader& changed) {
    std::string bytes(kBatchHeaderBytes, '\0');
    SealBatch(changed, 0, 0, bytes.data());
    return DecodeBatchHeader(bytes.data()).has_value();
  };
  EXPECT_TRUE(is_one(header));
  BatchHeader last = header;
  last.first_sequence = std::numeric_limits<std::int64_t>::max() - 6;
  last.sequence_span = 5;
  EXPECT_TRUE(is_one(last));
  last.sequence_span = 6;
  EXPECT_FALSE(is_one(last));
  header.first_offset = std::numeric_limits<std::int64_t>::max() - 1;
  EXPECT_FALSE(is_one(header));
}

TEST_F(LogDamageTest, ARecordWithAnImpossibleTimeIsDamage) {
  Fill(1);
  std::string batch(kBatchHeaderBytes, '\0');
  batch += "\xFE\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01";  // the greatest number
  batch += std::string(3, '\0');                        // no key, attributes, data
  BatchHeader header;
  header.body_bytes = 13;
  header.first_offset = 1;
  header.records = 1;
  const std::uint64_t seed = SegmentSeed(ReadTopic(files_, "log", "t")->id, 0, 0);
  SealBatch(header, seed, SizeOf(kSegment), batch.data());
  AppendGarbage(batch);
  ASSERT_TRUE(Open().ok());  // the checksum is right
  EXPECT_EQ(ReadStatus().code(), StatusCode::kDataLoss);
  EXPECT_THAT(ReadStatus().message(), AllOf(HasSubstr(kSegment), HasSubstr("not what its header says")));
}

TEST_F(LogDamageTest, ACutSegmentIsFound) {
  Fill(4);
  const std::uint64_t size = SizeOf(kSegment);
  auto whole = *files_.Open(kSegment, base::OpenMode::kRead);
  std::vector<std::byte> bytes(size);
  ASSERT_TRUE(whole->ReadAt(0, bytes).ok());
  for (std::uint64_t cut = 0; cut < size; cut += 7) {
    Cut(kSegment, cut);
    EXPECT_EQ(ReadStatus().code(), StatusCode::kDataLoss) << cut;
    EXPECT_EQ(Open().status().code(), StatusCode::kDataLoss) << cut;
    ASSERT_TRUE((*files_.Open(kSegment, base::OpenMode::kReadWrite))->WriteAt(0, bytes).ok());
  }
  EXPECT_EQ(Read(), sent_);
}

TEST_F(LogDamageTest, AMissingSegmentIsFound) {
  Fill(30, 600);
  const auto names = *files_.List("log/t/0");
  const std::string middle = "log/t/0/" + names[names.size() / 2 / 2 * 2 + 1];
  ASSERT_TRUE(middle.ends_with(".segment"));
  ASSERT_TRUE(files_.Remove(middle).ok());
  EXPECT_EQ(ReadStatus().code(), StatusCode::kDataLoss);
  EXPECT_THAT(ReadStatus().message(), HasSubstr("but the log goes on to 30"));
}

TEST_F(LogDamageTest, IndexesEndsAndSnapshotsAreMadeAnew) {
  Fill(30, 600);
  base::Random random(base::TestSeed());
  for (std::int64_t round = 0; round < base::TestRounds(60, 1'000); ++round) {
    std::vector<std::string> paths{"log/t/ends", "log/t/producers"};
    const std::vector<std::string> names = *files_.List("log/t/0");
    for (const std::string& name : names) {
      if (name.ends_with(".index")) paths.push_back("log/t/0/" + name);
    }
    const std::string& path = paths[random.Below(paths.size())];
    const std::uint64_t size = SizeOf(path);
    if (size == 0 || random.Chance(0.2)) {
      ASSERT_TRUE(files_.Remove(path).ok());
    } else if (random.Chance(0.3)) {
      Cut(path, random.Below(size));
    } else {
      files_.Flip(path, random.Below(size), static_cast<std::uint8_t>(1U << random.Below(8)));
    }
    SCOPED_TRACE(path);
    Fill(1, 600);  // the sequence goes on, so the producer is known
    const auto reader = LogReader::Open(files_, "log", "t");
    ASSERT_TRUE(reader.ok()) << reader.status();
    const auto from = static_cast<std::int64_t>(random.Below(sent_.size()));
    const auto records = ReadPartition(**reader, 0, from);
    ASSERT_TRUE(records.ok()) << records.status();
    ASSERT_EQ(DataOf(*records), std::vector<std::string>(sent_.begin() + from, sent_.end()));
  }
}

TEST_F(LogDamageTest, AWriterDoesNotWaitForDamagedEndsToBecomeWhole) {
  Fill(2);
  for (const std::uint64_t at : {3, 40}) {  // the header, a partition
    files_.Flip("log/t/ends", at, 1);
    const std::uint64_t reads = files_.count(base::FileOperation::kRead);
    ASSERT_TRUE(Open().ok());
    EXPECT_LT(files_.count(base::FileOperation::kRead) - reads, 100U) << at;
  }
  EXPECT_EQ(Read(), sent_);
}

// Its checksums fit: it is that of another partition, or of a segment that had the same name before.
TEST_F(LogDamageTest, AnIndexOfAnotherFileIsNotBelieved) {
  Fill(30, 600);
  const TopicMetadata topic = *ReadTopic(files_, "log", "t");
  const std::vector<std::int64_t> segments = *ListSegments(files_, "log/t/0");
  ASSERT_GT(segments.size(), 4);
  base::Random random(base::TestSeed());
  for (std::int64_t round = 0; round < base::TestRounds(40, 1'000); ++round) {
    for (const std::int64_t first : segments) {
      std::vector<IndexEntry> entries;
      std::uint64_t position = kSegmentHeaderBytes + random.Below(200);
      for (std::int64_t offset = first; offset < first + 6; offset += random.Between(1, 3)) {
        entries.push_back({.offset = offset, .position = position, .publish_time = {}});
        position += 1 + random.Below(random.Chance(0.1) ? std::numeric_limits<std::uint64_t>::max() / 8 : 200);
      }
      ASSERT_TRUE(IndexWriter::Create(files_, "log/t", topic, 0, first)->Append(entries).ok());
    }
    const auto reader = LogReader::Open(files_, "log", "t");
    const auto from = static_cast<std::int64_t>(random.Below(sent_.size()));
    const auto records = ReadPartition(**reader, 0, from);
    ASSERT_TRUE(records.ok()) << records.status();
    ASSERT_EQ(DataOf(*records), std::vector<std::string>(sent_.begin() + from, sent_.end()));
    ASSERT_EQ(*(*reader)->OffsetOfEventTime(0, Timestamp()), 0);
  }
  // The producers are known by what the segments hold.
  ASSERT_TRUE(files_.Remove("log/t/producers").ok());
  auto writer = *Open(600);
  const auto again = AppendAll(*writer, {{.key = "k", .data = sent_[0]}}, Producer{.id = "p", .first_sequence = 0});
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE((*again)[0].duplicate);
  EXPECT_EQ(writer->LastSequence("p"), 29);
  EXPECT_THAT(messages_.texts, ::testing::Not(::testing::Contains(HasSubstr("not known"))));
}

TEST_F(LogDamageTest, DamagedMetadataIsNeverMadeAnew) {
  Fill(2);
  for (std::uint64_t at = 0; at < SizeOf("log/t/topic.json"); ++at) {
    files_.Flip("log/t/topic.json", at, 0x80);
    EXPECT_FALSE(Open().ok()) << at;
    EXPECT_FALSE(ReadStatus().ok()) << at;
    files_.Flip("log/t/topic.json", at, 0x80);
  }
  ASSERT_TRUE(files_.Remove("log/t/topic.json").ok());
  EXPECT_EQ(Open().status().code(), StatusCode::kDataLoss);
  EXPECT_THAT(ReadStatus().message(), HasSubstr("topic.json is missing, but the topic has records"));
}

TEST_F(LogDamageTest, AFullDiskIsRefusedAndWritingGoesOnWhenThereIsRoom) {
  Fill(2);
  auto writer = *Open(2'000);
  const Producer producer{.id = "p", .first_sequence = 2};
  const std::vector<SampleRecord> large(5, {.key = "k", .data = std::string(3'000, 'l')});
  for (std::uint64_t room = 0; room < 20'000; room += 500) {
    files_.SetFreeBytes(files_.used_bytes() + room);
    const auto appended = AppendAll(*writer, large, producer);
    if (appended.ok()) break;
    EXPECT_EQ(appended.status().code(), StatusCode::kResourceExhausted) << appended.status();
    EXPECT_THAT(writer->End(), ElementsAre(2));
    EXPECT_EQ(DataOf(ReadTopicRecords(files_, "log", "t")->at(0)), sent_);
  }
  files_.SetFreeBytes(std::nullopt);
  const auto again = AppendAll(*writer, large, producer);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ((*again)[4].offset, 6);
  EXPECT_THAT(writer->End(), ElementsAre(7));
  EXPECT_EQ(Read().size(), 7);
}

TEST_F(LogDamageTest, AFailedSyncIsToldAndTheRetryIsStoredOnce) {
  Fill(2);
  auto writer = *Open();
  const Producer producer{.id = "p", .first_sequence = 2};
  const std::vector<SampleRecord> records{{.key = "k", .data = "two"}, {.key = "k", .data = "three"}};
  files_.FailAt(base::FileOperation::kSync, 1, ".segment");
  EXPECT_EQ(AppendAll(*writer, records, producer).status().code(), StatusCode::kDataLoss);
  EXPECT_EQ(Read(), sent_);
  const auto again = AppendAll(*writer, records, producer);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ((*again)[1].offset, 3);
  files_.Crash();
  files_.Restart();
  sent_.insert(sent_.end(), {"two", "three"});
  EXPECT_EQ(Read(), sent_);
}

}  // namespace
}  // namespace millrace::log
