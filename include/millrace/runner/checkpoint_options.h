// Durable checkpoints of a run on the native runner.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "millrace/core/status.h"
#include "millrace/core/timestamp.h"

namespace millrace {

namespace base {
class FileSystem;
}

/// Where and how often a run writes down what it needs to go on after a crash: the state of every step, the positions
/// of the sources, and what its sinks have taken but not made visible. A run that finds a checkpoint in the folder goes
/// on from it, so that every effect on state and sinks happens exactly once.
struct CheckpointOptions {
  /// Made when it is missing. One run at a time.
  std::string folder = {};
  /// From one barrier to the next; a checkpoint that takes longer delays the one after it.
  Duration interval = std::chrono::seconds(10);
  /// Kept in the checkpoint and shown by tools.
  std::string job_name = {};
  std::uint64_t generation = 0;
  /// Which start of this generation it is, from 1, higher at each; sinks fence earlier ones by it. 0: counted in the
  /// folder.
  std::uint64_t attempt = 0;
  /// Tells this run's hold on its sources from those of other runs of the same pipeline; may be empty where there are
  /// none.
  std::string reader = {};
  /// Go on from this checkpoint of the folder, not from the newest one.
  std::optional<std::uint64_t> restore_epoch = {};
  /// Not empty: begin from the checkpoint in this folder (a snapshot) if `folder` has none of its own.
  std::string restore_folder = {};
  /// State that the pipeline has no use for any more is given up; without it such a checkpoint is refused with a list.
  bool allow_lost_state = false;
  /// So many of the newest checkpoints are kept.
  std::int32_t keep = 2;
  /// Called after each commit with its epoch, on a thread of the runner's. An error ends the run, whose checkpoint
  /// stays; RESOURCE_EXHAUSTED is passed over, as for a checkpoint itself.
  std::function<Status(std::uint64_t)> on_commit = {};
  /// Where the folder is; null: the machine's. For simulations.
  base::FileSystem* files = nullptr;
};

}  // namespace millrace
