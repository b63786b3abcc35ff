// Prints rows as a table, as JSON lines or as CSV.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "millrace/core/status.h"
#include "millrace/core/timestamp.h"

namespace millrace::cli {

/// What the values of a column are.
enum class CellKind : std::uint8_t {
  kText,
  kLiteral,  // number, boolean, or a list or map as JSON: its text is the JSON
  kTime,     // the text is RFC 3339
};

struct RowColumn {
  std::string name;
  CellKind kind = CellKind::kText;
  bool is_number = false;
};

/// One value. NaN and the infinities of a number are texts in JSON.
struct RowCell {
  std::string text;
  bool is_null = true;
};

inline RowCell TextCell(std::string text) { return {.text = std::move(text), .is_null = false}; }
template <class Number>
RowCell NumberCell(Number number) {
  return TextCell(std::to_string(number));
}
/// NULL where there is no time.
inline RowCell TimeCell(const std::optional<Timestamp>& time) { return time ? TextCell(time->ToString()) : RowCell(); }

/// Rows of one result, in order. One thread.
class RowWriter {
 public:
  virtual ~RowWriter() = default;
  virtual void Write(const std::vector<RowCell>& row) = 0;
  /// After the last row.
  virtual void Finish() = 0;
};

/// `format` is "table", "json" (an object per line) or "csv" (a header, RFC 4180); INVALID_ARGUMENT for another one. A
/// table's columns are as wide as its first 10,000 rows need.
StatusOr<std::unique_ptr<RowWriter>> MakeRowWriter(std::string_view format, std::vector<RowColumn> columns,
                                                   std::ostream& out);
/// The status alone, to be told before anything is read.
Status CheckFormat(std::string_view format);

/// "2031123" as "2,031,123".
std::string GroupedDigits(std::int64_t number);
/// The characters that a text takes on a terminal, about: UTF-8 characters.
std::size_t DisplayWidth(std::string_view text);

}  // namespace millrace::cli
