#include "storage/rocksdb_spill_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "base/test_settings.h"
#include "millrace/detail/operator.h"

namespace millrace::storage {
namespace {

using detail::SpillTable;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

class RocksdbSpillStoreTest : public ::testing::Test {
 protected:
  RocksdbSpillStoreTest()
      : folder_(std::filesystem::temp_directory_path() / ("millrace_spill_" + std::to_string(::getpid()))),
        store_(*OpenRocksdbSpillStore({.folder = folder_.string(), .cache_bytes = 1 << 20})) {}
  ~RocksdbSpillStoreTest() override {
    store_.reset();
    std::filesystem::remove_all(folder_);
  }

  using Entries = std::vector<std::pair<std::string, std::string>>;
  static Entries Of(SpillTable& table, int shard) {
    Entries entries;
    table.ForEach(shard, [&](std::string_view key, std::string_view value) {
      entries.emplace_back(key, value);
      return OkStatus();
    });
    return entries;
  }
  static Entries Of(const detail::SpillSnapshot& snapshot) {
    Entries entries;
    EXPECT_EQ(snapshot.ForEach([&](std::string_view key, std::string_view value) {
      entries.emplace_back(key, value);
      return OkStatus();
    }),
              OkStatus());
    return entries;
  }

  const std::filesystem::path folder_;
  std::unique_ptr<detail::SpillStore> store_;
};

TEST_F(RocksdbSpillStoreTest, TablesAndShardsAreApart) {
  const auto a = store_->NewTable();
  const auto b = store_->NewTable();
  a->Put(0, "k", "a0");
  a->Put(255, "k", "a255");
  b->Put(0, "k", "b0");
  a->Put(0, "", "empty key");
  std::string value;
  ASSERT_TRUE(a->Get(255, "k", &value));
  EXPECT_EQ(value, "a255");
  EXPECT_FALSE(b->Get(255, "k", &value));
  EXPECT_THAT(Of(*a, 0), ElementsAre(Pair("", "empty key"), Pair("k", "a0")));
  EXPECT_THAT(Of(*a, 255), ElementsAre(Pair("k", "a255")));
  EXPECT_THAT(Of(*b, 0), ElementsAre(Pair("k", "b0")));
  a->Remove(0, "k");
  EXPECT_FALSE(a->Get(0, "k", &value));
  EXPECT_THAT(Of(*b, 0), ElementsAre(Pair("k", "b0")));
}

TEST_F(RocksdbSpillStoreTest, ASnapshotStaysAsItWasWhenTheTableChangesAndGoes) {
  auto table = store_->NewTable();
  table->Put(1, "x", "old");
  const auto snapshot = table->Snapshot();
  table->Put(1, "x", "new");
  table->Put(2, "y", "later");
  EXPECT_THAT(Of(*snapshot), ElementsAre(Pair("x", "old")));
  table.reset();
  store_.reset();
  EXPECT_THAT(Of(*snapshot), ElementsAre(Pair("x", "old"))) << "a checkpoint that is being written needs it";
}

TEST_F(RocksdbSpillStoreTest, AWalkSeesTheTableAsItWasAndEndsWithItsVisitorsError) {
  const auto table = store_->NewTable();
  table->Put(0, "a", "1");
  table->Put(0, "b", "2");
  std::vector<std::string> keys;
  table->ForEach(0, [&](std::string_view key, std::string_view) {
    keys.emplace_back(key);
    table->Put(0, "c", "3");
    table->Remove(0, "b");
    return OkStatus();
  });
  EXPECT_THAT(keys, ElementsAre("a", "b"));
  try {
    table->ForEach(0, [](std::string_view, std::string_view) { return DataLossError("unreadable"); });
    FAIL();
  } catch (const detail::PipelineFailure& failure) {
    EXPECT_EQ(failure.status(), DataLossError("unreadable"));
  }
}

TEST_F(RocksdbSpillStoreTest, EqualsAMapThroughFlushesAndCompactions) {
  base::Random random(base::TestSeed());
  using Map = std::map<std::pair<int, std::string>, std::string>;
  std::vector<std::pair<std::unique_ptr<SpillTable>, Map>> tables;
  for (int step = 0; step < base::TestRounds(30'000, 500'000); ++step) {
    if (tables.empty() || random.Chance(0.001)) tables.emplace_back(store_->NewTable(), Map());
    const std::size_t at = random.Below(tables.size());
    auto& [table, expected] = tables[at];
    const int shard = static_cast<int>(random.Below(256));
    const std::string key = std::to_string(random.Below(300));
    if (random.Chance(0.0005)) {
      tables.erase(tables.begin() + static_cast<std::ptrdiff_t>(at));
    } else if (random.Chance(0.6)) {
      const std::string value(random.Below(400), static_cast<char>('a' + random.Below(26)));
      table->Put(shard, key, value);
      expected[{shard, key}] = value;
    } else if (random.Chance(0.3)) {
      table->Remove(shard, key);
      expected.erase({shard, key});
    } else {
      std::string value;
      const auto found = expected.find({shard, key});
      ASSERT_EQ(table->Get(shard, key, &value), found != expected.end());
      if (found != expected.end()) {
        EXPECT_EQ(value, found->second);
      }
    }
  }
  for (auto& [table, expected] : tables) {
    Entries all;
    for (const auto& [place, value] : expected) all.emplace_back(place.second, value);
    EXPECT_TRUE(Of(*table->Snapshot()) == all);
  }
}

TEST_F(RocksdbSpillStoreTest, TheSpaceOfTablesThatAreGoneIsUsedAgain) {
  const auto bytes = [this] {
    std::uintmax_t sum = 0;
    for (const auto& file : std::filesystem::directory_iterator(folder_)) sum += file.file_size();
    return sum;
  };
  const std::string value(1'000, 'v');
  for (int round = 0; round < 20; ++round) {
    const auto table = store_->NewTable();
    for (int i = 0; i < 4'000; ++i) table->Put(i % 256, std::to_string(i), value);
  }
  EXPECT_LT(bytes(), 40'000'000U) << "80 MB were written, 4 MB at most are in use";
}

TEST_F(RocksdbSpillStoreTest, BeginsEmptyAndLeavesNothing) {
  const auto table = store_->NewTable();
  table->Put(0, "k", "v");
  const std::filesystem::path other = folder_.string() + "_other";
  std::filesystem::create_directories(other);
  std::ofstream(other / "leftover") << "of a run that was killed";
  {
    const auto store = OpenRocksdbSpillStore({.folder = other.string()});
    ASSERT_TRUE(store.ok()) << store.status();
    EXPECT_FALSE(std::filesystem::exists(other / "leftover"));
    EXPECT_THAT(Of(*(*store)->NewTable(), 0), IsEmpty());
  }
  EXPECT_FALSE(std::filesystem::exists(other));
}

TEST_F(RocksdbSpillStoreTest, AFolderThatCannotBeIsNamed) {
  std::ofstream(folder_.string() + "_file") << "no folder";
  const auto store = OpenRocksdbSpillStore({.folder = folder_.string() + "_file/state"});
  EXPECT_EQ(store.status().code(), StatusCode::kUnavailable);
  EXPECT_THAT(store.status().message(), HasSubstr(folder_.string() + "_file/state"));
  std::filesystem::remove(folder_.string() + "_file");
}

}  // namespace
}  // namespace millrace::storage
