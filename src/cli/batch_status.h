// How far the batch layer of a data directory has come.
#pragma once

#include <optional>
#include <string>

#include "millrace/core/status.h"
#include "millrace/core/timestamp.h"
#include "millrace/runner/status.h"
#include "server/server.h"

namespace millrace::cli {

/// What a status of the batch layer depends on, besides its manifest.
struct BatchReach {
  Duration lookback{0};  // the greatest of its views
  Duration delay{0};     // --batch_delay
};

/// From the manifest, the log and, where it is known, what the run says of event time. Nothing where there is no batch
/// layer.
StatusOr<std::optional<server::BatchStatus>> BatchStatusOf(const std::string& data_dir, const BatchReach& reach,
                                                           const RunStatus* run);

}  // namespace millrace::cli
