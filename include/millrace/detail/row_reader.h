// The seam between typed sources and readers that fill rows of a struct by its schema.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "millrace/core/status.h"

namespace millrace::detail {

/// A value that does not fit its field.
struct RowIssue {
  std::int64_t row = 0;  // from 0, in the file
  std::string field;
  std::string reason;
};

/// An open reader of the rows of one file, in order. One thread at a time.
class RowReader {
 public:
  virtual ~RowReader() = default;

  /// The row that the next `Read` begins with.
  virtual std::int64_t next_row() const = 0;

  /// Fills up to `capacity` structs at `rows`, `stride` bytes apart, and gives how many; 0 at the end. Rows in `issues`
  /// (sorted by row, possibly several of one row) are incomplete and are to be skipped.
  virtual StatusOr<std::size_t> Read(void* rows, std::size_t stride, std::size_t capacity,
                                     std::vector<RowIssue>* issues) = 0;
};

}  // namespace millrace::detail
