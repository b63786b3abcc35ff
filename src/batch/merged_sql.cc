#include "batch/merged_sql.h"

#include "base/status_macros.h"
#include "columnar/database.h"
#include "io/duckdb/view_sql.h"

namespace millrace::batch {

namespace {

std::string Columns(const columnar::ViewColumns& columns) {
  std::string sql;
  for (const columnar::ViewColumn& column : columns.key) sql += columnar::QuoteIdentifier(column.name) + ", ";
  sql += "window_start, window_end";
  for (const columnar::ViewColumn& column : columns.value) sql += ", " + columnar::QuoteIdentifier(column.name);
  return sql;
}

std::string FilesOf(const std::string& view, const std::string& folder, const Snapshot& snapshot) {
  std::string files;
  for (const Snapshot::Entry& entry : snapshot.entries) {
    const ViewFile* file = entry.version->Find(view);
    if (file == nullptr || file->path.empty()) continue;
    files += (files.empty() ? "" : ", ") + columnar::QuoteLiteral(folder + "/" + file->path);
  }
  return files;
}

}  // namespace

StatusOr<std::string> SnapshotSql(const std::string& view, const columnar::ViewColumns& columns,
                                  const std::string& folder, const Snapshot& snapshot, const std::string& condition) {
  const std::string files = FilesOf(view, folder, snapshot);
  if (!files.empty()) {
    return "SELECT * FROM read_parquet([" + files + "], hive_partitioning = false) WHERE " + condition;
  }
  std::string nothing;
  const auto add = [&](const columnar::ViewColumn& column) -> Status {
    MILLRACE_ASSIGN_OR_RETURN(const std::string type, columnar::SqlType(*column.type));
    nothing += "CAST(NULL AS " + type + ") AS " + columnar::QuoteIdentifier(column.name) + ", ";
    return OkStatus();
  };
  for (const columnar::ViewColumn& column : columns.key) MILLRACE_RETURN_IF_ERROR(add(column));
  nothing += "CAST(NULL AS TIMESTAMP) AS window_start, CAST(NULL AS TIMESTAMP) AS window_end, ";
  for (const columnar::ViewColumn& column : columns.value) MILLRACE_RETURN_IF_ERROR(add(column));
  return "SELECT " + nothing + "CAST(NULL AS UBIGINT) AS _version WHERE false";
}

std::string MergedSql(const std::string& view, const columnar::ViewColumns& columns, const std::string& folder,
                      const Snapshot& snapshot) {
  const std::string names = Columns(columns);
  const std::string files = FilesOf(view, folder, snapshot);
  std::string is_speed = "true";
  if (!snapshot.empty()) {
    is_speed = "(window_end <= " + columnar::SqlTimestamp(snapshot.range.from) + " OR window_end > " +
               columnar::SqlTimestamp(snapshot.range.to) + ")";
  }
  const std::string speed = "SELECT " + names +
                            ", 'speed' AS _source, CAST(NULL AS UBIGINT) AS _version, _pane, _final FROM (" +
                            io_duckdb::NewestCellsSql(view, columns, is_speed) + ")";
  if (files.empty()) return speed;
  // Partitions are a run of days, but a view may have none in some of them.
  return "SELECT " + names + ", 'batch' AS _source, _version, CAST(NULL AS UBIGINT) AS _pane, true AS _final FROM " +
         "read_parquet([" + files + "], hive_partitioning = false) UNION ALL " + speed;
}

}  // namespace millrace::batch
