#include "columnar/parquet_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <optional>
#include <system_error>

namespace millrace::columnar {
namespace {

Status FileError(const std::string& path, const std::string& action, int error) {
  std::string message = "Parquet file " + path + ": " + action + ": " + std::strerror(error);
  if (error == ENOSPC || error == EDQUOT || error == EFBIG) {
    return ResourceExhaustedError(message + "; free some space and write it again");
  }
  if (error == ENOENT) return NotFoundError(message);
  if (error == EACCES || error == EPERM) return PermissionDeniedError(message);
  return UnavailableError(message);
}

Status Sync(const std::string& path, const std::string& what) {
  const int file = open(what.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return FileError(path, "opening " + what, errno);
  const bool is_synced = fsync(file) == 0;
  const int error = errno;
  close(file);
  return is_synced ? OkStatus() : FileError(path, "syncing " + what, error);
}

std::string FolderOf(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

std::string TemporaryName(const std::string& path) {
  static std::atomic<unsigned> next = 0;
  return path + ".partial-" + std::to_string(getpid()) + "-" + std::to_string(next++);
}

Status AlreadyExists(const std::string& path) {
  return AlreadyExistsError("Parquet file " + path + " exists; choose another name or allow overwriting");
}

}  // namespace

struct ParquetWriter::Impl {
  ~Impl() {
    appender.reset();
    connection.reset();
    database.reset();
    std::error_code ignored;
    std::filesystem::remove(temporary, ignored);
    std::filesystem::remove_all(spill, ignored);
  }

  std::string path;
  std::string temporary;
  std::string spill;
  const Schema* schema = nullptr;
  ParquetWriteOptions options;
  std::optional<Database> database;
  std::optional<Connection> connection;
  std::optional<Appender> appender;
  std::uint64_t row_count = 0;
  bool is_closed = false;

  Status CreateTable() {
    std::string sql = "CREATE TABLE rows (";
    for (const Field& field : schema->fields()) {
      StatusOr<std::string> type = SqlType(*field.type);
      if (!type.ok()) return type.status().WithContext("field " + field.name);
      sql += (sql.back() == '(' ? "" : ", ") + QuoteIdentifier(field.name) + " " + *type;
    }
    Status status = connection->Execute(sql + ")");
    if (!status.ok()) return status;
    StatusOr<Appender> opened = connection->Append("", "rows", ColumnsOf(*schema));
    if (!opened.ok()) return opened.status();
    appender.emplace(std::move(*opened));
    return OkStatus();
  }

  std::string CopyCommand() const {
    std::string sql = "COPY rows TO " + QuoteLiteral(temporary) +
                      " (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE " + std::to_string(options.row_group_rows);
    if (!options.metadata.empty()) {
      sql += ", KV_METADATA {";
      for (const auto& [key, value] : options.metadata) {
        sql += (sql.back() == '{' ? "" : ", ") + QuoteIdentifier(key) + ": " + QuoteLiteral(value);
      }
      sql += "}";
    }
    return sql + ")";
  }
};

ParquetWriter::ParquetWriter(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ParquetWriter::ParquetWriter(ParquetWriter&&) noexcept = default;
ParquetWriter& ParquetWriter::operator=(ParquetWriter&&) noexcept = default;
ParquetWriter::~ParquetWriter() = default;

StatusOr<ParquetWriter> ParquetWriter::Open(const std::string& path, const Schema& schema,
                                            const ParquetWriteOptions& options) {
  if (!std::filesystem::is_directory(FolderOf(path))) {
    return NotFoundError("Parquet file " + path + ": its folder does not exist; make it first");
  }
  if (!options.overwrite && std::filesystem::exists(path)) return AlreadyExists(path);
  auto impl = std::make_unique<Impl>();
  impl->path = path;
  impl->temporary = TemporaryName(path);
  impl->spill = impl->temporary + ".spill";
  impl->schema = &schema;
  impl->options = options;
  StatusOr<Database> database =
      Database::Open({.threads = 1, .memory_limit_mib = options.memory_limit_mib, .temp_directory = impl->spill});
  if (!database.ok()) return database.status();
  impl->database.emplace(std::move(*database));
  StatusOr<Connection> connection = impl->database->Connect();
  if (!connection.ok()) return connection.status();
  impl->connection.emplace(std::move(*connection));
  Status status = impl->CreateTable();
  if (!status.ok()) return status.WithContext("Parquet file " + path);
  return ParquetWriter(std::move(impl));
}

Status ParquetWriter::Append(const void* rows, std::size_t stride, std::size_t count) {
  if (impl_->is_closed) return FailedPreconditionError("Parquet file " + impl_->path + " is closed already");
  std::vector<ColumnSource> sources;
  for (const Field& field : impl_->schema->fields()) {
    sources.push_back({.base = rows, .stride = stride, .offset = field.offset});
  }
  Status status = impl_->appender->Append(sources, count);
  if (!status.ok()) return status.WithContext("Parquet file " + impl_->path);
  impl_->row_count += count;
  return OkStatus();
}

std::uint64_t ParquetWriter::row_count() const { return impl_->row_count; }

void ParquetWriter::AddMetadata(std::string key, std::string value) {
  impl_->options.metadata.emplace_back(std::move(key), std::move(value));
}

Status ParquetWriter::Close() {
  if (impl_->is_closed) return FailedPreconditionError("Parquet file " + impl_->path + " is closed already");
  impl_->is_closed = true;
  Status status = impl_->appender->Flush();
  impl_->appender.reset();
  if (status.ok()) status = impl_->connection->Execute(impl_->CopyCommand());
  if (!status.ok()) return status.WithContext("Parquet file " + impl_->path);
  status = Sync(impl_->path, impl_->temporary);
  if (!status.ok()) return status;
  // A link fails where the name is taken, a rename would replace it.
  if (!impl_->options.overwrite && link(impl_->temporary.c_str(), impl_->path.c_str()) != 0) {
    return errno == EEXIST ? AlreadyExists(impl_->path) : FileError(impl_->path, "naming it", errno);
  }
  if (impl_->options.overwrite && std::rename(impl_->temporary.c_str(), impl_->path.c_str()) != 0) {
    return FileError(impl_->path, "renaming it", errno);
  }
  return Sync(impl_->path, FolderOf(impl_->path));
}

}  // namespace millrace::columnar
