// What is behind the opaque types of database.h. Internal to this room.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "columnar/column_decoder.h"
#include "columnar/database.h"
#include "columnar/duckdb_handle.h"

namespace millrace::columnar {

struct Database::Impl {
  std::string path;
  DatabaseHandle handle;
};

// Members are destroyed in reverse order: a connection goes before its database.
struct SharedConnection {
  std::shared_ptr<Database::Impl> database;
  ConnectionHandle handle;
};

struct Connection::Impl {
  std::shared_ptr<SharedConnection> connection;
};

struct Statement::Impl {
  std::shared_ptr<SharedConnection> connection;
  StatementHandle handle;
};

struct Result::Impl {
  Impl() = default;
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    chunk.Reset();
    if (has_result) duckdb_destroy_result(&result);
  }

  std::shared_ptr<SharedConnection> connection;
  StatementHandle statement;  // empty if the statement is the caller's
  duckdb_result result{};
  bool has_result = false;
  std::vector<Column> columns;
  std::vector<LogicalTypeHandle> types;
  std::vector<std::unique_ptr<ColumnDecoder>> decoders;            // by column; null where not bound
  std::vector<std::pair<std::size_t, std::size_t>> struct_fields;  // column and offset, from BindStruct
  ChunkHandle chunk;
  std::size_t rows = 0;
  std::uint64_t first_row = 0;
};

struct Appender::Impl {
  Impl() = default;
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    if (handle == nullptr) return;
    // Closing would flush: what was not flushed is dropped.
    duckdb_appender_clear(handle);
    duckdb_appender_destroy(&handle);
  }

  std::shared_ptr<SharedConnection> connection;
  std::string table;
  duckdb_appender handle = nullptr;
  std::vector<ColumnSpec> columns;
  ChunkHandle chunk;
};

/// Runs a prepared statement; rows are streamed.
StatusOr<Result> RunStatement(std::shared_ptr<SharedConnection> connection, StatementHandle owned,
                              duckdb_prepared_statement statement);

/// A value in DuckDB's text form, for any type.
std::string FormatValue(duckdb_vector vector, duckdb_logical_type type, std::size_t row);

}  // namespace millrace::columnar
