#include "columnar/database.h"

#include <sys/stat.h>

#include <array>
#include <utility>

#include "columnar/database_impl.h"

namespace millrace::columnar {
namespace {

Status SetOptions(const DatabaseOptions& options, ConfigHandle& config) {
  const std::array<std::pair<const char*, std::string>, 8> settings = {{
      {"threads", std::to_string(options.threads < 1 ? 1 : options.threads)},
      {"memory_limit", std::to_string(options.memory_limit_mib) + "MiB"},
      {"temp_directory", options.temp_directory},
      {"access_mode", options.is_read_only ? "READ_ONLY" : "AUTOMATIC"},
      {"autoinstall_known_extensions", "false"},
      {"autoload_known_extensions", "false"},
      {"allow_community_extensions", "false"},
      {"enable_external_file_cache", "false"},
  }};
  for (const auto& [name, value] : settings) {
    if (std::string_view(name) == "temp_directory" && value.empty()) continue;
    if (duckdb_set_config(config.get(), name, value.c_str()) != DuckDBSuccess) {
      return InternalError(std::string("this DuckDB library does not accept the setting ") + name + "=" + value +
                           "; Millrace needs version 1.5.6");
    }
  }
  return OkStatus();
}

bool Has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

Status OpenError(const std::string& path, const std::string& message) {
  if (Has(message, "Could not set lock") || Has(message, "Conflicting lock")) {
    return FailedPreconditionError("database file " + path +
                                   " is held by another process; send the query to that process (a running Millrace "
                                   "server answers queries), or stop it first. DuckDB says: " +
                                   message);
  }
  if (Has(message, "Permission denied")) return PermissionDeniedError("database file " + path + ": " + message);
  if (Has(message, "No space left")) return ResourceExhaustedError("database file " + path + ": " + message);
  if (Has(message, "No such file") || Has(message, "does not exist")) {
    return NotFoundError("database file " + path + ": its folder or the file is missing. DuckDB says: " + message);
  }
  return DataLossError("database file " + path +
                       " is damaged or no DuckDB database; restore it from a copy, or remove it (with its .wal file) "
                       "and rebuild it by replay. DuckDB says: " +
                       message);
}

}  // namespace

StatusOr<Database> Database::Open(const DatabaseOptions& options) {
  ConfigHandle config;
  if (duckdb_create_config(config.Out()) != DuckDBSuccess) return ResourceExhaustedError("no memory for a database");
  Status status = SetOptions(options, config);
  if (!status.ok()) return status;
  struct stat info{};
  // DuckDB takes a short file for a new database and would overwrite it.
  if (!options.path.empty() && stat(options.path.c_str(), &info) == 0 && info.st_size > 0 && info.st_size < 4096) {
    return OpenError(options.path, "the file has only " + std::to_string(info.st_size) + " bytes");
  }
  auto impl = std::make_shared<Impl>();
  impl->path = options.path.empty() ? ":memory:" : options.path;
  char* error = nullptr;
  const char* path = options.path.empty() ? nullptr : options.path.c_str();
  if (duckdb_open_ext(path, impl->handle.Out(), config.get(), &error) != DuckDBSuccess) {
    return OpenError(impl->path, TakeString(error));
  }
  return Database(std::move(impl));
}

StatusOr<Connection> Database::Connect() const {
  auto shared = std::make_shared<SharedConnection>();
  shared->database = impl_;
  if (duckdb_connect(impl_->handle.get(), shared->handle.Out()) != DuckDBSuccess) {
    return ResourceExhaustedError("database " + impl_->path + " gives no connection");
  }
  auto connection = std::make_unique<Connection::Impl>();
  connection->connection = std::move(shared);
  return Connection(std::move(connection));
}

const std::string& Database::path() const { return impl_->path; }

Connection::Connection(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Connection::Connection(Connection&&) noexcept = default;
Connection& Connection::operator=(Connection&&) noexcept = default;
Connection::~Connection() = default;

Status Connection::Execute(const std::string& sql) {
  duckdb_result result{};
  const bool is_ok = duckdb_query(impl_->connection->handle.get(), sql.c_str(), &result) == DuckDBSuccess;
  Status status;
  if (!is_ok) {
    const char* message = duckdb_result_error(&result);
    status = DuckdbError(duckdb_result_error_type(&result), message == nullptr ? "DuckDB gave no reason" : message)
                 .WithContext("database " + impl_->connection->database->path);
  }
  duckdb_destroy_result(&result);
  return status;
}

StatusOr<Result> Connection::Query(const std::string& sql) {
  StatementHandle prepared;
  if (duckdb_prepare(impl_->connection->handle.get(), sql.c_str(), prepared.Out()) != DuckDBSuccess) {
    return DuckdbError(duckdb_prepare_error(prepared.get()))
        .WithContext("database " + impl_->connection->database->path);
  }
  duckdb_prepared_statement raw = prepared.get();
  return RunStatement(impl_->connection, std::move(prepared), raw);
}

StatusOr<std::int64_t> Connection::QueryInt64(const std::string& sql) {
  static const Type kInt64{.kind = FieldKind::kInt64, .size = sizeof(std::int64_t)};
  StatusOr<Result> result = Query(sql);
  if (!result.ok()) return result.status();
  Status status = result->Bind(0, kInt64);
  if (!status.ok()) return status;
  StatusOr<bool> has_rows = result->Next();
  if (!has_rows.ok()) return has_rows.status();
  std::int64_t value = 0;
  std::vector<FieldIssue> issues;
  if (*has_rows) result->Decode(0, 0, 1, &value, 0, &issues);
  if (!*has_rows || !issues.empty()) return NotFoundError("the query gives no number: " + sql);
  return value;
}

StatusOr<Statement> Connection::Prepare(const std::string& sql) {
  auto statement = std::make_unique<Statement::Impl>();
  statement->connection = impl_->connection;
  if (duckdb_prepare(impl_->connection->handle.get(), sql.c_str(), statement->handle.Out()) != DuckDBSuccess) {
    return DuckdbError(duckdb_prepare_error(statement->handle.get()))
        .WithContext("database " + impl_->connection->database->path);
  }
  return Statement(std::move(statement));
}

void Connection::Interrupt() { duckdb_interrupt(impl_->connection->handle.get()); }

}  // namespace millrace::columnar
