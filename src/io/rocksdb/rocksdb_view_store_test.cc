#include "io/rocksdb/rocksdb_view_store.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <limits>
#include <numeric>
#include <thread>

#include "io/rocksdb/ordered_key.h"
#include "io/session_views_suite.h"
#include "io/view_store_suite.h"

namespace millrace {

struct RocksdbMaker {
  static StatusOr<std::unique_ptr<ViewStore>> Open(const std::filesystem::path& folder) {
    auto store = io_rocksdb::RocksdbViewStore::Open({.path = (folder / "views").string()});
    if (!store.ok()) return store.status();
    return std::unique_ptr<ViewStore>(std::move(*store));
  }
  static void Damage(const std::filesystem::path& folder) { std::ofstream(folder / "views" / "CURRENT") << "damaged"; }
};

INSTANTIATE_TYPED_TEST_SUITE_P(Rocksdb, ViewStoreSuite, RocksdbMaker);
INSTANTIATE_TYPED_TEST_SUITE_P(Rocksdb, SessionViewsSuite, RocksdbMaker);

namespace io_rocksdb {
namespace {

template <class T>
std::string Ordered(const T& value) {
  std::string bytes;
  AppendOrdered(TypeOf<T>(), &value, &bytes);
  return bytes;
}

// The values are in rising order: so must their bytes be, and each must come back.
template <class T>
void ExpectOrdered(const std::vector<T>& values) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    for (std::size_t j = i + 1; j < values.size(); ++j) {
      EXPECT_LT(Ordered<T>(values[i]), Ordered<T>(values[j])) << i << " " << j;
      EXPECT_FALSE(Ordered<T>(values[j]).starts_with(Ordered<T>(values[i]))) << i << " " << j;
    }
    const std::string bytes = Ordered<T>(values[i]) + "rest";
    std::string_view rest = bytes;
    T read{};
    ASSERT_EQ(TakeOrdered(TypeOf<T>(), &rest, &read), OkStatus());
    EXPECT_TRUE(read == values[i]) << i;
    EXPECT_EQ(rest, "rest");
  }
}

TEST(OrderedKeyTest, TheOrderOfBytesIsTheOrderOfValues) {
  ExpectOrdered<bool>({false, true});
  ExpectOrdered<std::int8_t>({-128, -1, 0, 1, 127});
  ExpectOrdered<std::int32_t>({std::numeric_limits<std::int32_t>::min(), -256, -1, 0, 255, 256, 1 << 30});
  ExpectOrdered<std::int64_t>({std::numeric_limits<std::int64_t>::min(), -1, 0, 1, 1LL << 40});
  ExpectOrdered<std::uint16_t>({0, 255, 256, 65'535});
  ExpectOrdered<std::uint64_t>({0, 1, ~std::uint64_t{0}});
  ExpectOrdered<double>({-INFINITY, -1e300, -1, -1e-300, 0, 1e-300, 1, 1e300, INFINITY});
  ExpectOrdered<float>({-INFINITY, -1.5F, 0, 1e-40F, 1.5F});
  ExpectOrdered<std::string>({"", std::string(1, '\0'), std::string(2, '\0'), std::string("\0a", 2), "\x01", "a",
                              std::string("a\0", 2), std::string("a\0\xFF", 3), "a\x01", "ab", "\xFF", "\xFF\xFF"});
  ExpectOrdered<std::optional<std::string>>({std::nullopt, "", "a"});
  ExpectOrdered<Timestamp>({Timestamp::Min(), Timestamp::FromMicros(-1), Timestamp(), Timestamp::Max()});
  EXPECT_EQ(Ordered(-0.0), Ordered(0.0));
  EXPECT_GT(Ordered(-std::numeric_limits<double>::quiet_NaN()), Ordered<double>(INFINITY));
}

TEST(OrderedKeyTest, BytesThatAreNoEncodingAreRefused) {
  for (const std::string& bytes : {std::string(), std::string("abc"), std::string("a\0", 2), std::string("a\0b", 3)}) {
    std::string_view rest = bytes;
    std::string text;
    EXPECT_EQ(TakeOrdered(TypeOf<std::string>(), &rest, &text).code(), StatusCode::kDataLoss);
  }
  std::string_view rest = "\x02";
  bool flag = false;
  EXPECT_EQ(TakeOrdered(TypeOf<bool>(), &rest, &flag).code(), StatusCode::kDataLoss);
}

TEST(RocksdbViewStoreTest, CompactionDropsSupersededVersions) {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("millrace_rocksdb_" + std::to_string(getpid()));
  std::filesystem::remove_all(folder);
  {
    auto store = *RocksdbViewStore::Open({.path = folder.string()});
    ASSERT_EQ(store->Declare({.name = "n", .key = &TypeOf<std::int64_t>(), .value = &TypeOf<std::int64_t>()}),
              OkStatus());
    for (std::uint64_t epoch = 1; epoch <= 30; ++epoch) {
      for (std::int64_t key = 0; key < 10; ++key) {
        const Cell cell{&key, &key, Timestamp::Min(), Timestamp::Max(), {1, 1, epoch}};
        ASSERT_EQ(store->Append("n", epoch, {&cell, 1}), OkStatus());
      }
      ASSERT_EQ(store->Commit(epoch), OkStatus());
    }
    EXPECT_EQ(*store->CountVersions(), 300U);
    std::uint64_t newest = 0;
    const std::int64_t key = 4;
    ASSERT_EQ(store->Read({.view = "n", .key = &key},
                          [&](const Cell& cell) {
                            newest = cell.version.pane;
                            return true;
                          }),
              OkStatus());
    EXPECT_EQ(newest, 30U);
    ASSERT_EQ(store->Compact(), OkStatus());
    EXPECT_EQ(*store->CountVersions(), 10U);
  }
  std::filesystem::remove_all(folder);
}

TEST(RocksdbViewStoreTest, ALargeEpochIsTakenInAsFiles) {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("millrace_rocksdb_large_" + std::to_string(getpid()));
  std::filesystem::remove_all(folder);
  const ViewDescriptor view{.name = "n", .key = &TypeOf<std::int64_t>(), .value = &TypeOf<std::int64_t>()};
  for (std::uint64_t epoch = 1; epoch <= 2; ++epoch) {
    auto store = *RocksdbViewStore::Open({.path = folder.string()});
    ASSERT_EQ(store->Declare(view), OkStatus());
    EXPECT_EQ(*store->LastEpoch(), epoch - 1);
    // In no order, and the last 1000 keys twice with the same version: the later one counts.
    for (std::int64_t i = 101'000; i-- > 0;) {
      const std::int64_t key = i % 100'000 * 7919 % 100'003;
      const Cell cell{&key, &i, Timestamp::Min(), Timestamp::Max(), {1, 1, epoch}};
      ASSERT_EQ(store->Append("n", epoch, {&cell, 1}), OkStatus());
    }
    ASSERT_EQ(store->Commit(epoch), OkStatus());
    EXPECT_FALSE(std::filesystem::exists(folder / "epoch"));
    std::int64_t count = 0;
    ASSERT_EQ(store->Read({.view = "n"},
                          [&](const Cell& cell) {
                            const std::int64_t value = *static_cast<const std::int64_t*>(cell.value);
                            EXPECT_EQ(*static_cast<const std::int64_t*>(cell.key), value * 7919 % 100'003);
                            EXPECT_LT(value, 100'000);
                            EXPECT_EQ(cell.version.pane, epoch);
                            ++count;
                            return true;
                          }),
              OkStatus());
    EXPECT_EQ(count, 100'000);
  }
  std::filesystem::remove_all(folder);
}

TEST(RocksdbViewStoreTest, PendingCellsHaveALimit) {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("millrace_rocksdb_limit_" + std::to_string(getpid()));
  std::filesystem::remove_all(folder);
  {
    auto store = *RocksdbViewStore::Open({.path = folder.string(), .pending_mib_max = 1});
    ASSERT_EQ(store->Declare({.name = "n", .key = &TypeOf<std::int64_t>(), .value = &TypeOf<std::string>()}),
              OkStatus());
    const std::int64_t key = 1;
    const std::string value(600'000, 'x');
    const Cell cell{&key, &value, Timestamp::Min(), Timestamp::Max(), {1, 1, 1}};
    ASSERT_EQ(store->Append("n", 1, {&cell, 1}), OkStatus());
    EXPECT_EQ(store->Append("n", 1, {&cell, 1}).code(), StatusCode::kResourceExhausted);
    ASSERT_EQ(store->Discard(1), OkStatus());
    EXPECT_EQ(store->Append("n", 1, {&cell, 1}), OkStatus());
  }
  std::filesystem::remove_all(folder);
}

// While large epochs come, their files wait; the first small one has them compacted.
TEST(RocksdbViewStoreTest, LargeEpochsAreCompactedOnceSmallOnesCome) {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("millrace_rocksdb_bulk_" + std::to_string(getpid()));
  std::filesystem::remove_all(folder);
  const auto files = [&] {
    const std::filesystem::directory_iterator entries(folder);
    return std::count_if(begin(entries), end(entries),
                         [](const auto& entry) { return entry.path().extension() == ".sst"; });
  };
  constexpr std::uint64_t kLargeEpochs = 8;
  {
    auto store = *RocksdbViewStore::Open({.path = folder.string()});
    ASSERT_EQ(store->Declare({.name = "n", .key = &TypeOf<std::int64_t>(), .value = &TypeOf<std::int64_t>()}),
              OkStatus());
    std::vector<std::int64_t> keys(50'000);
    std::iota(keys.begin(), keys.end(), 0);
    const auto commit = [&](std::uint64_t epoch, std::size_t count) {
      std::vector<Cell> cells;
      for (std::size_t i = 0; i < count; ++i) {
        cells.push_back({&keys[i], &keys[i], Timestamp::Min(), Timestamp::Max(), {1, 1, epoch}});
      }
      EXPECT_EQ(store->Append("n", epoch, cells), OkStatus());
      EXPECT_EQ(store->Commit(epoch), OkStatus());
    };
    for (std::uint64_t epoch = 1; epoch <= kLargeEpochs; ++epoch) commit(epoch, keys.size());
    EXPECT_GE(files(), static_cast<std::ptrdiff_t>(kLargeEpochs));
    commit(kLargeEpochs + 1, 1);
    for (int wait = 0; wait < 600 && files() >= 4; ++wait) std::this_thread::sleep_for(std::chrono::milliseconds(100));
    EXPECT_LT(files(), 4);
    std::int64_t found = 0;
    EXPECT_EQ(store->Read({.view = "n"}, [&](const Cell&) { return ++found > 0; }), OkStatus());
    EXPECT_EQ(found, static_cast<std::int64_t>(keys.size()));
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace io_rocksdb
}  // namespace millrace
