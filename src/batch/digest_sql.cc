#include "batch/digest_sql.h"

#include "columnar/column.h"

namespace millrace::batch {

namespace {

std::string Keys(const columnar::ViewColumns& columns) {
  std::string sql;
  for (const columnar::ViewColumn& column : columns.key) {
    sql += (sql.empty() ? "c." : ", c.") + columnar::QuoteIdentifier(column.name);
  }
  return sql;
}

std::string AllColumns(const columnar::ViewColumns& columns) {
  std::string sql = Keys(columns) + ", c.window_start, c.window_end";
  for (const columnar::ViewColumn& column : columns.value) sql += ", c." + columnar::QuoteIdentifier(column.name);
  return sql;
}

std::string Group(const columnar::ViewColumns& columns, const std::string& unit) {
  return "date_trunc('" + unit + "', c.window_end - INTERVAL 1 MICROSECOND) AS _partition, CAST(hash(" + Keys(columns) +
         ") % " + std::to_string(kDigestRanges) + " AS INTEGER) AS _range";
}

// An anti-join is hashed by its small side; NOT EXISTS would first make all cells distinct.
std::string From(const CellsSql& cells) {
  const std::string all = " FROM (" + cells.relation + ") AS c";
  return cells.late.empty() ? all : all + " ANTI JOIN (" + cells.late + ") AS _late ON " + cells.is_late;
}

}  // namespace

std::string DigestsSql(const columnar::ViewColumns& columns, const std::string& unit, const CellsSql& cells) {
  return "SELECT " + Group(columns, unit) + ", count(*) AS _cells, sum(CAST(hash(" + AllColumns(columns) +
         ") AS HUGEINT)) AS _digest" + From(cells) + " GROUP BY _partition, _range";
}

std::string CellsOfGroupsSql(const columnar::ViewColumns& columns, const std::string& unit, const CellsSql& cells,
                             const std::string& groups) {
  return "SELECT * FROM (SELECT " + Group(columns, unit) + ", " + AllColumns(columns) + From(cells) + ") SEMI JOIN (" +
         groups + ") USING (_partition, _range)";
}

}  // namespace millrace::batch
