// Which values a column of their type takes: what the appender would refuse can be told before.
#pragma once

#include "millrace/core/schema.h"
#include "millrace/core/status.h"
#include "millrace/core/timestamp.h"

namespace millrace::columnar {

/// Checks values of one type: texts must be UTF-8 and shorter than 4 GiB, times not before DuckDB's first one. Thread
/// safe.
class StorableCheck {
 public:
  explicit StorableCheck(const Type& type);

  /// INVALID_ARGUMENT names the field and says why. Costs nothing for types that have no such value.
  Status Check(const void* object) const { return is_needed_ ? CheckAll(object) : OkStatus(); }

 private:
  Status CheckAll(const void* object) const;

  const Type* type_;
  bool is_needed_;
};

/// INVALID_ARGUMENT for a time before DuckDB's first one.
Status CheckStorableTime(Timestamp time);

}  // namespace millrace::columnar
