// Owners of DuckDB's C handles and the translation of its errors. Internal: only the .cc files of this room include it.
#pragma once

#include <duckdb.h>

#include <string>
#include <string_view>
#include <utility>

#include "millrace/core/status.h"

namespace millrace::columnar {

/// Owns one C handle of DuckDB and gives it back with `Destroy`. Movable.
template <class Raw, void (*Destroy)(Raw*)>
class DuckdbHandle {
 public:
  DuckdbHandle() = default;
  explicit DuckdbHandle(Raw raw) : raw_(raw) {}
  DuckdbHandle(DuckdbHandle&& other) noexcept : raw_(std::exchange(other.raw_, Raw{})) {}
  DuckdbHandle& operator=(DuckdbHandle&& other) noexcept {
    if (this != &other) {
      Reset();
      raw_ = std::exchange(other.raw_, Raw{});
    }
    return *this;
  }
  ~DuckdbHandle() { Reset(); }

  Raw get() const { return raw_; }
  /// The address for a C function that fills the handle in; what was held before is given back.
  Raw* Out() {
    Reset();
    return &raw_;
  }
  void Reset() {
    if (raw_ != nullptr) Destroy(&raw_);
    raw_ = nullptr;
  }

 private:
  Raw raw_ = nullptr;
};

using DatabaseHandle = DuckdbHandle<duckdb_database, duckdb_close>;
using ConnectionHandle = DuckdbHandle<duckdb_connection, duckdb_disconnect>;
using ConfigHandle = DuckdbHandle<duckdb_config, duckdb_destroy_config>;
using StatementHandle = DuckdbHandle<duckdb_prepared_statement, duckdb_destroy_prepare>;
using PendingHandle = DuckdbHandle<duckdb_pending_result, duckdb_destroy_pending>;
using ChunkHandle = DuckdbHandle<duckdb_data_chunk, duckdb_destroy_data_chunk>;
using LogicalTypeHandle = DuckdbHandle<duckdb_logical_type, duckdb_destroy_logical_type>;
using ValueHandle = DuckdbHandle<duckdb_value, duckdb_destroy_value>;

/// A string that DuckDB allocated, freed after the copy; empty for null.
std::string TakeString(char* text);

/// The status for a message of DuckDB and, where the caller has it, the kind of the error.
Status DuckdbError(duckdb_error_type type, std::string_view message);

/// `DuckdbError` with the kind read from the message's first words ("IO Error: ...").
Status DuckdbError(const char* message);

/// The SQL spelling of a type, such as "DECIMAL(18,3)" or "STRUCT(a INTEGER)".
std::string TypeText(duckdb_logical_type type);

}  // namespace millrace::columnar
