// What a run or a replay needs of the data directory: its generation, and the stores in it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/data_directory.h"
#include "cli/run_results.h"
#include "cli/verbs.h"
#include "millrace/runner/checkpoint_options.h"

namespace millrace::cli {

/// Without a data directory nothing is kept, and all is empty.
struct RunStorage {
  std::optional<DataDirectory> directory;
  std::unique_ptr<RunResults> results;
  std::optional<GenerationOfRun> resumable;  // of a run with checkpoints

  /// The generation that is written; 0: none.
  std::uint64_t generation() const { return directory ? directory->generation() : 0; }
  /// Its folder.
  std::string folder() const { return directory ? directory->FolderOf(directory->generation()) : ""; }
};

/// Takes --data_dir for the verb `run`.
StatusOr<RunStorage> OpenRunStorage(const Invocation& invocation, const std::vector<ViewDescriptor>& views);

/// Takes a generation beside the one that is read for the verb `replay`. `range` is of a replay of a part.
StatusOr<RunStorage> OpenReplayStorage(const Invocation& invocation, const EventTimeRange& range);

/// The checkpoints of the run.
CheckpointOptions CheckpointsOf(const Invocation& invocation, const GenerationOfRun& run);

/// What the directory is to say after the run; the stores are closed.
Status ConcludeRun(RunStorage& storage, const PipelineResult& result, bool streaming);

/// Whether the run has given a result: a batch run does at its end, unless it can be resumed.
bool HasResult(const RunStorage& storage, const PipelineResult& result, bool streaming);

}  // namespace millrace::cli
