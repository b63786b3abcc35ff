// From DuckDB vectors to C++ values, by type. Internal to this room.
#pragma once

#include <duckdb.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "columnar/column.h"
#include "millrace/core/schema.h"
#include "millrace/core/status.h"

namespace millrace::columnar {

/// Collects the values that do not fit. While the rows of a list or a map are decoded, everything counts for the row
/// that holds it.
class IssueCollector {
 public:
  explicit IssueCollector(std::vector<FieldIssue>* issues) : issues_(issues) {}

  /// Row i of what is decoded next is row `first_row + i` of the file or result.
  void SetRows(std::uint64_t first_row) {
    first_row_ = first_row;
    is_one_row_ = false;
  }
  /// Everything that is decoded next belongs to `row`.
  void SetOneRow(std::uint64_t row) {
    first_row_ = row;
    is_one_row_ = true;
  }
  bool is_one_row() const { return is_one_row_; }
  std::uint64_t RowOf(std::size_t index) const { return is_one_row_ ? first_row_ : first_row_ + index; }
  void Add(std::size_t index, const std::string& field, std::string reason) {
    issues_->push_back({RowOf(index), field, std::move(reason)});
  }

 private:
  friend class OneRowScope;
  std::vector<FieldIssue>* issues_;
  std::uint64_t first_row_ = 0;
  bool is_one_row_ = false;
};

/// Makes everything count for the row of `index` until the end of the scope.
class OneRowScope {
 public:
  OneRowScope(IssueCollector& issues, std::size_t index) : issues_(issues), saved_(issues) {
    issues.SetOneRow(issues.RowOf(index));
  }
  ~OneRowScope() {
    issues_.first_row_ = saved_.first_row_;
    issues_.is_one_row_ = saved_.is_one_row_;
  }
  OneRowScope(const OneRowScope&) = delete;
  OneRowScope& operator=(const OneRowScope&) = delete;

 private:
  IssueCollector& issues_;
  IssueCollector saved_;
};

/// How the values of one column become values of one C++ type; made once per query.
struct ColumnDecoder {
  const Type* type = nullptr;
  duckdb_type column_type = DUCKDB_TYPE_INVALID;
  duckdb_type internal_type = DUCKDB_TYPE_INVALID;  // of a DECIMAL or ENUM: the integer that is stored
  int decimal_scale = 0;
  std::size_t array_size = 0;              // of an ARRAY
  std::string field;                       // for reports: the path from the row
  std::vector<ColumnDecoder> children;     // of a list: the element; of a map: key, value; of a struct: its fields
  std::vector<std::size_t> child_columns;  // of a struct: the column's member that each field reads
  std::vector<std::string> dictionary;     // of an ENUM that is read as text

  /// INVALID_ARGUMENT names the field and both types where no value of the column can fit.
  static StatusOr<ColumnDecoder> Make(duckdb_logical_type column_type, const Type& type, std::string field);

  /// Decodes the vector's values [first, first + count) into objects at `base + i * stride`. A value that does not fit
  /// leaves its object as it was and adds an issue.
  void Decode(duckdb_vector vector, std::size_t first, std::size_t count, void* base, std::size_t stride,
              IssueCollector& issues) const;
};

}  // namespace millrace::columnar
