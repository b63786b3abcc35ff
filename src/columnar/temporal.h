// The edges of time between `Timestamp` and DuckDB's TIMESTAMP: both count microseconds since 1970 in UTC, but DuckDB
// begins later (290309 BC) and spells the two ends as -infinity and infinity.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include "millrace/core/timestamp.h"

namespace millrace::columnar {

inline constexpr std::int64_t kDuckdbInfinity = std::numeric_limits<std::int64_t>::max();
inline constexpr std::int64_t kDuckdbMicrosMin = -9'223'372'022'400'000'000;
inline constexpr std::size_t kStringBytesMax = 0xFFFF'FFFF;

/// `time` as the content of a TIMESTAMP; Min() and Max() become the infinities. False where DuckDB has no such time.
inline bool ToDuckdbMicros(Timestamp time, std::int64_t* micros) {
  *micros = time == Timestamp::Min() ? -kDuckdbInfinity : time == Timestamp::Max() ? kDuckdbInfinity : time.micros();
  return *micros >= kDuckdbMicrosMin || *micros == -kDuckdbInfinity;
}

/// The content of a TIMESTAMP as a time; the infinities, and what lies beyond them, become Min() and Max().
inline Timestamp FromDuckdbMicros(std::int64_t micros) {
  if (micros <= Timestamp::Min().micros()) return Timestamp::Min();
  if (micros >= Timestamp::Max().micros()) return Timestamp::Max();
  return Timestamp::FromMicros(micros);
}

}  // namespace millrace::columnar
