// The sinks of a run over both stores.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <thread>

#include "cli/cell_portion.h"
#include "cli/run_results.h"
#include "columnar/database.h"
#include "io/duckdb/duckdb_view_store.h"
#include "io/rocksdb/rocksdb_view_store.h"
#include "program.h"

namespace millrace::cli {
namespace {

using ::testing::HasSubstr;

const ViewDescriptor kView{
    .name = "counts", .key = &TypeOf<std::string>(), .value = &TypeOf<std::int64_t>(), .key_column = "word"};

class ResultsTest : public ::testing::Test {
 protected:
  void Open(RunResultsOptions options = {}) {
    options.folder = folder_.path();
    auto created = RunResults::Create(options);
    ASSERT_EQ(created.status(), OkStatus());
    results_ = *std::move(created);
    ASSERT_EQ(results_->views()->Declare(kView), OkStatus());
  }
  Status Write(const std::string& key, std::int64_t value, std::uint64_t pane = 0, bool is_final = true) {
    const Cell cell{.key = &key,
                    .value = &value,
                    .window_start = Timestamp::FromSeconds(0),
                    .window_end = Timestamp::FromSeconds(60),
                    .version = {.pane = pane},
                    .is_final = is_final};
    return results_->views()->Write("counts", {&cell, 1});
  }
  static std::map<std::string, std::int64_t> Read(ViewStore& store) {
    EXPECT_EQ(store.Declare(kView), OkStatus());
    std::map<std::string, std::int64_t> cells;
    EXPECT_EQ(store.Read({.view = "counts"},
                         [&](const Cell& cell) {
                           cells[*static_cast<const std::string*>(cell.key)] =
                               *static_cast<const std::int64_t*>(cell.value);
                           return true;
                         }),
              OkStatus());
    return cells;
  }
  // What both stores hold.
  std::map<std::string, std::int64_t> Close() {
    results_.reset();
    auto warehouse = io_duckdb::DuckdbViewStore::Open({.path = WarehousePath(folder_.path())});
    auto lookup = io_rocksdb::RocksdbViewStore::Open({.path = LookupPath(folder_.path())});
    EXPECT_TRUE(warehouse.ok() && lookup.ok());
    auto cells = Read(**warehouse);
    EXPECT_EQ(Read(**lookup), cells);
    return cells;
  }

  cli_test::TemporaryFolder folder_;
  std::unique_ptr<RunResults> results_;
};

TEST_F(ResultsTest, ManyThreadsThroughSmallPortions) {
  for (const bool streaming : {false, true}) {
    const cli_test::TemporaryFolder folder;
    auto created = RunResults::Create({.folder = folder.path(),
                                       .portion_cells_max = 50,
                                       .epoch_cells_max = 1000,
                                       .is_streaming = streaming,
                                       .epoch_age_max = std::chrono::milliseconds(5)});
    ASSERT_EQ(created.status(), OkStatus());
    ASSERT_EQ((*created)->views()->Declare(kView), OkStatus());
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (std::int64_t i = 0; i < 3000; ++i) {
          const std::string key = std::to_string(t) + "/" + std::to_string(i % 1500);
          Cell cell;
          cell.key = &key;
          cell.value = &i;
          cell.version.pane = static_cast<std::uint64_t>(i / 1500);
          EXPECT_EQ((*created)->views()->Write("counts", {&cell, 1}), OkStatus());
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    ASSERT_EQ((*created)->views()->Finish(), OkStatus());
    EXPECT_EQ((*created)->counts().cells, 12'000U);
    created->reset();
    auto warehouse = io_duckdb::DuckdbViewStore::Open({.path = WarehousePath(folder.path())});
    auto lookup = io_rocksdb::RocksdbViewStore::Open({.path = LookupPath(folder.path())});
    const auto cells = Read(**warehouse);
    EXPECT_EQ(cells.size(), 6000U);
    EXPECT_EQ(cells.at("3/0"), 1500);
    EXPECT_EQ(cells.at("0/1499"), 2999);
    EXPECT_EQ(Read(**lookup), cells);
  }
}

TEST_F(ResultsTest, OfManyPanesTheNewestIsWritten) {
  Open();
  for (std::uint64_t pane = 0; pane < 100; ++pane) {
    ASSERT_EQ(Write("a", static_cast<std::int64_t>(pane), pane, pane == 99), OkStatus());
  }
  ASSERT_EQ(Write("a", 50, 50, false), OkStatus());  // out of order: an older pane
  ASSERT_EQ(Write("b", 1), OkStatus());
  ASSERT_EQ(results_->views()->Finish(), OkStatus());
  EXPECT_EQ(results_->counts().superseded, 100U);
  EXPECT_EQ(Close(), (std::map<std::string, std::int64_t>{{"a", 99}, {"b", 1}}));
}

TEST_F(ResultsTest, AStreamCommitsByAge) {
  Open({.is_streaming = true, .epoch_age_max = std::chrono::milliseconds(20)});
  ASSERT_EQ(Write("a", 1), OkStatus());
  for (int i = 0; i < 500 && results_->counts().epochs == 0; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_EQ(results_->counts().epochs, 1U);
}

TEST_F(ResultsTest, WhatWasNotFinishedIsDropped) {
  Open();
  ASSERT_EQ(Write("a", 1), OkStatus());
  EXPECT_TRUE(Close().empty());
}

TEST_F(ResultsTest, DeadLettersAreATable) {
  Open();
  const std::vector<DeadLetter> letters = {{"n", "Parse", "\"x\"", Timestamp::FromSeconds(1)},
                                           {"n", "Parse", "\"y\"", Timestamp::Min()}};
  ASSERT_EQ(results_->dead_letters()->Write(letters), OkStatus());
  ASSERT_EQ(results_->dead_letters()->Finish(), OkStatus());
  EXPECT_EQ(results_->counts().letters, 2U);
  results_.reset();
  auto database = columnar::Database::Open({.path = WarehousePath(folder_.path()), .is_read_only = true});
  auto connection = database->Connect();
  auto count = [&](const std::string& condition) {
    return *connection->QueryInt64("SELECT count(*) FROM dead_letters WHERE " + condition);
  };
  EXPECT_EQ(count("element = '\"x\"' AND event_time = TIMESTAMP '1970-01-01 00:00:01' AND step = 'Parse'"), 1);
  EXPECT_EQ(count("element = '\"y\"' AND event_time IS NULL AND written_at > TIMESTAMP '2020-01-01'"), 1);
}

TEST_F(ResultsTest, ViewsThatCannotBe) {
  Open();
  ViewDescriptor letters = kView;
  letters.name = kDeadLettersTable;
  EXPECT_THAT(results_->views()->Declare(letters).message(), HasSubstr("table of dead letters"));
  const std::string key = "a";
  Cell cell;
  cell.key = &key;
  EXPECT_EQ(results_->views()->Write("unknown", {&cell, 1}).code(), StatusCode::kInternal);
}

TEST_F(ResultsTest, AFailureOfAStoreReachesTheWriter) {
  Open({.portion_cells_max = 1});
  ASSERT_EQ(Write("not UTF-8: \xff", 1), OkStatus());  // which the warehouse refuses
  Status status;
  for (int i = 0; i < 1000 && status.ok(); ++i) status = Write("a", 1);
  EXPECT_THAT(status.message(), HasSubstr("not valid UTF-8"));
  EXPECT_FALSE(results_->views()->Finish().ok());
}

}  // namespace
}  // namespace millrace::cli
