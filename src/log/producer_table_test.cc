// Exactly once per (producer, sequence): gaps, retries in other pieces, expiry, bounds, snapshots.
#include "log/producer_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "base/simulated_file_system.h"
#include "log/byte_buffer.h"
#include "log/log_samples.h"
#include "log/segment_format.h"

namespace millrace::log {
namespace {

using ::testing::HasSubstr;

class ProducersTest : public ::testing::Test {
 protected:
  void Open(WriterOptions options = {}) {
    writer_.reset();
    options.clock = &clock_;
    auto writer = LogWriter::Open(files_, "log", "t", options);
    ASSERT_TRUE(writer.ok()) << writer.status();
    writer_ = *std::move(writer);
  }
  StatusOr<std::vector<Appended>> AppendRange(std::int64_t first, std::int64_t count, const std::string& id = "p") {
    std::vector<SampleRecord> records;
    for (std::int64_t i = first; i < first + count; ++i) {
      records.push_back({.key = i % 3 == 0 ? "" : "k" + std::to_string(i % 7), .data = std::to_string(i)});
    }
    return AppendAll(*writer_, records, Producer{.id = id, .first_sequence = first});
  }

  base::SimulatedFileSystem files_{{.seed = 7}};
  base::ManualClock clock_{Timestamp::FromSeconds(1'000'000)};
  std::unique_ptr<LogWriter> writer_;
};

TEST_F(ProducersTest, RetriesInOtherPiecesGiveTheOldOffsets) {
  Open();
  std::vector<Appended> places;
  for (std::int64_t first = 0; first < 90; first += 30) {
    const auto appended = AppendRange(first, 30);
    ASSERT_TRUE(appended.ok()) << appended.status();
    places.insert(places.end(), appended->begin(), appended->end());
  }
  for (const bool reopen : {false, true}) {
    if (reopen) Open();
    for (std::int64_t first = 0; first < 90; first += 17) {
      const auto again = AppendRange(first, 17 + 0);
      ASSERT_TRUE(again.ok()) << again.status();
      for (std::int64_t i = 0; i < 17 && first + i < 90; ++i) {
        const Appended& place = (*again)[static_cast<std::size_t>(i)];
        EXPECT_TRUE(place.duplicate);
        EXPECT_EQ(place.partition, places[static_cast<std::size_t>(first + i)].partition);
        EXPECT_EQ(place.offset, places[static_cast<std::size_t>(first + i)].offset) << first + i;
      }
    }
  }
  std::int64_t stored = 0;
  for (const std::int64_t end : writer_->End()) stored += end;
  EXPECT_EQ(stored, 102);  // 17 * 6: the last retry went beyond what was there, once
}

TEST_F(ProducersTest, GapsAndUnknownBeginningsAreRefused) {
  Open();
  ASSERT_TRUE(AppendRange(5, 5).ok());
  const auto gap = AppendRange(11, 1);
  EXPECT_EQ(gap.status().code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(gap.status().message(), HasSubstr("producer \"p\": sequence 11 leaves a gap behind 9"));
  const auto before = AppendRange(4, 1);
  EXPECT_THAT(before.status().message(), HasSubstr("sequence 4 is below the first one of that producer, 5"));
  EXPECT_TRUE(AppendRange(10, 1).ok());
  EXPECT_TRUE(AppendRange(1'000, 1, "another").ok());
}

TEST_F(ProducersTest, AProducerExpiresAndThereAreNotTooMany) {
  Open({.producers_max = 2, .producer_expiry = std::chrono::hours(1)});
  ASSERT_TRUE(AppendRange(0, 1, "a").ok());
  clock_.Advance(std::chrono::minutes(50));
  ASSERT_TRUE(AppendRange(0, 1, "b").ok());
  const auto third = AppendRange(0, 1, "c");
  EXPECT_EQ(third.status().code(), StatusCode::kResourceExhausted);
  EXPECT_THAT(third.status().message(), HasSubstr("knows 2 producers"));
  clock_.Advance(std::chrono::minutes(20));
  EXPECT_TRUE(AppendRange(0, 1, "c").ok());             // a is forgotten
  EXPECT_TRUE((*AppendRange(0, 1, "b"))[0].duplicate);  // b is not
}

TEST_F(ProducersTest, OffsetsOfOldBatchesAreForgottenButNotTheSequences) {
  Open({.partitions = 1});
  for (std::int64_t i = 0; i < 20; ++i) ASSERT_TRUE(AppendRange(i, 1).ok());
  const auto again = AppendRange(0, 20);
  ASSERT_TRUE(again.ok()) << again.status();
  for (std::size_t i = 0; i < 20; ++i) {
    EXPECT_TRUE((*again)[i].duplicate);
    EXPECT_EQ((*again)[i].offset, i < 4 ? -1 : static_cast<std::int64_t>(i));
  }
}

TEST_F(ProducersTest, ASnapshotIsReadBackOrRefused) {
  const TopicMetadata topic{.topic = "t", .id = 99, .partitions = 2};
  ProducerTable table(10, std::chrono::hours(1));
  for (const std::string id : {"a", "b"}) {
    ProducerState* state = *table.Admit(id, 0, Timestamp::FromSeconds(1));
    table.Queue(state, 1, 4);
    table.Written(state, 1, {.first_sequence = 0, .span = 4, .first_offset = 7, .records = 3},
                  Timestamp::FromSeconds(2));
  }
  const std::string snapshot = table.Snapshot(topic, {3, 10});
  ProducerTable again(10, std::chrono::hours(1));
  EXPECT_EQ(again.Restore(topic, snapshot), (Cut{3, 10}));
  EXPECT_EQ(again.size(), 2);
  EXPECT_EQ(again.Find("b")->LastSequence(1), 4);
  EXPECT_EQ(again.Find("b")->LastSequence(0), ProducerState::kNone);
  EXPECT_EQ(again.Find("b")->Find(1, 2)->first_offset, 7);
  EXPECT_EQ(again.Snapshot(topic, {3, 10}), snapshot);
  for (std::size_t i = 0; i < snapshot.size(); ++i) {
    std::string damaged = snapshot;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    EXPECT_EQ(again.Restore(topic, damaged), std::nullopt) << i;
    EXPECT_EQ(again.size(), 0);
    EXPECT_EQ(again.Restore(topic, snapshot.substr(0, i)), std::nullopt) << i;
  }
  TopicMetadata other = topic;
  other.id = 98;
  EXPECT_EQ(again.Restore(other, snapshot), std::nullopt);
}

TEST_F(ProducersTest, ASnapshotWithAnImpossibleNumberIsNone) {
  const TopicMetadata topic{.topic = "t", .id = 99, .partitions = 2};
  // A snapshot with a checksum that fits, of one producer with one batch.
  const auto restore = [&](std::int64_t offset, std::uint16_t partition, std::int64_t sequence) {
    ByteBuffer bytes;
    bytes.Append("MRPRODU1");
    bytes.AppendNumber(topic.id);
    bytes.AppendNumber(topic.partitions);
    bytes.AppendNumber(offset);
    bytes.AppendNumber(std::int64_t{4});
    bytes.AppendNumber(std::uint32_t{1});
    bytes.Append("\001p");
    bytes.AppendNumber(std::int64_t{0});   // published
    bytes.AppendNumber(std::uint16_t{1});  // partitions
    bytes.AppendNumber(partition);
    bytes.AppendNumber(std::uint16_t{1});  // batches
    bytes.AppendNumber(sequence);
    bytes.AppendNumber(std::uint32_t{3});
    bytes.AppendNumber(std::int64_t{0});
    bytes.AppendNumber(std::uint32_t{4});
    bytes.AppendNumber(Checksum(bytes.view(), topic.id));
    ProducerTable table(10, std::chrono::hours(1));
    return table.Restore(topic, bytes.view()).has_value();
  };
  EXPECT_TRUE(restore(4, 1, 0));
  EXPECT_FALSE(restore(-1, 1, 0));
  EXPECT_FALSE(restore(4, 2, 0));
  EXPECT_FALSE(restore(4, 1, -1));
  constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
  EXPECT_TRUE(restore(4, 1, kMax - 4));
  EXPECT_FALSE(restore(4, 1, kMax - 3));  // none could follow
}

}  // namespace
}  // namespace millrace::log
