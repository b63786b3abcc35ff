#include "cli/sql_rows.h"

#include <optional>
#include <utility>
#include <vector>

#include "base/status_macros.h"
#include "cli/row_writer.h"

namespace millrace::cli {

namespace {

RowColumn ColumnOf(const columnar::Column& column) {
  const std::string& type = column.sql_type;
  RowColumn result{.name = column.name};
  const bool is_nested = type.ends_with("]") || type.starts_with("STRUCT") || type.starts_with("MAP");
  if (is_nested) return result;
  for (const char* number : {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER",
                             "UBIGINT", "UHUGEINT", "FLOAT", "DOUBLE", "DECIMAL"}) {
    if (type.starts_with(number)) result.is_number = true;
  }
  if (result.is_number || type == "BOOLEAN") result.kind = CellKind::kLiteral;
  if (type.starts_with("TIMESTAMP")) result.kind = CellKind::kTime;
  return result;
}

// As `query` prints times and numbers, whatever DuckDB's own form of them is.
std::string CanonicalText(const RowColumn& column, std::string text) {
  if (column.is_number) {
    if (text == "nan") return "NaN";
    if (text == "inf" || text == "-inf") return text[0] == '-' ? "-Infinity" : "Infinity";
  }
  if (column.kind != CellKind::kTime) return text;
  if (text.ends_with("+00")) text.replace(text.size() - 3, 3, "Z");
  const StatusOr<Timestamp> time = Timestamp::Parse(text);
  return time.ok() ? time->ToString() : text;
}

}  // namespace

Status PrintSqlRows(columnar::Connection& connection, const std::string& statement, const std::string& format,
                    std::ostream& out) {
  MILLRACE_ASSIGN_OR_RETURN(columnar::Result result, connection.Query(statement));
  std::vector<RowColumn> columns;
  for (const columnar::Column& column : result.columns()) columns.push_back(ColumnOf(column));
  MILLRACE_ASSIGN_OR_RETURN(const auto writer, MakeRowWriter(format, columns, out));
  std::vector<RowCell> row(columns.size());
  while (true) {
    MILLRACE_ASSIGN_OR_RETURN(const bool more, result.Next());
    if (!more || !out) break;
    for (std::size_t i = 0; i < result.rows(); ++i) {
      for (std::size_t c = 0; c < columns.size(); ++c) {
        std::optional<std::string> text = result.Text(c, i);
        row[c].is_null = !text.has_value();
        row[c].text = text ? CanonicalText(columns[c], *std::move(text)) : "";
      }
      writer->Write(row);
    }
  }
  writer->Finish();
  return OkStatus();
}

}  // namespace millrace::cli
