#include "batch/cell_files.h"

#include "base/status_macros.h"

namespace millrace::batch {

using columnar::QuoteIdentifier;
using columnar::QuoteLiteral;

std::vector<ComputedPartition> PartitionsOf(const Partitioning& partitioning, const TimeRange& range) {
  std::vector<ComputedPartition> partitions;
  for (Timestamp from = range.from; from < range.to; from += partitioning.every()) partitions.push_back({.from = from});
  return partitions;
}

// Sorted once, so that each partition is one run of rows.
Status WriteCellFiles(columnar::Connection& connection, const Partitioning& partitioning, const CellFiles& cells,
                      std::vector<ComputedPartition>* partitions) {
  std::string keys;
  for (const columnar::ViewColumn& column : cells.columns->key) keys += QuoteIdentifier(column.name) + ", ";
  MILLRACE_RETURN_IF_ERROR(connection.Execute(
      "CREATE OR REPLACE TEMP TABLE _sorted AS SELECT date_trunc('" + partitioning.unit() +
      "', window_end - INTERVAL 1 MICROSECOND) AS _partition, *, " + std::to_string(cells.version) +
      "::UBIGINT AS _version FROM " + cells.relation + " ORDER BY _partition, " + keys + "window_start, window_end"));
  for (ComputedPartition& partition : *partitions) {
    ComputedPartition::View& written = partition.views.emplace_back();
    written.view = cells.view;
    const std::string rows = " FROM _sorted WHERE _partition = " + columnar::SqlTimestamp(partition.from);
    MILLRACE_ASSIGN_OR_RETURN(written.rows, connection.QueryInt64("SELECT count(*)" + rows));
    if (written.rows == 0) continue;
    written.staged = cells.folder + "/" + cells.view + "-" + partitioning.NameOf(partition.from) + ".parquet";
    MILLRACE_RETURN_IF_ERROR(connection.Execute("COPY (SELECT * EXCLUDE (_partition)" + rows + ") TO " +
                                                QuoteLiteral(written.staged) + " (FORMAT parquet, COMPRESSION zstd)"));
  }
  return connection.Execute("DROP TABLE _sorted");
}

}  // namespace millrace::batch
