// Records that were put into the log again because the code refused them once: docs/formats/dead_letters.md. They say
// by attributes which record they stand for and in which generation of results that one is missing.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "millrace/io/log.h"

namespace millrace::log {

inline constexpr const char* kOriginAttribute = "millrace.origin";          // "<topic>/<partition>/<offset>"
inline constexpr const char* kGenerationAttribute = "millrace.generation";  // a number

/// A place in the log.
struct RecordPlace {
  std::string topic = {};
  std::int32_t partition = 0;
  std::int64_t offset = 0;

  std::string ToString() const;
  friend bool operator==(const RecordPlace&, const RecordPlace&) = default;
};

/// Nothing where the text names no place.
std::optional<RecordPlace> ParsePlace(std::string_view text);

/// What a record that stands for the one at `place` is written with, beside its own attributes. Where that one stands
/// for an earlier one itself, the later ones form a chain: each names the one before it.
void AddOrigin(const RecordPlace& place, std::uint64_t generation, std::map<std::string, std::string>* attributes);

/// Whether a record of `topic` is one that counts for a reader. Of a record that was put into the log again and the one
/// that it stands for exactly one does: in the generation of results that it is meant for the later one, for there the
/// first one was refused; in any other the first one, unless the reading of the partition for these results began
/// behind it (`began`; both are in one partition).
bool CountsIn(const LogRecord& record, std::string_view topic, std::uint64_t generation, std::int64_t began);

}  // namespace millrace::log
