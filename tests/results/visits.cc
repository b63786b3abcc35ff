#include "visits.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>

#include "columnar/database.h"
#include "io/duckdb/duckdb_view_store.h"
#include "io/rocksdb/rocksdb_view_store.h"

namespace millrace::results_test {

namespace {

StoredVisits ReadVisits(ViewStore& store) {
  StoredVisits visits;
  EXPECT_EQ(store.Declare(VisitsView()), OkStatus());
  EXPECT_EQ(store.Read({.view = "visits"},
                       [&](const Cell& cell) {
                         Visit visit;
                         visit.key = *static_cast<const PageKey*>(cell.key);
                         visit.minute = cell.window_start.micros() / 60'000'000;
                         const auto& count = *static_cast<const VisitCount*>(cell.value);
                         visits[NameOf(visit)] = TextOf(count, cell.version.attempt, cell.version.pane);
                         return true;
                       }),
            OkStatus());
  return visits;
}

std::map<std::string, int> ReadLetters(const columnar::Database& database) {
  std::map<std::string, int> letters;
  StatusOr<columnar::Connection> connection = database.Connect();
  if (!connection.ok()) return {{connection.status().message(), -1}};
  const StatusOr<std::int64_t> tables =
      connection->QueryInt64("SELECT count(*) FROM information_schema.tables WHERE table_name = 'dead_letters'");
  if (tables.ok() && *tables == 0) return letters;  // killed before it was made
  StatusOr<columnar::Result> result = connection->Query("SELECT element FROM dead_letters");
  if (!result.ok()) return {{result.status().message(), -1}};
  while (true) {
    const StatusOr<bool> found = result->Next();
    EXPECT_TRUE(found.ok()) << found.status();
    if (!found.ok() || !*found) return letters;
    for (std::size_t row = 0; row < result->rows(); ++row) ++letters[result->Text(0, row).value_or("NULL")];
  }
}

}  // namespace

ViewDescriptor VisitsView() { return {.name = "visits", .key = &TypeOf<PageKey>(), .value = &TypeOf<VisitCount>()}; }

Cell Visit::ToCell() const {
  return {.key = &key,
          .value = count ? &*count : nullptr,
          .window_start = Timestamp::FromSeconds(minute * 60),
          .window_end = Timestamp::FromSeconds(minute * 60 + 60),
          .version = {0, 0, pane},
          .timing = CellTiming::kOnTime};
}

Status WriteVisits(ViewSink& sink, const std::vector<Visit>& visits) {
  std::vector<Cell> cells;
  for (const Visit& visit : visits) cells.push_back(visit.ToCell());
  return sink.Write("visits", cells);
}

Status WriteLetter(DeadLetterSink& sink, const std::string& element) {
  const DeadLetter letter{.name = "bad", .step = "Parse", .element = element, .event_time = Timestamp::FromSeconds(60)};
  return sink.Write({&letter, 1});
}

std::string Joined(const EpochBatch& batch) {
  std::string bytes;
  for (const auto& piece : batch) bytes += *piece;
  return bytes;
}

std::string NameOf(const Visit& visit) {
  return visit.key.page + "/" + (visit.key.shard ? std::to_string(*visit.key.shard) : "none") + "@" +
         std::to_string(visit.minute);
}

std::string TextOf(const VisitCount& count, std::uint64_t attempt, std::uint64_t pane) {
  return std::to_string(count.visits) + " " + count.last + " (" + std::to_string(attempt) + "." + std::to_string(pane) +
         ")";
}

Stored ReadStored(const std::string& folder) {
  Stored stored;
  auto warehouse = io_duckdb::DuckdbViewStore::Open({.path = cli::WarehousePath(folder), .compact_after_cells = 0});
  auto lookup = io_rocksdb::RocksdbViewStore::Open({.path = cli::LookupPath(folder)});
  EXPECT_TRUE(warehouse.ok()) << warehouse.status();
  EXPECT_TRUE(lookup.ok()) << lookup.status();
  if (!warehouse.ok() || !lookup.ok()) return stored;
  stored.epochs = {(*warehouse)->LastEpoch().value_or(0), (*lookup)->LastEpoch().value_or(0)};
  stored.warehouse = ReadVisits(**warehouse);
  stored.lookup = ReadVisits(**lookup);
  stored.letters = ReadLetters((*warehouse)->database());
  return stored;
}

Folder::Folder() {
  static std::atomic<int> next = 0;
  path_ = (std::filesystem::temp_directory_path() /
           ("millrace_results_" + std::to_string(::getpid()) + "_" + std::to_string(next++)))
              .string();
  std::filesystem::remove_all(path_);
  std::filesystem::create_directories(path_);
}

Folder::~Folder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace millrace::results_test
