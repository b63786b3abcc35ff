// A DuckDB database, without any DuckDB type: open, query, prepare, append. Extensions are never loaded or downloaded.
//
// Thread safety: `Database` may be shared. A `Connection` and what it made (results, statements, appenders) belong to
// one thread at a time; several connections of one database work in parallel, each in its own transaction.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "columnar/column.h"
#include "millrace/core/schema.h"
#include "millrace/core/status.h"

namespace millrace::columnar {

/// At most this many rows are in one chunk of a result.
inline constexpr std::size_t kChunkRowsMax = 2048;

/// How a database is opened.
struct DatabaseOptions {
  std::string path = {};                // a file, made if missing; empty: in memory
  int threads = 1;                      // 1: queries run on the calling thread alone
  std::size_t memory_limit_mib = 1024;  // beyond it DuckDB spills to `temp_directory`, then fails
  std::string temp_directory = {};      // empty: beside the file; in memory: no spilling
  bool is_read_only = false;
};

class Connection;

/// An open database. Copies share it; the file is closed when the last copy and the last connection are gone.
class Database {
 public:
  /// Opens or makes the database. FAILED_PRECONDITION if another process holds the file, DATA_LOSS if the file is no
  /// sound database, NOT_FOUND if its folder is missing; each names the file.
  static StatusOr<Database> Open(const DatabaseOptions& options);

  StatusOr<Connection> Connect() const;
  const std::string& path() const;

  /// Opaque.
  struct Impl;

 private:
  explicit Database(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<Impl> impl_;
};

/// The rows of a query, one chunk of at most `kChunkRowsMax` at a time. Streamed: the query runs as chunks are asked
/// for, and its connection is busy until the result is read to its end or destroyed.
class Result {
 public:
  Result(Result&&) noexcept;
  Result& operator=(Result&&) noexcept;
  ~Result();

  const std::vector<Column>& columns() const;
  /// The position of the column of that name (as SQL: upper and lower case are the same), or nothing.
  std::optional<std::size_t> FindColumn(std::string_view name) const;

  /// Moves on to the next chunk; false at the end. What the query failed of while it ran is told here.
  StatusOr<bool> Next();
  /// The number of rows of the current chunk.
  std::size_t rows() const;
  /// The position in the result of the current chunk's first row.
  std::uint64_t first_row() const;

  /// Prepares a column for `Decode` into values of `type`. INVALID_ARGUMENT names both types where they do not fit.
  Status Bind(std::size_t column, const Type& type);
  /// Decodes rows [first, first + count) of a bound column of the current chunk to `base + i * stride`. A value that
  /// does not fit leaves its object alone and is added to `issues`, with its row's position in the result.
  void Decode(std::size_t column, std::size_t first, std::size_t count, void* base, std::size_t stride,
              std::vector<FieldIssue>* issues);

  /// Prepares the columns that have the names of the struct's fields for `DecodeRows`; others are ignored. All that is
  /// missing or does not fit is listed in one INVALID_ARGUMENT.
  Status BindStruct(const Schema& schema);
  /// `Decode` of all fields bound by `BindStruct`.
  void DecodeRows(std::size_t first, std::size_t count, void* base, std::size_t stride,
                  std::vector<FieldIssue>* issues);

  /// A value of the current chunk as text, of any type, as DuckDB prints it; nothing for NULL.
  std::optional<std::string> Text(std::size_t column, std::size_t row) const;

  /// Opaque.
  struct Impl;
  explicit Result(std::unique_ptr<Impl> impl);

 private:
  std::unique_ptr<Impl> impl_;
};

/// A prepared statement with parameters ($1, $2 ... or ?).
class Statement {
 public:
  Statement(Statement&&) noexcept;
  Statement& operator=(Statement&&) noexcept;
  ~Statement();

  /// The number of parameters.
  std::size_t parameters() const;
  /// Sets a parameter, counted from 1, to a value of any type that has a column type; `value` null means NULL. The
  /// value is copied.
  Status Bind(std::size_t position, const Type& type, const void* value);
  Status BindInt64(std::size_t position, std::int64_t value);
  Status BindText(std::size_t position, std::string_view value);

  /// Whether it is a SELECT or an EXPLAIN, which may still read files.
  bool only_reads() const;

  StatusOr<Result> Query();
  /// Runs it to its end and drops the rows.
  Status Execute();

  /// Opaque.
  struct Impl;
  explicit Statement(std::unique_ptr<Impl> impl);

 private:
  std::unique_ptr<Impl> impl_;
};

/// Appends rows to a table through data chunks, some 5 times as fast as value by value. Rows are part of the
/// connection's transaction and reach the table by `Flush` at the latest.
class Appender {
 public:
  Appender(Appender&&) noexcept;
  Appender& operator=(Appender&&) noexcept;
  /// Drops what was not flushed.
  ~Appender();

  /// Appends `count` rows; `sources` gives the place of the values of each column. A value that fits no column (text
  /// that is not UTF-8, a time too early) is an INVALID_ARGUMENT with its row and column, and none of its chunk's rows
  /// are appended.
  Status Append(const std::vector<ColumnSource>& sources, std::size_t count);
  Status Flush();

  /// Opaque.
  struct Impl;
  explicit Appender(std::unique_ptr<Impl> impl);

 private:
  std::unique_ptr<Impl> impl_;
};

/// One session with a database.
class Connection {
 public:
  Connection(Connection&&) noexcept;
  Connection& operator=(Connection&&) noexcept;
  ~Connection();

  /// Runs one or several statements, separated by semicolons, and drops their rows.
  Status Execute(const std::string& sql);
  /// Runs one statement and gives its rows as a stream.
  StatusOr<Result> Query(const std::string& sql);
  /// The single number that a query gives; NOT_FOUND if it gives no row, or NULL.
  StatusOr<std::int64_t> QueryInt64(const std::string& sql);
  StatusOr<Statement> Prepare(const std::string& sql);

  /// An appender for all columns of a table, which must have these types in this order. `schema` may be empty.
  StatusOr<Appender> Append(const std::string& schema, const std::string& table,
                            const std::vector<ColumnSpec>& columns);

  /// Makes a running query fail with CANCELLED. May be called from any thread.
  void Interrupt();

  /// Opaque.
  struct Impl;
  explicit Connection(std::unique_ptr<Impl> impl);

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::columnar
