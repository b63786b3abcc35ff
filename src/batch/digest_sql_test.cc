#include "batch/digest_sql.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "columnar/database.h"
#include "columnar/view_columns.h"
#include "millrace/core/schema.h"

namespace millrace::batch {
namespace {

struct DigestValue {
  double x = 0;
  std::optional<std::int64_t> n;
};

class DigestSqlTest : public testing::Test {
 protected:
  void SetUp() override {
    connection_.emplace(*columnar::Database::Open({})->Connect());
    columns_ = *columnar::ColumnsOfView(
        {.name = "v", .key = &TypeOf<std::string>(), .value = &TypeOf<DigestValue>(), .key_column = "k"});
  }

  // Key, hours of the window, x, n.
  static std::string Cells(const std::vector<std::string>& rows) {
    std::string values;
    for (const std::string& row : rows) values += (values.empty() ? "(" : ", (") + row + ")";
    return "SELECT k, make_timestamp(s * 3600000000) AS window_start, make_timestamp(e * 3600000000) AS window_end, "
           "CAST(x AS DOUBLE) AS x, CAST(n AS BIGINT) AS n FROM (VALUES " +
           values + ") AS t(k, s, e, x, n)";
  }

  // "day cells digest" of each group, but for which range of keys it is.
  std::string Digests(const CellsSql& cells, const std::string& unit = "day") {
    StatusOr<columnar::Result> result = connection_->Query(
        "SELECT string_agg(concat_ws(' ', epoch_us(_partition) // 3600000000, _cells, _digest), ';' ORDER BY "
        "_partition, _digest) FROM "
        "(" +
        DigestsSql(columns_, unit, cells) + ")");
    EXPECT_TRUE(result.ok()) << result.status();
    if (!result.ok() || !*result->Next()) return "";
    return result->Text(0, 0).value_or("");
  }

  std::optional<columnar::Connection> connection_;
  columnar::ViewColumns columns_;
};

TEST_F(DigestSqlTest, DoNotDependOnOrder) {
  const std::string a = "'a', 0, 1, 1.5, 7";
  const std::string b = "'b', 3, 4, 2.5, NULL";
  EXPECT_EQ(Digests({.relation = Cells({a, b})}), Digests({.relation = Cells({b, a})}));
}

TEST_F(DigestSqlTest, DifferWhereAnythingOfACellDoes) {
  const std::string cells = Digests({.relation = Cells({"'a', 0, 1, 1.5, 7", "'b', 0, 1, 1, 1"})});
  for (const char* other : {"'c', 0, 1, 1.5, 7", "'a', 1, 2, 1.5, 7", "'a', 0, 2, 1.5, 7", "'a', 0, 1, 1.25, 7",
                            "'a', 0, 1, 1.5, 8", "'a', 0, 1, 1.5, NULL", "'a', 0, 1, 7, 1.5"}) {
    EXPECT_NE(Digests({.relation = Cells({other, "'b', 0, 1, 1, 1"})}), cells) << other;
  }
  EXPECT_NE(Digests({.relation = Cells({"'b', 0, 1, 1, 1"})}), cells);
  EXPECT_NE(Digests({.relation = Cells({"'a', 0, 1, 1.5, 7", "'a', 0, 1, 1.5, 7", "'b', 0, 1, 1, 1"})}), cells);
}

TEST_F(DigestSqlTest, TakeZeroAndNanAsOne) {
  const auto of = [&](const std::string& x) {
    return Digests({.relation = Cells({"'a', 0, 1, CAST(" + x + " AS DOUBLE), 7"})});
  };
  EXPECT_EQ(of("'-0.0'"), of("'0.0'"));
  EXPECT_EQ(of("'nan'"), of("'-nan'"));
  EXPECT_NE(of("'nan'"), of("NULL"));
}

TEST_F(DigestSqlTest, AWindowIsInThePartitionOfItsLastTimestamp) {
  EXPECT_EQ(Digests({.relation = Cells({"'a', 18, 24, 1, 1"})}).substr(0, 4), "0 1 ");
  EXPECT_EQ(Digests({.relation = Cells({"'a', 19, 25, 1, 1"})}).substr(0, 5), "24 1 ");
  EXPECT_EQ(Digests({.relation = Cells({"'a', 19, 25, 1, 1"})}, "hour").substr(0, 5), "24 1 ");
  EXPECT_EQ(Digests({.relation = Cells({"'a', 18, 24, 1, 1"})}, "hour").substr(0, 5), "23 1 ");
}

TEST_F(DigestSqlTest, LateCellsAreLeftOut) {
  const std::string a = "'a', 0, 1, 1.5, 7";
  const std::string b = "'b', 0, 1, 1, 1";
  const CellsSql without{.relation = Cells({a, b}),
                         .late = "SELECT 'a' AS k, make_timestamp(3600000000) AS window_end",
                         .is_late = "c.k = _late.k AND c.window_end = _late.window_end"};
  EXPECT_EQ(Digests(without), Digests({.relation = Cells({b})}));
}

TEST_F(DigestSqlTest, TheCellsOfAGroupAreThoseThatItCounts) {
  const CellsSql cells{.relation = Cells({"'a', 0, 1, 1, 1", "'b', 0, 1, 2, 2", "'c', 30, 31, 3, 3"})};
  const std::string groups =
      "SELECT _partition, _range FROM (" + DigestsSql(columns_, "day", cells) + ") WHERE epoch_us(_partition) > 0";
  EXPECT_EQ(*connection_->QueryInt64("SELECT count(*) FROM (" + CellsOfGroupsSql(columns_, "day", cells, groups) + ")"),
            1);
  EXPECT_EQ(*connection_->QueryInt64("SELECT n FROM (" + CellsOfGroupsSql(columns_, "day", cells, groups) + ")"), 3);
}

}  // namespace
}  // namespace millrace::batch
