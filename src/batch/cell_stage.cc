#include "batch/cell_stage.h"

#include <algorithm>
#include <utility>

#include "base/status_macros.h"
#include "columnar/view_columns.h"
#include "io/duckdb/duckdb_view_store.h"

namespace millrace::batch {

namespace {

using columnar::QuoteIdentifier;
using columnar::QuoteLiteral;

constexpr std::uint64_t kEpoch = 1;

}  // namespace

CellStage::CellStage(const Partitioning& partitioning, CellStageOptions options)
    : partitioning_(partitioning), options_(std::move(options)) {}
CellStage::~CellStage() = default;

StatusOr<std::shared_ptr<CellStage>> CellStage::Open(const Partitioning& partitioning, CellStageOptions options) {
  std::shared_ptr<CellStage> stage(new CellStage(partitioning, std::move(options)));
  const CellStageOptions& of = stage->options_;
  MILLRACE_ASSIGN_OR_RETURN(stage->store_, io_duckdb::DuckdbViewStore::Open({.threads = of.threads,
                                                                             .memory_limit_mib = of.memory_limit_mib,
                                                                             .temp_directory = of.folder + "/spilled",
                                                                             .compact_after_cells = 0}));
  return stage;
}

bool CellStage::IsWanted(std::string_view view) const {
  return std::find(options_.views.begin(), options_.views.end(), view) != options_.views.end();
}

Status CellStage::Declare(const ViewDescriptor& view) {
  if (!IsWanted(view.name)) return OkStatus();
  views_.push_back(view);
  return store_->Declare(view);
}

Status CellStage::Write(std::string_view view, std::span<const Cell> cells) {
  if (!IsWanted(view)) return OkStatus();
  std::vector<Cell> kept;
  kept.reserve(cells.size());
  for (const Cell& cell : cells) {
    const Timestamp last = cell.window_end - Duration(1);
    if (last >= options_.range.from && last < options_.range.to) kept.push_back(cell);
  }
  return store_->Append(view, kEpoch, kept);
}

Status CellStage::Finish() {
  MILLRACE_RETURN_IF_ERROR(store_->Commit(kEpoch));
  return store_->Compact();
}

StatusOr<std::vector<ComputedPartition>> CellStage::WriteFiles(std::uint64_t version) {
  std::vector<ComputedPartition> partitions;
  for (Timestamp from = options_.range.from; from < options_.range.to; from += partitioning_.every()) {
    partitions.push_back({.from = from});
  }
  for (const ViewDescriptor& view : views_) {
    MILLRACE_RETURN_IF_ERROR(WriteView(view, version, &partitions).WithContext("view " + view.name));
  }
  return partitions;
}

// Sorted once, so that each partition is one run of rows.
Status CellStage::WriteView(const ViewDescriptor& view, std::uint64_t version,
                            std::vector<ComputedPartition>* partitions) {
  MILLRACE_ASSIGN_OR_RETURN(const columnar::ViewColumns columns, columnar::ColumnsOfView(view));
  MILLRACE_ASSIGN_OR_RETURN(columnar::Connection connection, store_->database().Connect());
  std::string keys;
  for (const columnar::ViewColumn& column : columns.key) keys += QuoteIdentifier(column.name) + ", ";
  MILLRACE_RETURN_IF_ERROR(
      connection.Execute("CREATE OR REPLACE TEMP TABLE _sorted AS SELECT date_trunc('" + partitioning_.unit() +
                         "', window_end - INTERVAL 1 MICROSECOND) AS _partition, *, " + std::to_string(version) +
                         "::UBIGINT AS _version FROM " + QuoteIdentifier(view.name) + " ORDER BY _partition, " + keys +
                         "window_start, window_end"));
  for (ComputedPartition& partition : *partitions) {
    ComputedPartition::View& written = partition.views.emplace_back();
    written.view = view.name;
    const std::string rows = " FROM _sorted WHERE _partition = " + columnar::SqlTimestamp(partition.from);
    MILLRACE_ASSIGN_OR_RETURN(written.rows, connection.QueryInt64("SELECT count(*)" + rows));
    if (written.rows == 0) continue;
    written.staged = options_.folder + "/" + view.name + "-" + partitioning_.NameOf(partition.from) + ".parquet";
    MILLRACE_RETURN_IF_ERROR(connection.Execute("COPY (SELECT * EXCLUDE (_partition)" + rows + ") TO " +
                                                QuoteLiteral(written.staged) + " (FORMAT parquet, COMPRESSION zstd)"));
  }
  return connection.Execute("DROP TABLE _sorted");
}

}  // namespace millrace::batch
