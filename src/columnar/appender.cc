// The appender by data chunks: see database.h.
#include <algorithm>
#include <utility>

#include "columnar/column_encoder.h"
#include "columnar/database_impl.h"

namespace millrace::columnar {
namespace {

Status AppenderError(duckdb_appender appender, const std::string& table, const std::string& path) {
  duckdb_error_data error = duckdb_appender_error_data(appender);
  const char* message = duckdb_error_data_message(error);
  Status status = DuckdbError(duckdb_error_data_error_type(error), message == nullptr ? "no reason given" : message);
  duckdb_destroy_error_data(&error);
  return status.WithContext("database " + path + ", table " + table);
}

// Checks the table's columns against those to be written and lists all that does not fit.
Status CheckColumns(duckdb_appender appender, const std::string& table, const std::vector<ColumnSpec>& columns,
                    std::vector<LogicalTypeHandle>& types) {
  const std::size_t found = duckdb_appender_column_count(appender);
  if (found != columns.size()) {
    return InvalidArgumentError("table " + table + " has " + std::to_string(found) + " columns, the rows have " +
                                std::to_string(columns.size()));
  }
  std::string problems;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    types.emplace_back(duckdb_appender_column_type(appender, i));
    Status status = CheckEncodable(types.back().get(), *columns[i].type);
    if (!status.ok()) problems += (problems.empty() ? "" : "; ") + columns[i].name + ": " + status.message();
  }
  return problems.empty() ? OkStatus() : InvalidArgumentError("table " + table + ", column " + problems);
}

}  // namespace

StatusOr<Appender> Connection::Append(const std::string& schema, const std::string& table,
                                      const std::vector<ColumnSpec>& columns) {
  auto impl = std::make_unique<Appender::Impl>();
  impl->connection = impl_->connection;
  impl->table = schema.empty() ? table : schema + "." + table;
  impl->columns = columns;
  if (duckdb_appender_create(impl_->connection->handle.get(), schema.empty() ? nullptr : schema.c_str(), table.c_str(),
                             &impl->handle) != DuckDBSuccess) {
    return AppenderError(impl->handle, impl->table, impl_->connection->database->path);
  }
  std::vector<LogicalTypeHandle> types;
  Status status = CheckColumns(impl->handle, impl->table, columns, types);
  if (!status.ok()) return status;
  std::vector<duckdb_logical_type> raw_types;
  for (const LogicalTypeHandle& type : types) raw_types.push_back(type.get());
  *impl->chunk.Out() = duckdb_create_data_chunk(raw_types.data(), raw_types.size());
  return Appender(std::move(impl));
}

Appender::Appender(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Appender::Appender(Appender&&) noexcept = default;
Appender& Appender::operator=(Appender&&) noexcept = default;
Appender::~Appender() = default;

Status Appender::Append(const std::vector<ColumnSource>& sources, std::size_t count) {
  if (sources.size() != impl_->columns.size()) {
    return InvalidArgumentError("table " + impl_->table + " needs " + std::to_string(impl_->columns.size()) +
                                " columns, not " + std::to_string(sources.size()));
  }
  for (std::size_t first = 0; first < count; first += kChunkRowsMax) {
    const std::size_t rows = std::min(kChunkRowsMax, count - first);
    duckdb_data_chunk_reset(impl_->chunk.get());
    for (std::size_t i = 0; i < sources.size(); ++i) {
      duckdb_vector vector = duckdb_data_chunk_get_vector(impl_->chunk.get(), i);
      Status status = EncodeColumn(vector, *impl_->columns[i].type, sources[i], first, rows, 0);
      if (!status.ok()) {
        return status.WithContext("table " + impl_->table + ", column " + impl_->columns[i].name + ", rows from " +
                                  std::to_string(first));
      }
    }
    duckdb_data_chunk_set_size(impl_->chunk.get(), rows);
    if (duckdb_append_data_chunk(impl_->handle, impl_->chunk.get()) != DuckDBSuccess) {
      return AppenderError(impl_->handle, impl_->table, impl_->connection->database->path);
    }
  }
  return OkStatus();
}

Status Appender::Flush() {
  if (duckdb_appender_flush(impl_->handle) == DuckDBSuccess) return OkStatus();
  return AppenderError(impl_->handle, impl_->table, impl_->connection->database->path);
}

}  // namespace millrace::columnar
