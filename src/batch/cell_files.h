// The files of one view in a new version: of each partition one, sorted by key and window.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "batch/partitioning.h"
#include "batch/store.h"
#include "columnar/database.h"
#include "columnar/view_columns.h"

namespace millrace::batch {

/// The partitions of a range of whole ones, yet without views.
std::vector<ComputedPartition> PartitionsOf(const Partitioning& partitioning, const TimeRange& range);

/// Where the cells of a view are, and where their files go.
struct CellFiles {
  std::string view;
  const columnar::ViewColumns* columns = nullptr;
  std::string relation;  // SQL with the columns of the view, one row for each cell
  std::string folder;
  std::uint64_t version = 0;  // becomes the column `_version`
};

/// Writes the files of a view and adds it to each of the partitions, with or without cells. Cells of other partitions
/// are ignored.
Status WriteCellFiles(columnar::Connection& connection, const Partitioning& partitioning, const CellFiles& cells,
                      std::vector<ComputedPartition>* partitions);

}  // namespace millrace::batch
