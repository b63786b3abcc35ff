// The names of the archive's files: see docs/formats/archive.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "millrace/core/timestamp.h"

namespace millrace::archive {

/// The ingestion day of a publish time in UTC: "2026-11-26".
std::string DayOf(Timestamp publish_time);
/// The first moment of that day, and the first one behind it: in between `DayOf` gives the same.
Timestamp BeginOfDay(Timestamp publish_time);
Timestamp EndOfDay(Timestamp publish_time);

/// What a file's name says.
struct FileName {
  std::string day;
  std::int32_t partition = 0;
  std::int64_t from = 0;
  std::int64_t to = 0;
  std::uint64_t attempt = 0;

  std::string ToString(std::string_view extension) const;
  /// Nothing when `name` is none that `ToString` gives.
  static std::optional<FileName> Parse(std::string_view name, std::string_view extension);
};

}  // namespace millrace::archive
