#include "cli/run_storage.h"

#include <chrono>
#include <iostream>
#include <utility>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/status_macros.h"
#include "cli/run_snapshot.h"
#include "storage/checkpoint_store.h"

namespace millrace::cli {

namespace {

constexpr Duration kCheckpointInterval = std::chrono::seconds(10);

// Streaming runs have checkpoints unless they are told not to; a batch run begins anew when it is killed.
Duration CheckpointInterval(const PipelineOptions& options) {
  return options.checkpoint_interval.value_or(options.streaming ? kCheckpointInterval : Duration(0));
}

// The generation of a run with checkpoints. A snapshot is begun from where there is no checkpoint to go on from; it
// becomes the generation's own first checkpoint, with its views.
StatusOr<GenerationOfRun> ResumeOrBegin(const Invocation& invocation, DataDirectory& directory) {
  const PipelineOptions& options = invocation.pipeline;
  if (options.from_snapshot.empty()) return directory.ResumeOrBeginGeneration(options.fresh);
  const std::optional<RunningGeneration>& running = directory.manifest().running;
  if (running && !options.fresh) {
    const std::string folder = CheckpointsPath(directory.FolderOf(running->generation));
    MILLRACE_ASSIGN_OR_RETURN(const auto listed, storage::ListCheckpoints(base::PosixFileSystem(), folder));
    if (!listed.empty()) {
      std::cerr << invocation.program << ": the run goes on from its own checkpoint; --from_snapshot is not used\n";
      return directory.ResumeOrBeginGeneration(false);
    }
  }
  const std::string& snapshot = options.from_snapshot;
  MILLRACE_ASSIGN_OR_RETURN(const storage::CheckpointManifest checkpoint, ReadRunSnapshot(snapshot));
  return directory.ResumeOrBeginGeneration(
      true, {.after = checkpoint.generation, .fill = [&](const std::string& folder) {
               return CopyRunSnapshot(snapshot, checkpoint, folder).WithContext("--from_snapshot");
             }});
}

Status OpenResultsOf(RunStorage& storage, bool streaming) {
  const RunResultsOptions options{.folder = storage.folder(),
                                  .generation = storage.generation(),
                                  .is_streaming = streaming,
                                  .has_checkpoints = storage.resumable.has_value()};
  MILLRACE_ASSIGN_OR_RETURN(storage.results, RunResults::Create(options));
  return OkStatus();
}

}  // namespace

StatusOr<RunStorage> OpenRunStorage(const Invocation& invocation, const std::vector<ViewDescriptor>& views) {
  RunStorage storage;
  const PipelineOptions& options = invocation.pipeline;
  const bool has_checkpoints = CheckpointInterval(options) > Duration(0);
  if (!options.from_snapshot.empty() && (options.data_dir.empty() || !has_checkpoints)) {
    return UsageError(
        "--from_snapshot is for a run with --data_dir and checkpoints (--streaming, or "
        "--checkpoint_interval)");
  }
  if (options.data_dir.empty() && views.empty()) return storage;
  if (options.data_dir.empty()) {
    return UsageError("say where the views are to be kept: " + invocation.program + " run --data_dir=DIR");
  }
  MILLRACE_ASSIGN_OR_RETURN(DataDirectory directory,
                            DataDirectory::OpenForRun(options.data_dir, ThisProcess(invocation), invocation.JobName()));
  MILLRACE_RETURN_IF_ERROR(directory.NoteTopology(options.topology));
  if (has_checkpoints) {
    MILLRACE_ASSIGN_OR_RETURN(storage.resumable, ResumeOrBegin(invocation, directory));
  } else {
    MILLRACE_RETURN_IF_ERROR(directory.BeginGeneration(options.fresh).status());
  }
  storage.directory.emplace(std::move(directory));
  MILLRACE_RETURN_IF_ERROR(OpenResultsOf(storage, options.streaming));
  return storage;
}

StatusOr<RunStorage> OpenReplayStorage(const Invocation& invocation, const EventTimeRange& range) {
  RunStorage storage;
  const PipelineOptions& options = invocation.pipeline;
  if (CheckpointInterval(options) <= Duration(0)) {
    return UsageError("a replay has checkpoints, so that it can be gone on with: give no --checkpoint_interval of 0");
  }
  MILLRACE_ASSIGN_OR_RETURN(
      DataDirectory directory,
      DataDirectory::OpenForReplay(options.data_dir, ThisProcess(invocation), invocation.JobName()));
  MILLRACE_ASSIGN_OR_RETURN(storage.resumable,
                            directory.ResumeOrBeginReplay(options.fresh, range, base::SystemClock().Now()));
  storage.directory.emplace(std::move(directory));
  MILLRACE_RETURN_IF_ERROR(OpenResultsOf(storage, true));
  return storage;
}

CheckpointOptions CheckpointsOf(const Invocation& invocation, const GenerationOfRun& run) {
  CheckpointOptions checkpoints;
  checkpoints.folder = CheckpointsPath(run.folder);
  checkpoints.interval = CheckpointInterval(invocation.pipeline);
  checkpoints.job_name = invocation.JobName();
  checkpoints.generation = run.generation;
  checkpoints.attempt = run.attempt;
  checkpoints.reader = kGenerationPrefix + std::to_string(run.generation);
  checkpoints.restore_epoch = invocation.pipeline.restore_epoch;
  checkpoints.allow_lost_state = invocation.pipeline.allow_lost_state;
  return checkpoints;
}

bool HasResult(const RunStorage& storage, const PipelineResult& result, bool streaming) {
  const bool stopped = result.state == PipelineResult::State::kCancelled;
  return result.ok() || (stopped && (streaming || storage.resumable));
}

Status ConcludeRun(RunStorage& storage, const PipelineResult& result, bool streaming) {
  if (!storage.directory) return OkStatus();
  DataDirectory& directory = *storage.directory;
  const Timestamp now = base::SystemClock().Now();
  if (storage.resumable) {
    // One that has failed or was killed is resumed by the next.
    if (result.ok()) return directory.FinishRunning(now);
    return result.state == PipelineResult::State::kCancelled ? directory.PromoteRunning(now) : OkStatus();
  }
  if (HasResult(storage, result, streaming)) return directory.Promote(streaming ? "streaming" : "batch", now);
  directory.Abandon();
  return OkStatus();
}

}  // namespace millrace::cli
