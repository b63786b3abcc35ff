// The hash of keys is part of the checkpoint format (docs/formats/sharding.md): these values never change. They were
// computed from that document by an independent program.
#include "millrace/detail/hash.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

#include "millrace/detail/operator.h"

namespace millrace::detail {
namespace {

enum class Color : std::uint8_t { kRed, kGreen };
struct Money {
  std::string currency;
  std::int32_t amount = 0;
};

TEST(HashTest, IntegersHashByValue) {
  EXPECT_EQ(KeyHash(std::int64_t{0}), 0xCA813BF4C7ABF0A9U);
  EXPECT_EQ(KeyHash(std::int64_t{1}), 0xBC548987AD0779CCU);
  EXPECT_EQ(KeyHash(std::int64_t{-1}), 0x141423E4944BE24EU);
  EXPECT_EQ(KeyHash(std::int64_t{1} << 40), 0x7D1860879D390DF7U);
  EXPECT_EQ(KeyHash(std::int8_t{-1}), KeyHash(std::int64_t{-1}));
  EXPECT_EQ(KeyHash(std::uint16_t{1}), KeyHash(std::int64_t{1}));
  EXPECT_EQ(KeyHash(true), KeyHash(1));
  EXPECT_EQ(KeyHash(Color::kGreen), KeyHash(1));
  EXPECT_EQ(KeyHash(Timestamp::FromMicros(1)), KeyHash(1));
  EXPECT_EQ(KeyHash(Duration(-1)), KeyHash(-1));
}

TEST(HashTest, TextsHashByBytes) {
  EXPECT_EQ(KeyHash(std::string()), 0xA4EA29720BE328E7U);
  EXPECT_EQ(KeyHash(std::string("a")), 0x2F91924CDC989406U);
  EXPECT_EQ(KeyHash(std::string("millrace")), 0x51ED8D5B815A547FU);
  EXPECT_EQ(KeyHash(std::string("millraces")), 0x973AF0618320DB37U);
  EXPECT_EQ(KeyHash(std::string(100, 'x')), 0xC95B33C9CC189441U);
  EXPECT_NE(KeyHash(std::string("a")), KeyHash(std::string("a\0", 2)));
}

TEST(HashTest, NumbersWithAPoint) {
  EXPECT_EQ(KeyHash(1.5), 0xAE00A65010107413U);
  EXPECT_EQ(KeyHash(1.5F), KeyHash(1.5));
  EXPECT_EQ(KeyHash(-0.0), KeyHash(0.0));
  EXPECT_EQ(KeyHash(0.0), 0xCA813BF4C7ABF0A9U);
}

TEST(HashTest, CompoundKeys) {
  EXPECT_EQ((KeyHash(std::vector<std::int64_t>{1, 2, 3})), 0x01729FE9B8867FDDU);
  EXPECT_EQ((KeyHash(std::vector<std::int32_t>{1, 2, 3})), 0x01729FE9B8867FDDU);
  EXPECT_EQ(KeyHash(std::vector<bool>{}), 0xCA813BF4C7ABF0A9U);
  EXPECT_EQ((KeyHash(std::vector<bool>{true})), (KeyHash(std::vector<std::int64_t>{1})));
  EXPECT_EQ(KeyHash(std::optional<int>(7)), 0xB48A917033ACA983U);
  EXPECT_EQ(KeyHash(std::optional<int>()), 0xCA813BF4C7ABF0A9U);
  EXPECT_EQ(KeyHash(Money{"eur", 7}), 0x29E4EC6F3F48CD42U);
  EXPECT_EQ((KeyHash(KV<std::string, KV<std::int64_t, std::int64_t>>{"a", {1, 2}})), 0xFC4876E818DBEA6CU);
}

TEST(HashTest, EqualityOfKeysWithoutAnOperator) {
  EXPECT_TRUE(KeyEqual(Money{"eur", 7}, Money{"eur", 7}));
  EXPECT_FALSE(KeyEqual(Money{"eur", 7}, Money{"usd", 7}));
  EXPECT_FALSE(KeyEqual(Money{"eur", 7}, Money{"eur", 8}));
}

TEST(HashTest, ShardsAndOwners) {
  EXPECT_EQ(ShardOf(0xCA813BF4C7ABF0A9U), 202);
  EXPECT_EQ(ShardOf(0x01729FE9B8867FDDU), 1);
  for (const int workers : {1, 2, 3, 7, 64, 256}) {
    std::vector<int> shards(static_cast<std::size_t>(workers));
    int before = 0;
    for (int shard = 0; shard < kShards; ++shard) {
      const int owner = OwnerOf(static_cast<std::uint64_t>(shard) << 56, workers);
      ASSERT_GE(owner, before);
      ASSERT_LT(owner, workers);
      before = owner;
      ++shards[static_cast<std::size_t>(owner)];
    }
    for (const int count : shards) EXPECT_NEAR(count, kShards / workers, 1) << workers;
  }
}

// Keys as they occur in practice spread over the shards as chance would: chi-squared with 255 degrees of freedom is
// above 340 once in 4,000 times.
template <class Make>
double ChiSquared(Make&& make) {
  constexpr int kKeys = 256 * 400;
  std::array<int, kShards> counts{};
  for (int i = 0; i < kKeys; ++i) ++counts[static_cast<std::size_t>(ShardOf(make(i)))];
  double sum = 0;
  for (const int count : counts) sum += (count - 400.0) * (count - 400.0) / 400.0;
  return sum;
}

TEST(HashTest, KeysSpreadOverTheShards) {
  EXPECT_LT(ChiSquared([](int i) { return KeyHash(i); }), 340);
  EXPECT_LT(ChiSquared([](int i) { return KeyHash(std::int64_t{i} * 1'000'000); }), 340);
  EXPECT_LT(ChiSquared([](int i) { return KeyHash(std::int64_t{i} << 40); }), 340);
  EXPECT_LT(ChiSquared([](int i) { return KeyHash("user-" + std::to_string(i)); }), 340);
  EXPECT_LT(ChiSquared([](int i) { return KeyHash(Money{"eur", i}); }), 340);
}

}  // namespace
}  // namespace millrace::detail
