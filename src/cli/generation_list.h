// The generations of a data directory: which one is read, who runs each, and whether it has caught up with its input.
#pragma once

#include <string>
#include <vector>

#include "cli/directory_manifest.h"
#include "millrace/core/status.h"
#include "server/server.h"

namespace millrace::cli {

/// In the order of their numbers. Asks the processes that run them, each for a second at most, whether they have caught
/// up; but this one, which is to be told by `own` (null: it runs none).
StatusOr<std::vector<server::GenerationStatus>> ListGenerations(const std::string& data_dir, const RunStatus* own);

}  // namespace millrace::cli
