#include "columnar/parquet_reader.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <mutex>
#include <tuple>
#include <utility>

#include "columnar/parquet_error.h"

namespace millrace::columnar {

Status ParquetError(const std::string& path, const Status& status) {
  if (status.code() == StatusCode::kResourceExhausted || status.code() == StatusCode::kCancelled) {
    return status.WithContext("Parquet file " + path);
  }
  errno = 0;
  if (access(path.c_str(), F_OK) != 0 && errno == ENOENT) return NotFoundError("Parquet file " + path + " is missing");
  if (access(path.c_str(), R_OK) != 0) return PermissionDeniedError("Parquet file " + path + " may not be read");
  return DataLossError("Parquet file " + path +
                       " is damaged or no Parquet file; write it anew from its source. "
                       "DuckDB says: " +
                       status.message());
}

StatusOr<Connection> ConnectForParquet() {
  // Made once and never closed: opening a database costs 10 ms. With one thread, queries run on their callers' threads.
  static std::mutex mutex;
  static StatusOr<Database>* database = nullptr;
  std::lock_guard<std::mutex> lock(mutex);
  if (database == nullptr || !database->ok()) {
    delete database;
    database = new StatusOr<Database>(Database::Open({.threads = 1, .memory_limit_mib = 2048}));
  }
  if (!database->ok()) return database->status();
  return (*database)->Connect();
}

std::string ReadParquetCall(const std::string& function, const std::string& path) {
  std::string pattern;
  for (char c : path) {
    if (c == '*' || c == '?' || c == '[') {
      pattern += std::string("[") + c + "]";
    } else {
      pattern += c;
    }
  }
  return function + "(" + QuoteLiteral(pattern);
}

StatusOr<ParquetReader> ParquetReader::Open(const std::string& path, const Schema& schema,
                                            const ParquetReadOptions& options) {
  StatusOr<Connection> connection = ConnectForParquet();
  if (!connection.ok()) return connection.status();
  const std::string source = ReadParquetCall("read_parquet", path);

  StatusOr<Result> described = connection->Query("SELECT * FROM " + source + ") LIMIT 0");
  if (!described.ok()) return ParquetError(path, described.status());
  Status fits = described->BindStruct(schema);
  if (!fits.ok()) return fits.WithContext("Parquet file " + path);

  std::string columns;
  for (const Field& field : schema.fields()) {
    columns += (columns.empty() ? "" : ", ") + QuoteIdentifier(field.name);
  }
  std::string sql = "SELECT " + columns + " FROM " + source + ", file_row_number = true)";
  // Row groups outside of the range are skipped: DuckDB knows the range of file_row_number of each.
  if (options.begin_row > 0) sql += " WHERE file_row_number >= " + std::to_string(options.begin_row);
  if (options.end_row <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    sql += (options.begin_row > 0 ? " AND" : " WHERE") + std::string(" file_row_number < ") +
           std::to_string(options.end_row);
  }
  described = StatusOr<Result>(CancelledError("closed"));
  StatusOr<Result> result = connection->Query(sql);
  if (!result.ok()) return ParquetError(path, result.status());
  fits = result->BindStruct(schema);
  if (!fits.ok()) return fits.WithContext("Parquet file " + path);
  return ParquetReader(path, options.begin_row, std::move(*connection), std::move(*result));
}

StatusOr<ParquetBatch> ParquetReader::Read(void* rows, std::size_t stride, std::size_t capacity) {
  ParquetBatch batch;
  batch.first_row = next_row_;
  while (batch.count < capacity && !is_at_end_) {
    if (chunk_position_ == result_.rows()) {
      StatusOr<bool> has_rows = result_.Next();
      if (!has_rows.ok()) return ParquetError(path_, has_rows.status());
      chunk_position_ = 0;
      is_at_end_ = !*has_rows;
      continue;
    }
    const std::size_t count = std::min(result_.rows() - chunk_position_, capacity - batch.count);
    const std::size_t known_issues = batch.issues.size();
    result_.DecodeRows(chunk_position_, count, static_cast<char*>(rows) + batch.count * stride, stride, &batch.issues);
    // The decoder counts rows of the result, which begins at the first row that was asked for.
    const std::uint64_t result_row = result_.first_row() + chunk_position_;
    for (std::size_t i = known_issues; i < batch.issues.size(); ++i) {
      batch.issues[i].row = batch.issues[i].row - result_row + next_row_;
    }
    chunk_position_ += count;
    next_row_ += count;
    batch.count += count;
  }
  std::sort(batch.issues.begin(), batch.issues.end(), [](const FieldIssue& a, const FieldIssue& b) {
    return std::tie(a.row, a.field) < std::tie(b.row, b.field);
  });
  return batch;
}

}  // namespace millrace::columnar
