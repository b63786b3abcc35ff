// Tables whose entries leave memory at any moment, held against a map.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "base/random.h"
#include "base/test_settings.h"
#include "millrace/detail/sharded_table.h"
#include "storage/rocksdb_spill_store.h"

namespace millrace::detail {
namespace {

using Table = ShardedTable<std::string, std::int64_t>;
using Map = std::map<std::string, std::int64_t>;

class SpilledTableTest : public ::testing::Test {
 protected:
  SpilledTableTest()
      : folder_(std::filesystem::temp_directory_path() / ("millrace_spilled_" + std::to_string(::getpid()))),
        store_(*storage::OpenRocksdbSpillStore({.folder = folder_.string(), .cache_bytes = 4 << 20})),
        spiller_(*store_, true) {}

  std::size_t Spill(std::size_t wanted) { return table_.Spill(spiller_, frame_, wanted); }
  std::int64_t& At(const std::string& key) {
    return table_.FindOrInsert(KeyHash(key), key, [] { return std::int64_t{0}; }).value;
  }
  Map Contents() {
    Map contents;
    table_.ForEach(
        [&](const auto& entry) { EXPECT_TRUE(contents.emplace(entry.key, entry.value).second) << entry.key; });
    return contents;
  }

  // As a checkpoint takes it.
  std::string Save(bool full) {
    StateWriter writer(1, full);
    spiller_.Save(writer, 0);
    SaveEntries(table_, frame_, writer, 0);
    std::string bytes;
    for (const ChunkSource& source : writer.TakeSources(0)) {
      EXPECT_EQ(source([&](const std::string& chunk) {
                  EXPECT_THAT(chunk, ::testing::StartsWith("header"));
                  bytes += chunk;
                  return OkStatus();
                }),
                OkStatus());
    }
    for (const std::string& chunk : writer.TakeChunks(0)) bytes += chunk;
    return bytes;
  }
  // As a restart takes it.
  static void Apply(std::string_view bytes, Map* map) {
    while (!bytes.empty()) {
      if (bytes.starts_with("header")) bytes.remove_prefix(6);
      ASSERT_EQ(bytes.front(), 'E');
      bytes.remove_prefix(1);
      std::string key;
      std::int64_t value = 0;
      ASSERT_TRUE(ReadState(&bytes, &key) && ReadState(&bytes, &value));
      (*map)[key] = value;
    }
  }

  const std::filesystem::path folder_;
  std::unique_ptr<SpillStore> store_;
  Spiller spiller_;
  const EntryFrame frame_{.header = "header", .mark = "E"};
  Table table_;
};

TEST_F(SpilledTableTest, GivesUpItsMemoryAndTakesBackWhatIsAskedFor) {
  for (int i = 0; i < 1'000; ++i) At("key" + std::to_string(i)) = i;
  const std::size_t before = table_.bytes();
  EXPECT_EQ(Spill(1), before) << "a table that is not divided goes as a whole";
  EXPECT_EQ(table_.bytes(), 0U);
  EXPECT_EQ(At("key7"), 7);
  At("key7") = 77;
  EXPECT_EQ(table_.Find(KeyHash(std::string("key8")), std::string("key8"))->value, 8);
  EXPECT_EQ(table_.Find(KeyHash(std::string("none")), std::string("none")), nullptr);
  EXPECT_EQ(table_.size(), 2U) << "the others have stayed outside";
  const Map contents = Contents();
  EXPECT_EQ(contents.size(), 1'000U);
  EXPECT_EQ(contents.at("key7"), 77) << "the entry in memory holds";
}

TEST_F(SpilledTableTest, ALargeTableGoesShardByShard) {
  for (int i = 0; i < 100'000; ++i) At(std::to_string(i)) = i;
  ASSERT_TRUE(table_.divided());
  const std::size_t before = table_.bytes();
  const std::size_t given = Spill(before / 4);
  EXPECT_GE(given, before / 4);
  EXPECT_LE(given, before / 4 + before / 64);
  EXPECT_EQ(table_.bytes(), before - given);
  EXPECT_GE(Spill(before / 4), before / 4) << "the next ones have their turn";
  EXPECT_EQ(Contents().size(), 100'000U);
}

TEST_F(SpilledTableTest, LongKeysCountAsMemory) {
  for (int i = 0; i < 100; ++i) At(std::string(10'000, 'x') + std::to_string(i)) = i;
  EXPECT_GE(table_.bytes(), 1'000'000U);
}

TEST_F(SpilledTableTest, EqualsAMapWhateverLeavesMemoryAndWhatCheckpointsHoldEqualsItToo) {
  base::Random random(base::TestSeed());
  for (std::int64_t round = 0; round < base::TestRounds(4, 200); ++round) {
    SCOPED_TRACE("MILLRACE_TEST_SEED=" + std::to_string(base::TestSeed()) + ", round " + std::to_string(round));
    table_.Reset();
    spiller_.Forget();
    Map expected;
    Map saved;
    const std::int64_t keys_max = random.Chance(0.05) ? base::TestRounds(20'000, 100'000) : 3'000;
    const std::uint64_t keys = random.Between(1, keys_max);
    bool is_first = true;
    for (int step = 0; step < 20; ++step) {
      const std::uint64_t changes = random.Below(2 * keys);
      for (std::uint64_t i = 0; i < changes; ++i) {
        const std::string key = std::to_string(random.Below(keys));
        ++At(key);
        ++expected[key];
      }
      if (random.Chance(0.5)) Spill(random.Between(1, static_cast<std::int64_t>(table_.bytes()) + 1));
      if (random.Chance(0.2)) {
        table_.ForEachChanging([](auto& entry) {
          if (entry.value % 3 != 0) return false;
          entry.value += 10;
          return true;
        });
        for (auto& [key, value] : expected) value += value % 3 == 0 ? 10 : 0;
      }
      if (random.Chance(0.1)) {
        // Checkpoints do not say what is gone: the operator knows from the watermark.
        const auto stale = [](std::int64_t value) { return value % 7 == 0; };
        table_.EraseIf([&](const auto& entry) { return stale(entry.value); });
        std::erase_if(expected, [&](const auto& entry) { return stale(entry.second); });
        saved.clear();
        Apply(Save(true), &saved);
      }
      if (random.Chance(0.4)) {
        const bool full = is_first || random.Chance(0.3);
        is_first = false;
        if (full) saved.clear();
        Apply(Save(full), &saved);
        ASSERT_TRUE(saved == expected) << "step " << step << (full ? ", full" : ", delta");
      }
      if (random.Chance(0.2)) {
        ASSERT_TRUE(Contents() == expected) << "step " << step;
      }
    }
    Map by_shard;
    for (int shard = 0; shard < kShards; ++shard) {
      table_.ForEachOfShard(shard, [&](const auto& entry) {
        EXPECT_EQ(ShardOf(KeyHash(entry.key)), shard);
        EXPECT_TRUE(by_shard.emplace(entry.key, entry.value).second);
      });
    }
    ASSERT_TRUE(by_shard == expected);
  }
}

}  // namespace
}  // namespace millrace::detail
