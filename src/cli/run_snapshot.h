// A snapshot of a run: its last checkpoint and both view stores, as they belong together, in a folder of its own.
//
//   SNAPSHOT/<epoch>.manifest.json, <epoch>-<attempt>.data    the checkpoint (docs/formats/checkpoints.md)
//   SNAPSHOT/warehouse.duckdb, SNAPSHOT/views/                the stores
#pragma once

#include <string>

#include "millrace/core/status.h"
#include "storage/checkpoint.h"

namespace millrace::cli {

/// ALREADY_EXISTS when the folder holds a snapshot.
Status CheckSnapshotFolder(const std::string& to);

/// Copies a generation's newest checkpoint and its stores, which nobody has open, to `to`, durably. The checkpoint
/// comes last: a copy that was cut off is no snapshot, and the next one replaces it. NOT_FOUND when there is no
/// checkpoint, ALREADY_EXISTS when `to` holds one.
StatusOr<storage::CheckpointManifest> SaveRunSnapshot(const std::string& generation_folder, const std::string& to);

/// The checkpoint of a snapshot. NOT_FOUND when there is none, FAILED_PRECONDITION when there are no stores beside it.
StatusOr<storage::CheckpointManifest> ReadRunSnapshot(const std::string& folder);

/// Copies all of a snapshot into the empty folder of a generation, durably. The generation's number must be above the
/// snapshot's, so that its cells are newer than those of the stores.
Status CopyRunSnapshot(const std::string& folder, const storage::CheckpointManifest& checkpoint,
                       const std::string& generation_folder);

}  // namespace millrace::cli
