// The hash table under every keyed operator against std::unordered_map.
#include "millrace/detail/flat_table.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <unordered_map>

#include "base/random.h"
#include "base/test_settings.h"
#include "millrace/detail/sharded_table.h"

namespace millrace::detail {
namespace {

/// Counts how many of it are alive, and breaks if one is destroyed twice or used after.
struct Counted {
  static inline std::int64_t alive = 0;
  std::unique_ptr<std::int64_t> value;
  explicit Counted(std::int64_t v) : value(std::make_unique<std::int64_t>(v)) { ++alive; }
  Counted(Counted&& other) noexcept : value(std::move(other.value)) { ++alive; }
  Counted& operator=(Counted&& other) noexcept = default;
  ~Counted() { --alive; }
};

template <class K>
K MakeKey(std::uint64_t number) {
  if constexpr (std::is_same_v<K, std::string>) {
    return std::string(number % 40, 'k') + std::to_string(number);  // short ones and ones on the heap
  } else {
    return static_cast<K>(number);
  }
}

template <class K>
class FlatTableTest : public ::testing::Test {};
using Keys = ::testing::Types<std::int64_t, std::string>;
TYPED_TEST_SUITE(FlatTableTest, Keys);

TYPED_TEST(FlatTableTest, RandomOperationsEqualTheStandardMap) {
  using K = TypeParam;
  for (std::int64_t round = 0; round < base::TestRounds(30, 600); ++round) {
    base::Random random(base::TestSeed() * 100 + static_cast<std::uint64_t>(round));
    SCOPED_TRACE("MILLRACE_TEST_SEED=" + std::to_string(base::TestSeed()) + ", round " + std::to_string(round));
    {
      FlatTable<K, Counted> table;
      std::unordered_map<K, std::int64_t> expected;
      std::set<K> dirty;
      const std::uint64_t keys = random.Below(300) + 1;
      const double erasing = random.Unit() * 0.6;
      for (int step = 0; step < 2'000; ++step) {
        const K key = MakeKey<K>(random.Below(keys));
        const std::uint64_t hash = KeyHash(key);
        if (random.Chance(erasing)) {
          auto* entry = table.Find(hash, key);
          ASSERT_EQ(entry != nullptr, expected.contains(key));
          if (entry != nullptr) {
            ASSERT_EQ(*entry->value.value, expected[key]);
            table.Erase(*entry);
            expected.erase(key);
            dirty.erase(key);
          }
        } else if (random.Chance(0.002)) {
          const std::int64_t limit = random.Between(-100, 100);
          table.EraseIf([&](const auto& entry) { return *entry.value.value < limit; });
          std::erase_if(expected, [&](const auto& pair) { return pair.second < limit; });
          std::erase_if(dirty, [&](const K& k) { return !expected.contains(k); });
        } else if (random.Chance(0.002)) {
          std::set<K> seen;
          table.ForEachDirty([&](const auto& entry) { ASSERT_TRUE(seen.insert(entry.key).second); });
          ASSERT_EQ(seen, dirty);
          dirty.clear();
        } else if (random.Chance(0.001)) {
          random.Chance(0.5) ? table.Reset() : table.Clear();
          expected.clear();
          dirty.clear();
        } else {
          const std::int64_t value = random.Between(-100, 100);
          auto& entry = table.FindOrInsert(hash, key, [value] { return Counted(value); });
          ASSERT_EQ(entry.key, key);
          ASSERT_EQ(*entry.value.value, expected.try_emplace(key, value).first->second);
          dirty.insert(key);
        }
        ASSERT_EQ(table.size(), expected.size());
        ASSERT_EQ(Counted::alive, static_cast<std::int64_t>(expected.size()));
      }
      std::unordered_map<K, std::int64_t> all;
      table.ForEach([&](const auto& entry) { all[entry.key] = *entry.value.value; });
      EXPECT_EQ(all, expected);
    }
    ASSERT_EQ(Counted::alive, 0);
  }
}

TEST(FlatTableCornersTest, CollidingKeysSurviveErasure) {
  // Integers whose hashes share the lowest bits: all want the same few slots.
  std::map<std::uint64_t, std::vector<std::int64_t>> by_slot;
  for (std::int64_t i = 0; i < 200'000; ++i) by_slot[KeyHash(i) & 1023].push_back(i);
  base::Random random(base::TestSeed());
  FlatTable<std::int64_t, std::int64_t> table;
  std::unordered_map<std::int64_t, std::int64_t> expected;
  for (int step = 0; step < 30'000; ++step) {
    // Homes in the last 9 and the first 7 slots: runs go over the end.
    const auto& candidates = by_slot[(1'015 + random.Below(16)) % 1'024];
    const std::int64_t key = candidates[random.Below(std::min<std::size_t>(40, candidates.size()))];
    auto* entry = table.Find(KeyHash(key), key);
    ASSERT_EQ(entry != nullptr, expected.contains(key)) << "step " << step;
    if (entry != nullptr && random.Chance(0.7)) {
      table.Erase(*entry);
      expected.erase(key);
    } else {
      ++table.FindOrInsert(KeyHash(key), key, [] { return std::int64_t{0}; }).value;
      ++expected[key];
    }
  }
  std::unordered_map<std::int64_t, std::int64_t> all;
  table.ForEach([&](const auto& entry) { all[entry.key] = entry.value; });
  EXPECT_EQ(all, expected);
}

TEST(FlatTableCornersTest, AFailingValueLeavesNoEntry) {
  FlatTable<std::string, std::string> table;
  EXPECT_THROW(table.FindOrInsert(KeyHash(std::string("a")), std::string("a"),
                                  []() -> std::string { throw std::runtime_error("no"); }),
               std::runtime_error);
  EXPECT_EQ(table.size(), 0U);
  EXPECT_EQ(table.Find(KeyHash(std::string("a")), std::string("a")), nullptr);
}

TEST(FlatTableCornersTest, EraseIfGivesMemoryBack) {
  FlatTable<std::int64_t, std::int64_t> table;
  for (std::int64_t i = 0; i < 100'000; ++i) table.FindOrInsert(KeyHash(i), i, [] { return std::int64_t{0}; });
  const std::size_t before = table.bytes();
  table.EraseIf([](const auto& entry) { return entry.key >= 10; });
  EXPECT_EQ(table.size(), 10U);
  EXPECT_LT(table.bytes(), before / 100);
}

TEST(FlatTableCornersTest, ATableIsMoved) {
  FlatTable<std::int64_t, std::string> table;
  table.FindOrInsert(KeyHash(std::int64_t{1}), std::int64_t{1}, [] { return std::string("one"); });
  FlatTable<std::int64_t, std::string> moved = std::move(table);
  EXPECT_EQ(moved.Find(KeyHash(std::int64_t{1}), std::int64_t{1})->value, "one");
  table = std::move(moved);
  EXPECT_EQ(table.Find(KeyHash(std::int64_t{1}), std::int64_t{1})->value, "one");
}

TEST(ShardedTableTest, ALargeTableIsDividedAndLosesNothing) {
  constexpr std::int64_t kEntries = 70'000;
  ShardedTable<std::int64_t, std::int64_t> table;
  for (std::int64_t i = 0; i < kEntries; ++i) {
    auto& entry = table.FindOrInsert(KeyHash(i), i, [i] { return 2 * i; });
    ASSERT_EQ(entry.key, i);  // also for the one that divides it
    ASSERT_EQ(entry.value, 2 * i);
    ASSERT_EQ(table.divided(), i >= 65'536) << i;
  }
  EXPECT_EQ(table.size(), static_cast<std::size_t>(kEntries));
  for (std::int64_t i = 0; i < kEntries; ++i) ASSERT_EQ(table.Find(KeyHash(i), i)->value, 2 * i);
  std::size_t dirty = 0;
  table.ForEachDirty([&](const auto&) { ++dirty; });
  EXPECT_EQ(dirty, static_cast<std::size_t>(kEntries));  // dividing keeps the bits
  table.ForEachDirty([&](const auto&) { ADD_FAILURE(); });
  table.EraseIf([](const auto& entry) { return entry.key % 2 == 0; });
  EXPECT_EQ(table.size(), static_cast<std::size_t>(kEntries / 2));
  table.TableOf(KeyHash(std::int64_t{1})).Erase(*table.Find(KeyHash(std::int64_t{1}), std::int64_t{1}));
  EXPECT_EQ(table.Find(KeyHash(std::int64_t{1}), std::int64_t{1}), nullptr);
  std::set<std::int64_t> keys;
  table.ForEach([&](const auto& entry) { keys.insert(entry.key); });
  EXPECT_EQ(keys.size(), static_cast<std::size_t>(kEntries / 2 - 1));
  table.Reset();
  EXPECT_EQ(table.size(), 0U);
  EXPECT_FALSE(table.divided());
}

}  // namespace
}  // namespace millrace::detail
