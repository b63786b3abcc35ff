// What can be done with the generations of a data directory, beside whoever runs them: promote, roll back, drop.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cli/directory_lock.h"
#include "cli/directory_manifest.h"
#include "millrace/core/status.h"
#include "millrace/core/timestamp.h"

namespace millrace::cli {

/// Makes a generation that is beside the one which is read, with one rename; that one is kept. The next `run` goes on
/// with the promoted one. NOT_FOUND if there is no such generation; FAILED_PRECONDITION if it is read already, if it is
/// the replay of a part, or if a run is just building results of its own.
Status PromoteGeneration(const std::string& path, std::uint64_t generation, Timestamp now);

/// Promotes the kept generation with the highest number below the one that is read, and gives its number.
/// NOT_FOUND if none is kept.
StatusOr<std::uint64_t> RollBack(const std::string& path, Timestamp now);

/// Removes a generation that is neither read nor running. FAILED_PRECONDITION names the process that has it.
Status DropGeneration(const std::string& path, const DirectoryHolder& holder, std::uint64_t generation);

/// The process that runs a generation, if there is one.
std::optional<DirectoryHolder> RunnerOf(const std::string& path, std::uint64_t generation);

}  // namespace millrace::cli
