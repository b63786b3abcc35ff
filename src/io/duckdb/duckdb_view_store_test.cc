#include "io/duckdb/duckdb_view_store.h"

#include <chrono>
#include <fstream>
#include <thread>

#include "io/session_views_suite.h"
#include "io/view_store_suite.h"

namespace millrace {

struct DuckdbMaker {
  static StatusOr<std::unique_ptr<ViewStore>> Open(const std::filesystem::path& folder) {
    auto store = io_duckdb::DuckdbViewStore::Open({.path = (folder / "views.duckdb").string()});
    if (!store.ok()) return store.status();
    return std::unique_ptr<ViewStore>(std::move(*store));
  }
  static void Damage(const std::filesystem::path& folder) {
    std::fstream file(folder / "views.duckdb", std::ios::in | std::ios::out | std::ios::binary);
    for (int offset = 0; offset < 12'288; offset += 64) file.seekp(offset + 8) << "damaged";
  }
};

INSTANTIATE_TYPED_TEST_SUITE_P(Duckdb, ViewStoreSuite, DuckdbMaker);
INSTANTIATE_TYPED_TEST_SUITE_P(Duckdb, SessionViewsSuite, DuckdbMaker);

namespace io_duckdb {
namespace {

std::vector<std::string> Rows(const DuckdbViewStore& store, const std::string& sql) {
  columnar::Connection connection = *store.database().Connect();
  StatusOr<columnar::Result> result = connection.Query(sql);
  if (!result.ok()) return {result.status().message()};
  std::vector<std::string> rows;
  while (*result->Next()) {
    for (std::size_t row = 0; row < result->rows(); ++row) {
      std::string text;
      for (std::size_t i = 0; i < result->columns().size(); ++i) {
        text += (i > 0 ? "|" : "") + result->Text(i, row).value_or("NULL");
      }
      rows.push_back(text);
    }
  }
  return rows;
}

TEST(DuckdbViewStoreTest, TheSqlViewShowsTheNewestCells) {
  auto store = *DuckdbViewStore::Open({});
  ASSERT_EQ(store->Declare({.name = "totals",
                            .key = &TypeOf<std::string>(),
                            .value = &TypeOf<std::int64_t>(),
                            .key_column = "page",
                            .value_column = "count"}),
            OkStatus());
  const std::string a = "a";
  const std::string b = "b";
  const std::int64_t one = 1;
  const std::int64_t two = 2;
  const Timestamp noon = Timestamp::FromSeconds(43'200);
  const std::vector<Cell> cells = {{&a, &one, noon, noon + std::chrono::minutes(1), {1, 1, 1}},
                                   {&a, &two, noon, noon + std::chrono::minutes(1), {1, 1, 2}},
                                   {&b, &one, Timestamp::Min(), Timestamp::Max(), {1, 1, 1}}};
  ASSERT_EQ(store->Append("totals", 1, cells), OkStatus());
  ASSERT_EQ(store->Commit(1), OkStatus());
  EXPECT_THAT(Rows(*store, "DESCRIBE totals"),
              ::testing::ElementsAre("page|VARCHAR|YES|NULL|NULL|NULL", "window_start|TIMESTAMP|YES|NULL|NULL|NULL",
                                     "window_end|TIMESTAMP|YES|NULL|NULL|NULL", "count|BIGINT|YES|NULL|NULL|NULL"));
  EXPECT_THAT(Rows(*store, "SELECT * FROM totals ORDER BY page"),
              ::testing::ElementsAre("a|1970-01-01 12:00:00|1970-01-01 12:01:00|2", "b|NULL|NULL|1"));
}

TEST(DuckdbViewStoreTest, SupersededCellsAreDeletedInTheBackground) {
  auto store = *DuckdbViewStore::Open({.compact_after_cells = 100});
  ASSERT_EQ(store->Declare({.name = "n", .key = &TypeOf<std::int64_t>(), .value = &TypeOf<std::int64_t>()}),
            OkStatus());
  std::vector<std::int64_t> keys(50);
  for (std::size_t i = 0; i < keys.size(); ++i) keys[i] = static_cast<std::int64_t>(i);
  std::string count;
  for (std::uint64_t epoch = 1; epoch <= 400; ++epoch) {
    std::vector<Cell> cells;
    for (const std::int64_t& key : keys) {
      cells.push_back({&key, &key, Timestamp::Min(), Timestamp::Max(), {1, 1, epoch}});
    }
    ASSERT_EQ(store->Append("n", epoch, cells), OkStatus());
    ASSERT_EQ(store->Commit(epoch), OkStatus());
    ASSERT_THAT(Rows(*store, "SELECT count(*) FROM n"), ::testing::ElementsAre("50"));
    count = Rows(*store, "SELECT count(*) FROM millrace.n").front();
    if (epoch > 4 && std::stoi(count) < 200) return;
  }
  FAIL() << "still " << count << " versions of 50 cells";
}

// Even where they supersede others: history that is read again fires most panes once, and ranking it pays for nothing.
TEST(DuckdbViewStoreTest, FirstPanesAloneStartNoCompactionInTheBackground) {
  auto store = *DuckdbViewStore::Open({.compact_after_cells = 100});
  ASSERT_EQ(store->Declare({.name = "n", .key = &TypeOf<std::int64_t>(), .value = &TypeOf<std::int64_t>()}),
            OkStatus());
  const auto write = [&](std::uint64_t epoch, std::uint64_t pane) {
    std::vector<std::int64_t> keys(100);
    std::vector<Cell> cells;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      keys[i] = static_cast<std::int64_t>(i);
      cells.push_back({&keys[i], &keys[i], Timestamp::Min(), Timestamp::Max(), {1, epoch, pane}});
    }
    ASSERT_EQ(store->Append("n", epoch, cells), OkStatus());
    ASSERT_EQ(store->Commit(epoch), OkStatus());
  };
  const auto versions = [&] { return Rows(*store, "SELECT count(*) FROM millrace.n").front(); };
  for (std::uint64_t epoch = 1; epoch <= 20; ++epoch) write(epoch, 0);
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  EXPECT_EQ(versions(), "2000");
  EXPECT_THAT(Rows(*store, "SELECT count(*) FROM n"), ::testing::ElementsAre("100"));
  write(21, 1);  // as many later panes do
  for (int i = 0; i < 1000 && versions() != "100"; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(versions(), "100");
}

struct NoteRow {
  std::string text;
  std::int64_t number = 0;
};

TEST(DuckdbViewStoreTest, RowsOfOtherTablesAreCommittedWithTheEpoch) {
  auto store = *DuckdbViewStore::Open({});
  columnar::Connection connection = *store->database().Connect();
  ASSERT_EQ(connection.Execute("CREATE TABLE notes (text VARCHAR, number BIGINT)"), OkStatus());
  const std::vector<columnar::ColumnSpec> columns = columnar::ColumnsOf(SchemaOf<NoteRow>());
  const auto append = [&](std::uint64_t epoch, const std::vector<NoteRow>& rows) {
    std::vector<columnar::ColumnSource> sources;
    for (const Field& field : SchemaOf<NoteRow>().fields()) {
      sources.push_back({.base = rows.data(), .stride = sizeof(NoteRow), .offset = field.offset});
    }
    return store->AppendRows("notes", columns, epoch, sources, rows.size());
  };
  ASSERT_EQ(append(1, {{"a", 1}, {"b", 2}}), OkStatus());
  ASSERT_EQ(append(1, {{"c", 3}}), OkStatus());
  ASSERT_EQ(append(2, {{"later", 9}}), OkStatus());
  EXPECT_THAT(Rows(*store, "SELECT * FROM notes"), ::testing::IsEmpty());
  EXPECT_EQ(store->Commit(2).code(), StatusCode::kFailedPrecondition);
  ASSERT_EQ(store->Commit(1), OkStatus());
  ASSERT_EQ(append(1, {{"again", 1}}), OkStatus());
  ASSERT_EQ(store->Commit(1), OkStatus());
  ASSERT_EQ(store->Discard(2), OkStatus());
  EXPECT_THAT(Rows(*store, "SELECT * FROM notes"), ::testing::ElementsAre("a|1", "b|2", "c|3"));
  const Status missing = store->AppendRows("nothing", columns, 2, {}, 1);
  EXPECT_FALSE(missing.ok());
  EXPECT_THAT(missing.message(), ::testing::HasSubstr("nothing"));
}

TEST(DuckdbViewStoreTest, TextThatIsNotUtf8IsRefused) {
  auto store = *DuckdbViewStore::Open({});
  ASSERT_EQ(store->Declare({.name = "n", .key = &TypeOf<std::string>(), .value = &TypeOf<std::int64_t>()}), OkStatus());
  const std::string key = "\xFF";
  const std::int64_t value = 1;
  const std::vector<Cell> cells = {{&key, &value, Timestamp::Min(), Timestamp::Max(), {}}};
  Status status = store->Append("n", 1, cells);
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), ::testing::HasSubstr("view n"));
  EXPECT_THAT(status.message(), ::testing::HasSubstr("column key"));
}

}  // namespace
}  // namespace io_duckdb
}  // namespace millrace
