// The records of the log that dead letters come from.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cli/dlq.h"
#include "log/reinjected.h"
#include "millrace/core/source.h"
#include "millrace/core/status.h"
#include "millrace/io/log.h"

namespace millrace::cli {

/// Partition and offset, in a topic.
using PlaceInTopic = std::pair<std::int32_t, std::int64_t>;
using PlacesByTopic = std::map<std::string, std::set<PlaceInTopic>>;

/// The place in a log that a letter's origin names, if it may be one.
std::optional<log::RecordPlace> PlaceOf(const ListedLetter& letter);
/// Of letters that have one.
PlacesByTopic PlacesOf(const std::vector<ListedLetter>& letters);

/// To read the record at an offset and nothing else.
Restriction OnlyRecord(const std::string& topic, const PlaceInTopic& place);

/// The records at these places that are still in the log or in the archive of the data directory, as a run of that
/// generation reads them.
StatusOr<std::map<PlaceInTopic, LogRecord>> ReadRecords(const Invocation& invocation, std::uint64_t generation,
                                                        const std::string& topic, const std::set<PlaceInTopic>& places);

/// Counts which of the letters' records this program would take (`dlq replay --dry_run`), and prints it.
StatusOr<int> TryLetters(std::uint64_t generation, const std::vector<ListedLetter>& letters,
                         const BuildPipeline& build);

}  // namespace millrace::cli
