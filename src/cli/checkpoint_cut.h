// How far a run has read the topic at one of its checkpoints, and what else a checkpoint says to who looks from
// outside.
#pragma once

#include <optional>
#include <string>

#include "log/topic.h"
#include "millrace/core/status.h"
#include "millrace/core/timestamp.h"
#include "storage/checkpoint.h"

namespace millrace::cli {

/// The next offset of each partition; `end` for those that are read to their end, and at most that.
log::Cut CutOf(const storage::CheckpointManifest& checkpoint, const std::string& topic, const log::Cut& end);

/// The last checkpoint of what is read, or of the run that will be; nothing where there is none, or its run is done.
struct LastCheckpoint {
  std::optional<storage::CheckpointManifest> checkpoint;
  bool is_done = false;  // the run has come to its end
};
StatusOr<LastCheckpoint> LastCheckpointOf(const std::string& data_dir);

}  // namespace millrace::cli
