#include "io/rocksdb/pending_cells.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <utility>

#include "base/test_settings.h"
#include "io/rocksdb/cell_format.h"

namespace millrace::io_rocksdb {
namespace {

// Keys that differ within the leading bytes, behind them, or only in their length.
std::string RandomKey(std::mt19937_64& random) {
  std::string key = ViewPrefix(1 + static_cast<std::uint32_t>(random() % 2));
  key += std::string(random() % 3 * 12, 'k');
  key += std::to_string(random() % 300);
  return key;
}

TEST(PendingCellsTest, SortedTheyAreThoseOfAMap) {
  std::mt19937_64 random(base::TestSeed());
  PendingCells cells;
  std::map<std::string, std::string> expected;
  for (int portion = 0; portion < 40; ++portion) {
    // Some are copied behind the last part, some become parts themselves.
    const std::string value_end(portion % 4 == 0 ? 5'000 : 3, 'v');
    PendingCells more;
    for (int i = 0; i < 60; ++i) {
      const std::string key = RandomKey(random);
      const std::string value = std::to_string(portion) + "/" + std::to_string(i) + value_end;
      (portion % 5 == 0 ? cells : more).Add(key, value);
      expected[key] = value;
    }
    cells.AddAll(std::move(more));
  }
  cells.Sort();
  ASSERT_EQ(cells.size(), expected.size());
  std::size_t index = 0;
  for (const auto& [key, value] : expected) {
    cells.WillRead(index + 8);
    EXPECT_EQ(cells.Key(index), key);
    EXPECT_EQ(cells.Value(index), value);
    ++index;
  }
}

}  // namespace
}  // namespace millrace::io_rocksdb
