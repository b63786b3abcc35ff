#include "io/duckdb/view_sql.h"

#include <algorithm>

#include "millrace/core/timestamp.h"

namespace millrace::io_duckdb {
namespace {

using columnar::QuoteIdentifier;
using columnar::ViewColumn;
using columnar::ViewColumns;

std::string CellTable(const std::string& name) {
  return QuoteIdentifier(kInternalSchema) + "." + QuoteIdentifier(name);
}

std::string Names(const std::vector<ViewColumn>& columns) {
  std::string sql;
  for (const ViewColumn& column : columns) sql += (sql.empty() ? "" : ", ") + QuoteIdentifier(column.name);
  return sql;
}

// Equal for equal cells; NULL, -0.0 and NaN as GROUP BY has them.
std::string CellHash(const ViewColumns& columns) {
  return "hash(" + Names(columns.key) + ", window_start, window_end)";
}

std::string Rank(const ViewColumns& columns) {
  return "row_number() OVER (PARTITION BY " + Names(columns.key) +
         ", window_start, window_end ORDER BY _generation DESC, _attempt DESC, _pane DESC, _epoch DESC, rowid DESC) AS "
         "_rank";
}

constexpr const char* kVersionColumns = ", _generation, _attempt, _pane, _timing, _final";

// The end of time on either side is NULL.
constexpr const char* kStart = "coalesce(window_start, TIMESTAMP '-infinity')";
constexpr const char* kEnd = "coalesce(window_end, TIMESTAMP 'infinity')";

// The greatest end of the key's windows that begin no later: a window that ends no later than that lies within another.
std::string CoveredUntil(const ViewColumns& columns) {
  return "max(" + std::string(kEnd) + ") OVER (PARTITION BY " + Names(columns.key) + " ORDER BY " + kStart + ", " +
         kEnd + " DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS _covered_until";
}

// The FROM and WHERE of the newest cells of `source`, a table with the conditions that a cell must meet. Of sessions
// those are left out that were merged away.
std::string Newest(const std::string& source, const ViewColumns& columns, CellTableState state) {
  if (state == CellTableState::kNewestOnly) return " FROM (SELECT * FROM " + source + ") WHERE NOT _removed";
  const std::string newest =
      " FROM (SELECT *, " + Rank(columns) + " FROM " + source + ") WHERE _rank = 1 AND NOT _removed";
  if (!columns.merges_windows) return newest;
  return " FROM (SELECT *, " + CoveredUntil(columns) + newest + ") WHERE (_covered_until IS NULL OR _covered_until < " +
         kEnd + ")";
}

// The object that an optional holds, or null; other objects as they are.
Parameter ParameterOf(const ViewColumn& column, const void* key) {
  const void* value = static_cast<const char*>(key) + column.offset;
  if (column.type->kind != FieldKind::kOptional) return {column.type, value};
  return {column.type->element, column.type->optional_get(value)};
}

// Collects parameters and gives their places.
class Conditions {
 public:
  explicit Conditions(std::vector<Parameter>& parameters) : parameters_(parameters) {}

  void Add(const std::string& condition) { sql_ += (sql_.empty() ? " WHERE " : " AND ") + condition; }
  std::string Place(const Parameter& parameter) {
    parameters_.push_back(parameter);
    return "$" + std::to_string(parameters_.size());
  }
  const std::string& sql() const { return sql_; }
  /// To follow other conditions.
  std::string AndSql() const { return sql_.empty() ? "" : " AND " + sql_.substr(std::string_view(" WHERE ").size()); }

 private:
  std::vector<Parameter>& parameters_;
  std::string sql_;
};

std::string Equals(Conditions& conditions, const ViewColumn& column, const void* key) {
  const Parameter parameter = ParameterOf(column, key);
  if (parameter.value == nullptr) return QuoteIdentifier(column.name) + " IS NULL";
  return QuoteIdentifier(column.name) + " = " + conditions.Place(parameter);
}

// NULL comes before all values, as in the order of reads.
std::string Less(Conditions& conditions, const ViewColumn& column, const void* key, bool is_greater) {
  const Parameter parameter = ParameterOf(column, key);
  const std::string name = QuoteIdentifier(column.name);
  if (parameter.value == nullptr) return is_greater ? name + " IS NOT NULL" : "false";
  const std::string place = conditions.Place(parameter);
  return is_greater ? name + " > " + place : "(" + name + " IS NULL OR " + name + " < " + place + ")";
}

// The lexicographic comparison of the key columns with `key`; equal keys satisfy the lower bound only.
std::string Bound(Conditions& conditions, const std::vector<ViewColumn>& columns, const void* key, bool is_lower) {
  std::string sql = is_lower ? "true" : "false";
  for (std::size_t i = columns.size(); i-- > 0;) {
    const std::string strict = Less(conditions, columns[i], key, is_lower);
    const std::string equal = Equals(conditions, columns[i], key);
    sql = "(" + strict + " OR (" + equal + " AND " + sql + "))";
  }
  return sql;
}

void AddWindowConditions(const ViewQuery& query, Conditions& conditions) {
  const char* start = query.is_exact_window ? " = " : " >= ";
  const char* end = query.is_exact_window ? " = " : " <= ";
  if (query.starts_from != Timestamp::Min()) {
    conditions.Add("window_start" + std::string(start) + conditions.Place({&TypeOf<Timestamp>(), &query.starts_from}));
  } else if (query.is_exact_window) {
    conditions.Add("window_start IS NULL");
  }
  if (query.ends_by != Timestamp::Max()) {
    conditions.Add("window_end" + std::string(end) + conditions.Place({&TypeOf<Timestamp>(), &query.ends_by}));
  } else if (query.is_exact_window) {
    conditions.Add("window_end IS NULL");
  }
}

}  // namespace

std::vector<columnar::ColumnSpec> CellTableColumns(const ViewColumns& columns) {
  std::vector<columnar::ColumnSpec> table;
  for (const ViewColumn& column : columns.key) table.push_back({column.name, column.type});
  table.push_back({"window_start", &TypeOf<Timestamp>()});
  table.push_back({"window_end", &TypeOf<Timestamp>()});
  for (const ViewColumn& column : columns.value) table.push_back({column.name, column.type});
  table.push_back({"_generation", &TypeOf<std::uint64_t>()});
  table.push_back({"_attempt", &TypeOf<std::uint64_t>()});
  table.push_back({"_pane", &TypeOf<std::uint64_t>()});
  table.push_back({"_timing", &TypeOf<std::uint8_t>()});
  table.push_back({"_final", &TypeOf<bool>()});
  table.push_back({"_removed", &TypeOf<bool>()});
  table.push_back({"_epoch", &TypeOf<std::uint64_t>()});
  return table;
}

StatusOr<std::string> CreateViewSql(const std::string& name, const ViewColumns& columns) {
  std::string table = "CREATE TABLE " + CellTable(name) + " (";
  for (const columnar::ColumnSpec& column : CellTableColumns(columns)) {
    StatusOr<std::string> type = columnar::SqlType(*column.type);
    if (!type.ok()) return type.status().WithContext("view " + name + ", column " + column.name);
    table += (table.back() == '(' ? "" : ", ") + QuoteIdentifier(column.name) + " " + *type;
  }
  return table + "); " + ViewSql(name, columns, CellTableState::kAnyVersions);
}

std::string ViewSql(const std::string& name, const ViewColumns& columns, CellTableState state) {
  return "CREATE OR REPLACE VIEW " + QuoteIdentifier(name) + " AS SELECT " + Names(columns.key) +
         ", window_start, window_end, " + Names(columns.value) + Newest(CellTable(name), columns, state);
}

std::string NewestCellsSql(const std::string& name, const ViewColumns& columns, const std::string& condition) {
  return "SELECT " + Names(columns.key) + ", window_start, window_end, " + Names(columns.value) + kVersionColumns +
         Newest(CellTable(name) + " WHERE " + condition, columns, CellTableState::kAnyVersions);
}

std::string CompactSql(const std::string& name, const ViewColumns& columns) {
  const std::string table = CellTable(name);
  const std::string hash = CellHash(columns);
  const std::string superseded = "DELETE FROM " + table + " WHERE rowid IN (SELECT _row FROM (SELECT rowid AS _row, " +
                                 Rank(columns) + " FROM " + table + " WHERE " + hash + " IN (SELECT " + hash +
                                 " FROM " + table + " GROUP BY ALL HAVING count(*) > 1)) WHERE _rank > 1)";
  if (!columns.merges_windows) return superseded;
  return superseded + "; DELETE FROM " + table + " WHERE rowid IN (SELECT _row FROM (SELECT *, " +
         CoveredUntil(columns) + " FROM (SELECT *, rowid AS _row, " + Rank(columns) + " FROM " + table +
         ") WHERE _rank = 1 AND NOT _removed) WHERE _covered_until >= " + kEnd + ")";
}

std::string ReadSql(const ViewQuery& query, const ViewColumns& columns, CellTableState state,
                    std::vector<Parameter>& parameters) {
  Conditions conditions(parameters);
  if (query.key != nullptr) {
    for (std::size_t i = 0; i < std::min(query.key_columns, columns.key.size()); ++i) {
      conditions.Add(Equals(conditions, columns.key[i], query.key));
    }
  }
  if (query.key_from != nullptr) conditions.Add(Bound(conditions, columns.key, query.key_from, true));
  if (query.key_to != nullptr) conditions.Add(Bound(conditions, columns.key, query.key_to, false));
  // Which sessions were merged away is seen at all of a key's windows.
  const bool windows_last = columns.merges_windows && state == CellTableState::kAnyVersions;
  Conditions window_conditions(parameters);
  AddWindowConditions(query, windows_last ? window_conditions : conditions);
  std::string order;
  for (const ViewColumn& column : columns.key) order += QuoteIdentifier(column.name) + " NULLS FIRST, ";
  std::string sql = "SELECT " + Names(columns.key) + ", window_start, window_end, " + Names(columns.value) +
                    kVersionColumns + Newest(CellTable(query.view) + conditions.sql(), columns, state) +
                    window_conditions.AndSql() + " ORDER BY " + order +
                    "window_start NULLS FIRST, window_end NULLS LAST";
  constexpr std::size_t kSqlLimitMax = std::size_t{1} << 62;
  if (query.limit < kSqlLimitMax) sql += " LIMIT " + std::to_string(query.limit);
  return sql;
}

}  // namespace millrace::io_duckdb
