#include "millrace/detail/column.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/test_settings.h"
#include "millrace/detail/batch.h"

namespace millrace::detail {
namespace {

TEST(ColumnTest, RandomOperationsEqualAVector) {
  base::Random random(base::TestSeed());
  for (std::int64_t round = 0; round < base::TestRounds(100, 2'000); ++round) {
    Column<std::string> column;
    std::vector<std::string> expected;
    for (int step = 0; step < 300; ++step) {
      switch (random.Below(7)) {
        case 0: {
          const std::size_t count = random.Below(40);
          std::string* first = column.Extend(count);
          for (std::size_t i = 0; i < count; ++i) EXPECT_EQ(first[i], "");
          expected.resize(expected.size() + count);
          break;
        }
        case 1: {
          const std::size_t count = random.Below(expected.size() + 1);
          column.Truncate(count);
          expected.resize(count);
          break;
        }
        case 2: {
          Column<std::string> other;
          other.Append("before");
          other.Assign(column);
          column = std::move(other);
          break;
        }
        case 3: column.Reserve(random.Below(500)); break;
        default: {
          const std::string value(random.Below(40), static_cast<char>('a' + random.Below(26)));
          EXPECT_EQ(column.Append(value), value);
          expected.push_back(value);
        }
      }
      ASSERT_EQ(column.size(), expected.size());
    }
    EXPECT_TRUE(std::equal(column.begin(), column.end(), expected.begin(), expected.end()));
    column.Clear();
    EXPECT_TRUE(column.empty());
  }
}

TEST(ColumnTest, HoldsTypesThatCannotBeCopied) {
  Column<std::unique_ptr<int>> column;
  for (int i = 0; i < 100; ++i) column.Append(std::make_unique<int>(i));
  for (int i = 0; i < 100; ++i) EXPECT_EQ(*column[static_cast<std::size_t>(i)], i);
}

struct alignas(64) Wide {
  std::int64_t value;
};

TEST(ColumnTest, KeepsTheAlignmentOfItsType) {
  Column<Wide> column;
  for (std::int64_t i = 0; i < 100; ++i) {
    column.Append(i);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(column.data()) % 64, 0U);
  }
}

TEST(ColumnTest, BoolsAreAnArray) {
  Column<bool> column;
  for (int i = 0; i < 20; ++i) column.Append(i % 3 == 0);
  const bool* flags = column.data();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(flags[i], i % 3 == 0);
}

TEST(BatchTest, ExplodingGivesARowPerElementAndWindow) {
  const WindowFn fn = SlidingWindows{Duration(10), Duration(4)};
  Batch<std::string> batch;
  batch.windows.SetImplicit(fn);
  batch.panes.uniform = false;
  for (int i = 0; i < 30; ++i) {
    batch.values.Append(std::to_string(i));
    batch.timestamps.Append(Timestamp::FromMicros(i));
    batch.panes.each.Append(PaneInfo{.index = i});
  }
  Batch<std::string> exploded;
  ExplodeWindows(batch, exploded);
  std::size_t row = 0;
  for (int i = 0; i < 30; ++i) {
    fn.ForEachWindow(Timestamp::FromMicros(i), [&](const BoundedWindow& window) {
      ASSERT_LT(row, exploded.size());
      EXPECT_EQ(exploded.values[row], std::to_string(i));
      EXPECT_EQ(exploded.windows.Of(row, exploded.timestamps[row]), window);
      EXPECT_EQ(exploded.panes.Of(row).index, i);
      ++row;
    });
  }
  EXPECT_EQ(row, exploded.size());
}

}  // namespace
}  // namespace millrace::detail
