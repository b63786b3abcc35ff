#include "nexmark/generator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "nexmark/cursor.h"
#include "nexmark/python_reference.h"

namespace millrace::nexmark {
namespace {

std::vector<std::uint64_t> SpotIndexes() {
  std::vector<std::uint64_t> indexes;
  for (std::uint64_t i = 0; i < 120; ++i) indexes.push_back(i);
  std::mt19937_64 random(7);
  for (const std::uint64_t below : {10'000ULL, 4'000'000ULL, 10'000'000'000ULL}) {
    for (int i = 0; i < 100; ++i) indexes.push_back(random() % below);
  }
  return indexes;
}

std::string Arguments(const std::string& verb, const GeneratorConfig& config,
                      const std::vector<std::uint64_t>& indexes) {
  std::ostringstream text;
  text << verb << ' ' << config.seed << ' ' << config.rate;
  for (const std::uint64_t index : indexes) text << ' ' << index;
  return text.str();
}

const std::vector<GeneratorConfig>& SpotConfigs() {
  static const std::vector<GeneratorConfig> configs = {
      {}, {.seed = 0, .rate = 1}, {.seed = 18'446'744'073'709'551'615ULL, .rate = 999}, {.seed = 7, .rate = 3'000'000}};
  return configs;
}

TEST(GeneratorTest, BidsEqualTheIndependentImplementation) {
  if (!HasPython()) GTEST_SKIP() << "no python3";
  const std::vector<std::uint64_t> indexes = SpotIndexes();
  for (const GeneratorConfig& config : SpotConfigs()) {
    std::ostringstream text;
    for (const std::uint64_t index : indexes) {
      const Bid bid = MakeBid(config, index);
      text << BidTime(config, index).millis() << '\t' << bid.auction << '\t' << bid.bidder << '\t' << bid.price << '\t'
           << bid.channel << '\t' << bid.url << '\t' << bid.extra << '\n';
    }
    EXPECT_EQ(text.str(), PythonReference(Arguments("bids", config, indexes)));
  }
}

TEST(GeneratorTest, PersonsAndAuctionsEqualTheIndependentImplementation) {
  if (!HasPython()) GTEST_SKIP() << "no python3";
  const std::vector<std::uint64_t> indexes = SpotIndexes();
  for (const GeneratorConfig& config : SpotConfigs()) {
    std::ostringstream text;
    for (const std::uint64_t index : indexes) {
      text << PersonOrAuctionTime(config, index).millis() << '\t';
      if (IsPerson(index)) {
        const Person person = MakePerson(index);
        text << person.id << '\t' << person.name << '\n';
      } else {
        const Auction auction = MakeAuction(config, index);
        text << auction.id << '\t' << auction.seller << '\t' << auction.category << '\n';
      }
    }
    EXPECT_EQ(text.str(), PythonReference(Arguments("persons_and_auctions", config, indexes)));
  }
}

TEST(GeneratorTest, PositionsEqualTheIndependentImplementation) {
  if (!HasPython()) GTEST_SKIP() << "no python3";
  for (const int disorder_log2 : {0, 1, 4, 10}) {
    std::ostringstream text;
    for (std::uint64_t p = 0; p < 2'500; ++p) text << IndexOfPosition(disorder_log2, p, 2'500) << '\n';
    EXPECT_EQ(text.str(), PythonReference("positions " + std::to_string(disorder_log2) + " 2500"));
  }
}

TEST(GeneratorTest, BidCursorEqualsRandomAccess) {
  for (const GeneratorConfig& config : SpotConfigs()) {
    for (const std::uint64_t begin : {0ULL, 45ULL, 46ULL, 1'500ULL, 46'000'017ULL}) {
      BidCursor cursor(config, begin);
      for (std::uint64_t index = begin; index < begin + 2'000; ++index, cursor.Next()) {
        ASSERT_TRUE(cursor.row() == MakeBid(config, index)) << "bid " << index << " seed " << config.seed;
        ASSERT_TRUE(cursor.owned_row() == MakeOwnedBid(config, index)) << "bid " << index;
        ASSERT_EQ(cursor.time_ms(), BidTime(config, index).millis()) << "bid " << index << " rate " << config.rate;
        ASSERT_EQ(cursor.key(1'000), BidKey(config, index, 1'000)) << "bid " << index;
      }
    }
  }
}

TEST(GeneratorTest, PersonAuctionCursorEqualsRandomAccess) {
  for (const GeneratorConfig& config : SpotConfigs()) {
    for (const std::uint64_t begin : {0ULL, 3ULL, 4ULL, 1'502ULL, 4'000'001ULL}) {
      PersonAuctionCursor cursor(config, begin);
      for (std::uint64_t index = begin; index < begin + 2'000; ++index, cursor.Next()) {
        ASSERT_EQ(cursor.is_person(), IsPerson(index)) << "row " << index;
        ASSERT_EQ(cursor.time_ms(), PersonOrAuctionTime(config, index).millis()) << "row " << index;
        if (IsPerson(index)) {
          ASSERT_TRUE(cursor.person() == MakePerson(index)) << "row " << index;
        } else {
          ASSERT_TRUE(cursor.auction() == MakeAuction(config, index)) << "row " << index;
        }
      }
    }
  }
}

TEST(GeneratorTest, PositionCursorFollowsThePermutation) {
  const GeneratorConfig config{.disorder_log2 = 6};
  constexpr std::uint64_t kTotal = 1'000;
  PositionCursor<BidCursor> cursor(config, kTotal);
  for (std::uint64_t p = 0; p < kTotal; ++p, cursor.Next()) {
    ASSERT_EQ(cursor.position(), p);
    ASSERT_TRUE(cursor->row() == MakeBid(config, IndexOfPosition(6, p, kTotal))) << "position " << p;
  }
}

TEST(GeneratorTest, DisorderPermutesEachWholeBlockAndKeepsTheLast) {
  constexpr int kLog2 = 5;
  constexpr std::uint64_t kBlock = 32;
  constexpr std::uint64_t kTotal = 3 * kBlock + 7;
  std::vector<std::uint64_t> indexes;
  for (std::uint64_t p = 0; p < kTotal; ++p) indexes.push_back(IndexOfPosition(kLog2, p, kTotal));
  for (std::uint64_t begin = 0; begin < 3 * kBlock; begin += kBlock) {
    std::vector<std::uint64_t> block(indexes.begin() + static_cast<std::ptrdiff_t>(begin),
                                     indexes.begin() + static_cast<std::ptrdiff_t>(begin + kBlock));
    EXPECT_FALSE(std::is_sorted(block.begin(), block.end()));
    std::sort(block.begin(), block.end());
    for (std::uint64_t i = 0; i < kBlock; ++i) EXPECT_EQ(block[i], begin + i);
  }
  for (std::uint64_t p = 3 * kBlock; p < kTotal; ++p) EXPECT_EQ(indexes[p], p) << "the last block is incomplete";
}

// The greatest distance that an event time lies behind the greatest one before it.
template <class Time>
std::int64_t DisorderMs(const GeneratorConfig& config, std::uint64_t total, Time time) {
  Timestamp greatest = Timestamp::Min();
  Duration most{0};
  for (std::uint64_t p = 0; p < total; ++p) {
    const Timestamp at = time(config, IndexOfPosition(config.disorder_log2, p, total));
    greatest = std::max(greatest, at);
    most = std::max(most, greatest - at);
  }
  return most.count() / 1'000;
}

TEST(GeneratorTest, MaxDisorderHoldsAtEveryRate) {
  for (const std::uint64_t rate : {1, 100, 999, 1'000, 50'000, 3'000'000}) {
    for (const int disorder_log2 : {0, 1, 2, 3, 6, 7, 12}) {
      const GeneratorConfig config{.seed = 42, .rate = rate, .disorder_log2 = disorder_log2};
      EXPECT_LE(DisorderMs(config, 10'000, BidTime), BidMaxDisorder(config).count() / 1'000)
          << "rate " << rate << " disorder 2^" << disorder_log2;
      EXPECT_LE(DisorderMs(config, 10'000, PersonOrAuctionTime), PersonAuctionMaxDisorder(config).count() / 1'000)
          << "rate " << rate << " disorder 2^" << disorder_log2;
    }
  }
}

TEST(GeneratorTest, MaxDisorderIsTheStatedBoundAtTheDefaultRate) {
  GeneratorConfig config;
  EXPECT_EQ(BidMaxDisorder(config), Duration(0)) << "streams in order need none";
  config.disorder_log2 = 12;  // 4096 * 50 / 46 * 1000 / 50000 = 89.04 ms, and 4096 * 50 / 4 / 50 = 1024 ms
  EXPECT_EQ(BidMaxDisorder(config), std::chrono::milliseconds(91));
  EXPECT_EQ(PersonAuctionMaxDisorder(config), std::chrono::milliseconds(1'025));
}

TEST(GeneratorTest, ValidateNamesTheField) {
  EXPECT_TRUE(Validate({}).ok());
  EXPECT_NE(Validate({.rate = 0}).message().find("rate is 0"), std::string::npos);
  EXPECT_NE(Validate({.disorder_log2 = 31}).message().find("disorder_log2 is 31"), std::string::npos);
}

}  // namespace
}  // namespace millrace::nexmark
