// Takes the cells of a batch run and writes those of whole partitions to Parquet files, one for each view and
// partition.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "batch/partitioning.h"
#include "batch/store.h"
#include "columnar/database.h"
#include "millrace/io/view_sink.h"

namespace millrace::io_duckdb {
class DuckdbViewStore;
}

namespace millrace::batch {

/// What is staged, and where.
struct CellStageOptions {
  std::string folder;              // empty, for the files and what does not fit into memory
  TimeRange range;                 // whole partitions: cells of other windows are dropped
  std::vector<std::string> views;  // others are dropped, too
  int threads = 1;
  std::size_t memory_limit_mib = 2048;
};

/// A sink of one run in batch mode, without checkpoints. Thread safe, as a sink is.
class CellStage final : public ViewSink {
 public:
  static StatusOr<std::shared_ptr<CellStage>> Open(const Partitioning& partitioning, CellStageOptions options);
  ~CellStage() override;

  Status Declare(const ViewDescriptor& view) override;
  Status Write(std::string_view view, std::span<const Cell> cells) override;
  Status Finish() override;

  /// After the run: writes the files, sorted by key and window, with the columns of the view and `_version`. Each
  /// partition of the range is there, with or without cells.
  StatusOr<std::vector<ComputedPartition>> WriteFiles(std::uint64_t version);

 private:
  CellStage(const Partitioning& partitioning, CellStageOptions options);
  Status WriteView(const ViewDescriptor& view, std::uint64_t version, std::vector<ComputedPartition>* partitions);
  bool IsWanted(std::string_view view) const;

  const Partitioning partitioning_;
  const CellStageOptions options_;
  std::unique_ptr<io_duckdb::DuckdbViewStore> store_;
  std::vector<ViewDescriptor> views_;
};

}  // namespace millrace::batch
