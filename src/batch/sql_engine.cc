#include "batch/sql_engine.h"

#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "base/status_macros.h"
#include "columnar/database.h"
#include "columnar/view_columns.h"
#include "millrace/core/json.h"

namespace millrace::batch {

namespace {

using columnar::QuoteIdentifier;
using columnar::QuoteLiteral;

constexpr const char* kEventColumns =
    "\"partition\" INTEGER, \"offset\" BIGINT, publish_time TIMESTAMP, event_time TIMESTAMP, \"key\" VARCHAR, "
    "attributes MAP(VARCHAR, VARCHAR), data BLOB";
constexpr const char* kEventNames = "\"partition\", \"offset\", publish_time, event_time, \"key\", attributes, data";

// The database has no name that means anything to the author of a file.
Status WithoutDatabase(const Status& status) {
  constexpr std::string_view kContext = "database :memory:: ";
  if (!status.message().starts_with(kContext)) return status;
  return Status(status.code(), status.message().substr(kContext.size()));
}

Status OfFile(const SqlView& view, const Status& status) {
  return WithoutDatabase(status).WithContext("view " + view.view.name + ": SQL file " + view.path);
}

// Name and type of each column of the view.
StatusOr<std::vector<columnar::Column>> CellColumns(const columnar::ViewColumns& columns) {
  std::vector<columnar::Column> cells;
  const auto add = [&](const std::vector<columnar::ViewColumn>& part) -> Status {
    for (const columnar::ViewColumn& column : part) {
      MILLRACE_ASSIGN_OR_RETURN(std::string type, columnar::SqlType(*column.type));
      cells.push_back({column.name, std::move(type)});
    }
    return OkStatus();
  };
  MILLRACE_RETURN_IF_ERROR(add(columns.key));
  cells.push_back({"window_start", "TIMESTAMP"});
  cells.push_back({"window_end", "TIMESTAMP"});
  MILLRACE_RETURN_IF_ERROR(add(columns.value));
  return cells;
}

std::string TableSql(const columnar::ViewColumns& columns, const std::vector<columnar::Column>& cells) {
  std::map<std::string, bool> may_be_null;
  for (const auto* part : {&columns.key, &columns.value}) {
    for (const columnar::ViewColumn& column : *part) {
      may_be_null[column.name] = column.type->kind == FieldKind::kOptional;
    }
  }
  std::string sql;
  for (const columnar::Column& cell : cells) {
    sql += (sql.empty() ? "" : ", ") + QuoteIdentifier(cell.name) + " " + cell.sql_type;
    if (!may_be_null[cell.name]) sql += " NOT NULL";
  }
  return "CREATE OR REPLACE TEMP TABLE _view_cells (" + sql + ")";
}

class DuckdbSql final : public SqlEngine {
 public:
  DuckdbSql(columnar::Connection connection) : connection_(std::move(connection)) {}

  StatusOr<std::int64_t> Begin(const SqlInput& input) override {
    range_ = input.range;
    for (const SqlVariable& variable : input.variables) {
      MILLRACE_RETURN_IF_ERROR(SetVariable(variable).WithContext("option " + variable.name));
    }
    MILLRACE_RETURN_IF_ERROR(connection_.Execute("SET VARIABLE range_from = " + columnar::SqlTimestamp(range_.from) +
                                                 "; SET VARIABLE range_to = " + columnar::SqlTimestamp(range_.to)));
    MILLRACE_RETURN_IF_ERROR(connection_.Execute(EventsSql(input)));
    return connection_.QueryInt64("SELECT count(*) FROM events");
  }

  Status Compute(const SqlView& view, const std::string& parquet_path) override {
    MILLRACE_ASSIGN_OR_RETURN(const columnar::ViewColumns columns, columnar::ColumnsOfView(view.view));
    MILLRACE_ASSIGN_OR_RETURN(const std::vector<columnar::Column> cells, CellColumns(columns));
    MILLRACE_RETURN_IF_ERROR(connection_.Execute(TableSql(columns, cells)));
    if (const Status made = MakeCells(view.text, cells); !made.ok()) return OfFile(view, made);
    if (const Status checked = CheckCells(columns); !checked.ok()) return OfFile(view, checked);
    return connection_.Execute("COPY _view_cells TO " + QuoteLiteral(parquet_path) +
                               " (FORMAT parquet, COMPRESSION snappy); DROP VIEW _file_cells; DROP TABLE _view_cells");
  }

  void Interrupt() override { connection_.Interrupt(); }

 private:
  static std::string EventsSql(const SqlInput& input) {
    std::string files;
    for (const std::string& file : input.files) files += (files.empty() ? "" : ", ") + QuoteLiteral(file);
    if (files.empty()) return std::string("CREATE TEMP TABLE events (") + kEventColumns + ")";
    std::string cut;
    for (const std::int64_t offset : input.cut) cut += (cut.empty() ? "" : ", ") + std::to_string(offset);
    return std::string("CREATE TEMP VIEW events AS SELECT ") + kEventNames + " FROM read_parquet([" + files +
           "], hive_partitioning = false) WHERE event_time >= " + columnar::SqlTimestamp(input.event_times.from) +
           " AND event_time < " + columnar::SqlTimestamp(input.event_times.to) + " AND \"offset\" < [" + cut +
           "][\"partition\" + 1]";
  }

  Status SetVariable(const SqlVariable& variable) {
    const FieldKind kind = variable.type->kind;
    const bool is_json = kind == FieldKind::kList || kind == FieldKind::kMap || kind == FieldKind::kStruct;
    MILLRACE_ASSIGN_OR_RETURN(columnar::Statement statement,
                              connection_.Prepare("CREATE OR REPLACE TEMP TABLE _variable AS SELECT $1 AS value"));
    if (is_json) {
      std::string text;
      json::Append(*variable.type, variable.value, &text);
      MILLRACE_RETURN_IF_ERROR(statement.BindText(1, text));
    } else {
      MILLRACE_RETURN_IF_ERROR(statement.Bind(1, *variable.type, variable.value));
    }
    MILLRACE_RETURN_IF_ERROR(statement.Execute());
    return connection_.Execute("SET VARIABLE " + QuoteIdentifier(variable.name) + " = (SELECT value FROM _variable)");
  }

  // The columns of a relation, with the names that DuckDB has for their types.
  StatusOr<std::vector<columnar::Column>> ColumnsOf(const std::string& relation) {
    MILLRACE_ASSIGN_OR_RETURN(columnar::Result result,
                              connection_.Query("SELECT column_name, column_type FROM (DESCRIBE " + relation + ")"));
    std::vector<columnar::Column> columns;
    while (true) {
      MILLRACE_ASSIGN_OR_RETURN(const bool has_rows, result.Next());
      if (!has_rows) return columns;
      for (std::size_t row = 0; row < result.rows(); ++row) {
        columns.push_back({result.Text(0, row).value_or(""), result.Text(1, row).value_or("")});
      }
    }
  }

  Status MakeCells(const std::string& text, const std::vector<columnar::Column>& cells) {
    {
      MILLRACE_ASSIGN_OR_RETURN(const columnar::Statement statement, connection_.Prepare(text));
      if (!statement.only_reads()) return InvalidArgumentError("it is no SELECT; a file is one SELECT statement");
    }
    MILLRACE_RETURN_IF_ERROR(connection_.Execute("CREATE OR REPLACE TEMP VIEW _file_cells AS " + text));
    MILLRACE_RETURN_IF_ERROR(CheckColumns());
    std::string names;
    for (const columnar::Column& cell : cells) names += (names.empty() ? "" : ", ") + QuoteIdentifier(cell.name);
    // A window without an end is an error, not a cell of another range.
    return connection_.Execute("INSERT INTO _view_cells SELECT " + names + " FROM _file_cells WHERE (window_end > " +
                               columnar::SqlTimestamp(range_.from) +
                               " AND window_end <= " + columnar::SqlTimestamp(range_.to) + ") IS NOT FALSE");
  }

  Status CheckColumns() {
    MILLRACE_ASSIGN_OR_RETURN(const std::vector<columnar::Column> wanted, ColumnsOf("_view_cells"));
    MILLRACE_ASSIGN_OR_RETURN(const std::vector<columnar::Column> given, ColumnsOf("_file_cells"));
    std::map<std::string, std::string> types;
    for (const columnar::Column& column : given) types[column.name] = column.sql_type;
    std::string problems;
    for (const columnar::Column& column : wanted) {
      const auto found = types.find(column.name);
      if (found == types.end()) {
        problems += "; the column " + column.name + " (" + column.sql_type + ") is missing";
      } else if (found->second != column.sql_type) {
        problems += "; the column " + column.name + " is " + found->second + ", not " + column.sql_type + ": cast it";
      }
      types.erase(column.name);
    }
    for (const auto& [name, type] : types) problems += "; the view has no column " + name;
    return problems.empty() ? OkStatus() : InvalidArgumentError(problems.substr(2));
  }

  Status CheckCells(const columnar::ViewColumns& columns) {
    MILLRACE_RETURN_IF_ERROR(CheckNone("window_start >= window_end", "a window ends at its start or before it"));
    std::string cell;
    for (const columnar::ViewColumn& column : columns.key) cell += QuoteIdentifier(column.name) + ", ";
    cell += "window_start, window_end";
    MILLRACE_ASSIGN_OR_RETURN(
        columnar::Result result,
        connection_.Query("SELECT CAST(struct_pack(" + Members(columns) + ") AS VARCHAR) FROM _view_cells GROUP BY " +
                          cell + " HAVING count(*) > 1 ORDER BY ALL LIMIT 1"));
    MILLRACE_ASSIGN_OR_RETURN(const bool has_rows, result.Next());
    if (!has_rows) return OkStatus();
    return InvalidArgumentError("it gives the cell " + result.Text(0, 0).value_or("") + " more than once");
  }

  Status CheckNone(const std::string& condition, const std::string& what) {
    MILLRACE_ASSIGN_OR_RETURN(const std::int64_t count,
                              connection_.QueryInt64("SELECT count(*) FROM _view_cells WHERE " + condition));
    return count == 0 ? OkStatus() : InvalidArgumentError(what + " in " + std::to_string(count) + " rows");
  }

  static std::string Members(const columnar::ViewColumns& columns) {
    std::string members;
    for (const columnar::ViewColumn& column : columns.key) {
      members += QuoteIdentifier(column.name) + " := " + QuoteIdentifier(column.name) + ", ";
    }
    return members + "window_start := window_start, window_end := window_end";
  }

  columnar::Connection connection_;
  TimeRange range_;
};

}  // namespace

StatusOr<std::unique_ptr<SqlEngine>> OpenDuckdbSql(const DuckdbSqlOptions& options) {
  MILLRACE_ASSIGN_OR_RETURN(const columnar::Database database,
                            columnar::Database::Open({.threads = options.threads,
                                                      .memory_limit_mib = options.memory_limit_mib,
                                                      .temp_directory = options.folder + "/duckdb"}));
  MILLRACE_ASSIGN_OR_RETURN(columnar::Connection connection, database.Connect());
  return std::unique_ptr<SqlEngine>(std::make_unique<DuckdbSql>(std::move(connection)));
}

}  // namespace millrace::batch
