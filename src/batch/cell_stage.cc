#include "batch/cell_stage.h"

#include <algorithm>
#include <utility>

#include "base/status_macros.h"
#include "batch/cell_files.h"
#include "columnar/view_columns.h"
#include "io/duckdb/duckdb_view_store.h"

namespace millrace::batch {

namespace {

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
  std::vector<ComputedPartition> partitions = PartitionsOf(partitioning_, options_.range);
  for (const ViewDescriptor& view : views_) {
    MILLRACE_RETURN_IF_ERROR(WriteView(view, version, &partitions).WithContext("view " + view.name));
  }
  return partitions;
}

Status CellStage::WriteView(const ViewDescriptor& view, std::uint64_t version,
                            std::vector<ComputedPartition>* partitions) {
  MILLRACE_ASSIGN_OR_RETURN(const columnar::ViewColumns columns, columnar::ColumnsOfView(view));
  MILLRACE_ASSIGN_OR_RETURN(columnar::Connection connection, store_->database().Connect());
  return WriteCellFiles(connection, partitioning_,
                        {.view = view.name,
                         .columns = &columns,
                         .relation = columnar::QuoteIdentifier(view.name),
                         .folder = options_.folder,
                         .version = version},
                        partitions);
}

}  // namespace millrace::batch
