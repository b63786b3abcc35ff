// Results and prepared statements: see database.h.
#include <strings.h>

#include <utility>

#include "columnar/column_encoder.h"
#include "columnar/database_impl.h"

namespace millrace::columnar {

StatusOr<Result> RunStatement(std::shared_ptr<SharedConnection> connection, StatementHandle owned,
                              duckdb_prepared_statement statement) {
  auto impl = std::make_unique<Result::Impl>();
  impl->connection = std::move(connection);
  impl->statement = std::move(owned);
  const std::string context = "database " + impl->connection->database->path;
  PendingHandle pending;
  // Deprecated in name only: there is no other way to a streamed result of a prepared statement in this version.
  if (duckdb_pending_prepared_streaming(statement, pending.Out()) != DuckDBSuccess) {
    return DuckdbError(duckdb_pending_error(pending.get())).WithContext(context);
  }
  impl->has_result = true;
  if (duckdb_execute_pending(pending.get(), &impl->result) != DuckDBSuccess) {
    const char* message = duckdb_result_error(&impl->result);
    return DuckdbError(duckdb_result_error_type(&impl->result), message == nullptr ? "no reason given" : message)
        .WithContext(context);
  }
  const idx_t columns = duckdb_column_count(&impl->result);
  for (idx_t i = 0; i < columns; ++i) {
    impl->types.emplace_back(duckdb_column_logical_type(&impl->result, i));
    impl->columns.push_back({duckdb_column_name(&impl->result, i), TypeText(impl->types.back().get())});
  }
  impl->decoders.resize(columns);
  return Result(std::move(impl));
}

Result::Result(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Result::Result(Result&&) noexcept = default;
Result& Result::operator=(Result&&) noexcept = default;
Result::~Result() = default;

const std::vector<Column>& Result::columns() const { return impl_->columns; }

std::optional<std::size_t> Result::FindColumn(std::string_view name) const {
  for (std::size_t i = 0; i < impl_->columns.size(); ++i) {
    const std::string& column = impl_->columns[i].name;
    if (column.size() == name.size() && strncasecmp(column.data(), name.data(), name.size()) == 0) return i;
  }
  return std::nullopt;
}

StatusOr<bool> Result::Next() {
  impl_->first_row += impl_->rows;
  impl_->rows = 0;
  while (true) {
    *impl_->chunk.Out() = duckdb_fetch_chunk(impl_->result);
    if (impl_->chunk.get() == nullptr) {
      const char* error = duckdb_result_error(&impl_->result);
      if (error == nullptr || *error == '\0') return false;
      return DuckdbError(duckdb_result_error_type(&impl_->result), error)
          .WithContext("database " + impl_->connection->database->path);
    }
    impl_->rows = duckdb_data_chunk_get_size(impl_->chunk.get());
    if (impl_->rows > 0) return true;
  }
}

std::size_t Result::rows() const { return impl_->rows; }

std::uint64_t Result::first_row() const { return impl_->first_row; }

Status Result::Bind(std::size_t column, const Type& type) {
  if (column >= impl_->columns.size()) {
    return InvalidArgumentError("the result has " + std::to_string(impl_->columns.size()) + " columns, not column " +
                                std::to_string(column));
  }
  StatusOr<ColumnDecoder> decoder = ColumnDecoder::Make(impl_->types[column].get(), type, impl_->columns[column].name);
  if (!decoder.ok()) return decoder.status();
  impl_->decoders[column] = std::make_unique<ColumnDecoder>(std::move(*decoder));
  return OkStatus();
}

void Result::Decode(std::size_t column, std::size_t first, std::size_t count, void* base, std::size_t stride,
                    std::vector<FieldIssue>* issues) {
  IssueCollector collector(issues);
  collector.SetRows(impl_->first_row + first);
  duckdb_vector vector = duckdb_data_chunk_get_vector(impl_->chunk.get(), column);
  impl_->decoders[column]->Decode(vector, first, count, base, stride, collector);
}

Status Result::BindStruct(const Schema& schema) {
  std::string problems;
  impl_->struct_fields.clear();
  for (const Field& field : schema.fields()) {
    std::optional<std::size_t> column = FindColumn(field.name);
    Status status = column ? Bind(*column, *field.type) : InvalidArgumentError("column " + field.name + " is missing");
    if (!status.ok()) problems += (problems.empty() ? "" : "; ") + status.message();
    if (column) impl_->struct_fields.emplace_back(*column, field.offset);
  }
  if (problems.empty()) return OkStatus();
  problems += "; the columns are";
  for (const Column& column : impl_->columns) problems += " " + column.name + " " + column.sql_type + ",";
  problems.back() = '.';
  return InvalidArgumentError(schema.name() + ": " + problems);
}

void Result::DecodeRows(std::size_t first, std::size_t count, void* base, std::size_t stride,
                        std::vector<FieldIssue>* issues) {
  for (const auto& [column, offset] : impl_->struct_fields) {
    Decode(column, first, count, static_cast<char*>(base) + offset, stride, issues);
  }
}

std::optional<std::string> Result::Text(std::size_t column, std::size_t row) const {
  duckdb_vector vector = duckdb_data_chunk_get_vector(impl_->chunk.get(), column);
  uint64_t* validity = duckdb_vector_get_validity(vector);
  if (validity != nullptr && !duckdb_validity_row_is_valid(validity, row)) return std::nullopt;
  return FormatValue(vector, impl_->types[column].get(), row);
}

Statement::Statement(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Statement::Statement(Statement&&) noexcept = default;
Statement& Statement::operator=(Statement&&) noexcept = default;
Statement::~Statement() = default;

std::size_t Statement::parameters() const { return duckdb_nparams(impl_->handle.get()); }

bool Statement::only_reads() const {
  const duckdb_statement_type type = duckdb_prepared_statement_type(impl_->handle.get());
  return type == DUCKDB_STATEMENT_TYPE_SELECT || type == DUCKDB_STATEMENT_TYPE_EXPLAIN;
}

Status Statement::BindInt64(std::size_t position, std::int64_t value) {
  if (duckdb_bind_int64(impl_->handle.get(), position, value) == DuckDBSuccess) return OkStatus();
  return InvalidArgumentError("the statement has no parameter " + std::to_string(position));
}

Status Statement::BindText(std::size_t position, std::string_view value) {
  if (duckdb_bind_varchar_length(impl_->handle.get(), position, value.data(), value.size()) == DuckDBSuccess) {
    return OkStatus();
  }
  return InvalidArgumentError("parameter " + std::to_string(position) + " does not exist or is no valid UTF-8");
}

StatusOr<Result> Statement::Query() { return RunStatement(impl_->connection, {}, impl_->handle.get()); }

Status Statement::Execute() {
  StatusOr<Result> result = Query();
  if (!result.ok()) return result.status();
  while (true) {
    StatusOr<bool> has_rows = result->Next();
    if (!has_rows.ok()) return has_rows.status();
    if (!*has_rows) return OkStatus();
  }
}

}  // namespace millrace::columnar
