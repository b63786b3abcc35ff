// The SQL of a view's tables. Internal to this room; the layout is described in docs/formats/views.md.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "columnar/column.h"
#include "columnar/database.h"
#include "columnar/view_columns.h"
#include "millrace/io/view_store.h"

namespace millrace::io_duckdb {

/// The schema that holds the tables of cells and the store's own tables.
inline constexpr const char* kInternalSchema = "millrace";

/// The columns of the table of cells, in order: key, window, value, version and the rest.
std::vector<columnar::ColumnSpec> CellTableColumns(const columnar::ViewColumns& columns);

/// What a table of cells holds: superseded versions too, or, after a compaction, no cell twice.
enum class CellTableState : std::uint8_t { kAnyVersions, kNewestOnly };

/// Makes the table of cells and the SQL view over it, which ranks versions.
StatusOr<std::string> CreateViewSql(const std::string& name, const columnar::ViewColumns& columns);

/// Replaces the SQL view of the newest cells. That of a table in the state `kNewestOnly` does without ranking: a full
/// read costs about as much as one of the table.
std::string ViewSql(const std::string& name, const columnar::ViewColumns& columns, CellTableState state);

/// Deletes all but the newest version of each cell, and sessions that were merged away. Cells with one version are
/// hashed and not ranked.
std::string CompactSql(const std::string& name, const columnar::ViewColumns& columns);

/// Selects the newest cells of a table that may hold any versions, of those that meet a condition on key and window
/// (SQL; it is applied before versions are ranked): the columns as `ReadSql`, in no order.
std::string NewestCellsSql(const std::string& name, const columnar::ViewColumns& columns, const std::string& condition);

/// A value that takes the place of a parameter of a statement.
struct Parameter {
  const Type* type = nullptr;
  const void* value = nullptr;
};

/// Selects the newest cells for a query: the key columns, window_start, window_end, the value columns, _generation,
/// _attempt, _pane, _timing, _final; the parameters are added in order.
std::string ReadSql(const ViewQuery& query, const columnar::ViewColumns& columns, CellTableState state,
                    std::vector<Parameter>& parameters);

}  // namespace millrace::io_duckdb
