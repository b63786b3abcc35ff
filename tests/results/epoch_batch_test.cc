// The bytes of docs/formats/epoch_batch.md: an example written out, every cut, every changed byte, and what is told.
#include "cli/epoch_batch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "base/test_settings.h"
#include "cli/epoch_cells.h"
#include "visits.h"

namespace millrace::results_test {
namespace {

using cli::EncodedCell;
using cli::EncodedCells;
using cli::EpochBatchHead;
using cli::EpochBatchParts;
using cli::EpochBlock;
using cli::EpochBlockWriter;
using ::testing::HasSubstr;

const ViewDescriptor kPages{.name = "pages", .key = &TypeOf<std::string>(), .value = &TypeOf<std::int64_t>()};

cli::DeadLetterRow Letter(const std::string& element, bool has_time) {
  cli::DeadLetterRow letter{.name = "n", .step = "s", .element = element, .event_time = {}, .written_at = {}};
  if (has_time) letter.event_time = Timestamp::FromMicros(1);
  return letter;
}

// A batch of one block of cells of epoch 6 and one of dead letters of epoch 7.
std::string SmallBatch() {
  const std::string key = "a";
  const std::int64_t value = 5;
  const Cell cells[] = {{&key, &value, Timestamp(), Timestamp::FromMicros(256), {0, 0, 2}, CellTiming::kOnTime, true},
                        {&key, nullptr, Timestamp(), Timestamp::FromMicros(256), {0, 0, 3}, CellTiming::kLate}};
  EpochBlockWriter block = EpochBlockWriter::ForCells(0);
  block.AddCells(kPages, 9, cells);
  const std::string first = std::move(block).Finish(6);
  EpochBlockWriter letters = EpochBlockWriter::ForLetters();
  const cli::DeadLetterRow rows[] = {Letter("1", true), Letter("", false)};
  letters.AddLetters(rows);
  const std::string second = std::move(letters).Finish(7);
  const EpochBatchHead head{.epoch = 7,
                            .generation = 2,
                            .attempt = 3,
                            .views = {{"pages", "(key: string) -> (value: int64)"}},
                            .blocks = 2,
                            .cells = 2,
                            .letters = 2,
                            .bytes = first.size() + second.size()};
  return cli::EncodeHead(head) + first + second;
}

std::string Hex(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) {
    constexpr const char* kDigits = "0123456789abcdef";
    text += kDigits[static_cast<unsigned char>(byte) >> 4];
    text += kDigits[static_cast<unsigned char>(byte) & 15];
  }
  return text;
}

// Everything of a batch, or what is wrong with it.
StatusOr<std::string> Read(std::string_view bytes) {
  StatusOr<EpochBatchParts> parts = cli::TakeApart(bytes);
  if (!parts.ok()) return parts.status();
  std::string text = std::to_string(parts->head.epoch);
  for (const EpochBlock& block : parts->blocks) {
    if (!block.is_cells) {
      StatusOr<std::vector<cli::DeadLetterRow>> letters = cli::DecodeLetters(block);
      if (!letters.ok()) return letters.status();
      for (const cli::DeadLetterRow& letter : *letters) text += " letter " + letter.element;
      continue;
    }
    EncodedCells cells(block, parts->head.views[block.view].name);
    EncodedCell cell;
    while (true) {
      const StatusOr<bool> found = cells.Next(&cell);
      if (!found.ok()) return found.status();
      if (!*found) break;
      text += " cell " + Hex(cell.key) + "." + std::to_string(cell.pane) + "=" + Hex(cell.value);
    }
  }
  return text;
}

TEST(EpochBatchTest, ADeadLetterKeepsAllThatIsKnownOfIt) {
  cli::DeadLetterRow letter = Letter("{}", true);
  letter.window_start = Timestamp::FromMicros(3);
  letter.window_end = Timestamp::FromMicros(4);
  letter.reason = "too late";
  letter.code_version = "0af3";
  letter.origin = "clicks/2";
  letter.position = std::int64_t{1} << 40;
  letter.id = cli::IdOf(letter);
  EpochBlockWriter writer = EpochBlockWriter::ForLetters();
  const cli::DeadLetterRow rows[] = {letter, Letter("1", false)};
  writer.AddLetters(rows);
  const std::string bytes = std::move(writer).Finish(7);
  std::string_view in = bytes;
  const StatusOr<EpochBlock> block = cli::TakeBlock(&in);
  ASSERT_TRUE(block.ok()) << block.status();
  const StatusOr<std::vector<cli::DeadLetterRow>> read = cli::DecodeLetters(*block);
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_EQ(read->size(), 2U);
  const cli::DeadLetterRow& back = (*read)[0];
  EXPECT_EQ(back.reason, letter.reason);
  EXPECT_EQ(back.code_version, letter.code_version);
  EXPECT_EQ(back.origin, letter.origin);
  EXPECT_EQ(back.position, letter.position);
  EXPECT_EQ(back.window_end, letter.window_end);
  EXPECT_EQ(back.id, letter.id);
  EXPECT_EQ((*read)[1].origin, std::nullopt);
  EXPECT_NE((*read)[1].id, letter.id);
  // Each cut is found.
  for (std::size_t cut = 0; cut < block->content.size(); ++cut) {
    EpochBlock shorter = *block;
    shorter.content = block->content.substr(0, cut);
    EXPECT_EQ(cli::DecodeLetters(shorter).status().code(), StatusCode::kDataLoss) << cut;
  }
}

TEST(EpochBatchTest, TheBytesAreThoseOfTheSpecification) {
  const std::string zero = "0000000000000000";
  const std::string window = zero + " 0000000000000100";
  const std::string signature = Hex("(key: string) -> (value: int64)");
  std::string bytes = "4d524542 01 07 02 03 01 05" + Hex("pages") + "1f" + signature + "02 02 02 8501";
  bytes += "01 000000 00000000 0000000000000006 00000002 00000030";
  bytes += "01 09 05" + window + "02 020161 0105";
  bytes += "01 09 0a" + window + "03 020161";
  bytes += "02 000000 00000000 0000000000000007 00000002 00000025";
  bytes += "016e 0173 0131 01 0000000000000001" + zero;
  bytes += "016e 0173 00 00" + zero;
  std::erase(bytes, ' ');
  EXPECT_EQ(Hex(SmallBatch()), bytes);
  EXPECT_EQ(*Read(SmallBatch()), "7 cell 0161.2=05 cell 0161.3= letter 1 letter ");
}

TEST(EpochBatchTest, ACutIsTold) {
  const std::string batch = SmallBatch();
  for (std::size_t size = 0; size < batch.size(); ++size) {
    EXPECT_EQ(Read(std::string_view(batch).substr(0, size)).status().code(), StatusCode::kDataLoss) << size;
  }
  EXPECT_EQ(Read(batch + "x").status().code(), StatusCode::kDataLoss);
}

TEST(EpochBatchTest, ChangedBytesAreReadOrTold) {
  const std::string batch = SmallBatch();
  std::mt19937_64 random(base::TestSeed());
  std::size_t told = 0;
  const std::int64_t rounds = base::TestRounds(20'000, 2'000'000);
  for (std::int64_t i = 0; i < rounds; ++i) {
    std::string changed = batch;
    for (std::uint64_t change = 0; change <= random() % 3; ++change) {
      changed[random() % changed.size()] = static_cast<char>(random());
    }
    const Status status = Read(changed).status();
    if (status.ok()) continue;
    ++told;
    const bool is_version = changed[4] != batch[4] && status.code() == StatusCode::kFailedPrecondition;
    ASSERT_TRUE(is_version || status.code() == StatusCode::kDataLoss) << status;
  }
  EXPECT_GT(told, static_cast<std::size_t>(rounds / 4));
}

// The batch with other bytes in place of those at `at`, counted from the end.
std::string WithBytes(std::size_t from_end, std::string_view bytes) {
  std::string batch = SmallBatch();
  return batch.replace(batch.size() - from_end, bytes.size(), bytes);
}

TEST(EpochBatchTest, WhatIsWrongIsNamed) {
  constexpr std::size_t kLetters = 24 + 37;
  constexpr std::size_t kCells = kLetters + 24 + 48;
  const auto told = [](const std::string& batch) { return Read(batch).status().message(); };
  EXPECT_EQ(told("MREx"), "epoch batch, head: it does not begin with MREB");
  EXPECT_THAT(told("MREB\x02"), HasSubstr("version 2, this program reads version 1"));
  EXPECT_THAT(told(WithBytes(kCells, "\x07")), HasSubstr("block 0: its kind is 7"));
  EXPECT_THAT(told(WithBytes(kCells - 7, "\x01")), HasSubstr("block 0: view 1 of 1"));
  EXPECT_THAT(told(WithBytes(kCells - 15, "\x08")), HasSubstr("block 0: epoch 8 behind epoch 1 in a batch of epoch 7"));
  EXPECT_THAT(told(WithBytes(kLetters - 15, "\x05")), HasSubstr("block 1: epoch 5 behind epoch 6"));
  EXPECT_THAT(told(WithBytes(kCells - 19, "\x01")), HasSubstr("it counts 2 blocks, 2 cells and 2 dead letters"));
  EXPECT_THAT(told(WithBytes(kCells - 26, "\x10")), HasSubstr("view pages, cell 0, flags: one of them is unknown"));
  EXPECT_THAT(told(WithBytes(kCells - 27, "\x7f")), HasSubstr("view pages, cell 0, window"));
  EXPECT_THAT(told(WithBytes(kCells - 44, "\x7f")), HasSubstr("view pages, cell 0, key: it is cut off"));
  EXPECT_THAT(told(WithBytes(kCells - 47, "\x7f")), HasSubstr("view pages, cell 0, value: it is cut off"));
  EXPECT_THAT(told(WithBytes(kCells - 49, "\x02")), HasSubstr("view pages, cell 1, run: its count"));
  EXPECT_THAT(told(WithBytes(kLetters - 24, "\x7f")), HasSubstr("dead letter 0, name"));
  EXPECT_THAT(told(WithBytes(kLetters - 30, "\x10")), HasSubstr("dead letter 0, flags"));
}

TEST(EpochBatchTest, AKeyThatDoesNotDecodeIsNamed) {
  const std::string batch = WithBytes(24 + 37 + 24 + 48 - 45, "\x05");  // a text of 5 bytes in 2
  const EpochBatchParts parts = *cli::TakeApart(batch);
  const std::vector<std::shared_ptr<cli::CellBlockPool>> pools = {std::make_shared<cli::CellBlockPool>(kPages)};
  const StatusOr<std::uint64_t> decoded =
      cli::DecodeEpoch(6, std::span(parts.blocks).subspan(0, 1), pools, {}, [](const auto&) { return OkStatus(); });
  EXPECT_EQ(decoded.status().code(), StatusCode::kDataLoss);
  EXPECT_THAT(decoded.status().message(), HasSubstr("view pages, cell 0: key"));
}

}  // namespace
}  // namespace millrace::results_test
