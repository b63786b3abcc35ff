// The verb `run`.
#include <unistd.h>

#include <iomanip>
#include <iostream>
#include <memory>
#include <optional>
#include <sstream>
#include <utility>

#include "base/clock.h"
#include "base/status_macros.h"
#include "cli/commit_notes.h"
#include "cli/progress_line.h"
#include "cli/row_writer.h"
#include "cli/run_results.h"
#include "cli/run_snapshot.h"
#include "cli/serve_run.h"
#include "cli/stop_signals.h"
#include "cli/verbs.h"
#include "millrace/runner/rocksdb_state.h"
#include "storage/checkpoint_store.h"

namespace millrace::cli {

namespace {

std::string Seconds(double seconds) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(seconds < 10 ? 2 : 1) << seconds << " s";
  return text.str();
}

std::string Count(std::int64_t count, const char* one, const char* many) {
  return GroupedDigits(count) + " " + (count == 1 ? one : many);
}

// "done in 3.20 s: 3,000,000 elements read (937,500 per second), 2,031,123 cells written to 2 views, 11 dead letters".
std::string Summary(const PipelineResult& result, std::int64_t elements_read, std::size_t views) {
  const bool stopped = result.state == PipelineResult::State::kCancelled;
  std::string text = std::string(stopped ? "stopped after " : "done in ") + Seconds(result.wall_s) + ": " +
                     Count(elements_read, "element", "elements") + " read";
  if (result.wall_s > 0) {
    const double per_s = static_cast<double>(elements_read) / result.wall_s;
    text += " (" + GroupedDigits(static_cast<std::int64_t>(per_s)) + " per second)";
  }
  if (views > 0) {
    text += ", " + Count(result.Counter("cells"), "cell", "cells") + " written to " +
            Count(static_cast<std::int64_t>(views), "view", "views");
  }
  const std::int64_t letters = result.Counter("dead_letters");
  if (letters > 0) text += ", " + Count(letters, "dead letter", "dead letters");
  std::int64_t late = 0;
  for (const auto& [label, counts] : result.steps) late += counts.late_dropped;
  if (late > 0) text += ", " + GroupedDigits(late) + " dropped as too late";
  return text;
}

// What a run needs of the data directory; without one nothing is kept.
struct Storage {
  std::optional<DataDirectory> directory;
  std::unique_ptr<RunResults> results;
  std::optional<GenerationOfRun> resumable;  // of a run with checkpoints
};

constexpr Duration kCheckpointInterval = std::chrono::seconds(10);

// Streaming runs have checkpoints unless they are told not to; a batch run begins anew when it is killed.
Duration CheckpointInterval(const PipelineOptions& options) {
  return options.checkpoint_interval.value_or(options.streaming ? kCheckpointInterval : Duration(0));
}

// The generation of a run with checkpoints. A snapshot is begun from where there is no checkpoint to go on from; it
// becomes the generation's own first checkpoint, with its views.
StatusOr<GenerationOfRun> ResumeOrBegin(const PipelineOptions& options, DataDirectory& directory) {
  if (options.from_snapshot.empty()) return directory.ResumeOrBeginGeneration(options.fresh);
  const std::optional<RunningGeneration>& running = directory.manifest().running;
  if (running && !options.fresh) {
    const std::string folder = CheckpointsPath(directory.FolderOf(running->generation));
    MILLRACE_ASSIGN_OR_RETURN(const auto listed, storage::ListCheckpoints(base::PosixFileSystem(), folder));
    if (!listed.empty()) return directory.ResumeOrBeginGeneration(false);
  }
  const std::string& snapshot = options.from_snapshot;
  MILLRACE_ASSIGN_OR_RETURN(const storage::CheckpointManifest checkpoint, ReadRunSnapshot(snapshot));
  return directory.ResumeOrBeginGeneration(
      true, {.after = checkpoint.generation, .fill = [&](const std::string& folder) {
               return CopyRunSnapshot(snapshot, checkpoint, folder).WithContext("--from_snapshot");
             }});
}

StatusOr<Storage> OpenStorage(const Invocation& invocation, const std::vector<ViewDescriptor>& views) {
  Storage storage;
  const PipelineOptions& options = invocation.pipeline;
  if (!options.from_snapshot.empty() && (options.data_dir.empty() || CheckpointInterval(options) <= Duration(0))) {
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
  RunResultsOptions results{.is_streaming = options.streaming};
  results.has_checkpoints = CheckpointInterval(options) > Duration(0);
  if (results.has_checkpoints) {
    MILLRACE_ASSIGN_OR_RETURN(storage.resumable, ResumeOrBegin(options, directory));
    results.folder = storage.resumable->folder;
    results.generation = storage.resumable->generation;
  } else {
    MILLRACE_ASSIGN_OR_RETURN(results.folder, directory.BeginGeneration(options.fresh));
    results.generation = directory.next_generation();
  }
  MILLRACE_ASSIGN_OR_RETURN(storage.results, RunResults::Create(results));
  storage.directory.emplace(std::move(directory));
  return storage;
}

CheckpointOptions CheckpointsOf(const Invocation& invocation, const GenerationOfRun& run) {
  CheckpointOptions checkpoints;
  checkpoints.folder = CheckpointsPath(run.folder);
  checkpoints.interval = CheckpointInterval(invocation.pipeline);
  checkpoints.job_name = invocation.JobName();
  checkpoints.generation = run.generation;
  checkpoints.attempt = run.attempt;
  checkpoints.restore_epoch = invocation.pipeline.restore_epoch;
  checkpoints.allow_lost_state = invocation.pipeline.allow_lost_state;
  return checkpoints;
}

// What the directory is to say after a run with checkpoints. One that has failed or was killed is resumed by the next.
Status ConcludeResumable(DataDirectory& directory, const PipelineResult& result) {
  const Timestamp now = base::SystemClock().Now();
  if (result.ok()) return directory.FinishRunning(now);
  return result.state == PipelineResult::State::kCancelled ? directory.PromoteRunning(now) : OkStatus();
}

Status Conclude(DataDirectory& directory, bool has_result, bool streaming) {
  if (has_result) return directory.Promote(streaming ? "streaming" : "batch", base::SystemClock().Now());
  directory.Abandon();
  return OkStatus();
}

}  // namespace

StatusOr<int> RunVerb(const Invocation& invocation, Pipeline& pipeline) {
  if (!invocation.arguments.empty()) return UsageError("run takes no arguments: " + invocation.arguments[0]);
  StatusOr<RunOptions> options = RunOptionsOf(invocation.pipeline);
  if (!options.ok()) return UsageError(options.status().message());
  MILLRACE_RETURN_IF_ERROR(pipeline.Validate(options->streaming));
  const std::vector<ViewDescriptor> views = ViewsOf(pipeline);
  const StopSignals signals;
  MILLRACE_ASSIGN_OR_RETURN(Storage storage, OpenStorage(invocation, views));
  if (storage.results != nullptr) {
    options->views = storage.results->views();
    options->dead_letters = storage.results->dead_letters();
  }
  CommitNotes commits([&storage] { return storage.directory->NoteCheckpoint(base::SystemClock().Now()); });
  if (storage.resumable) {
    options->checkpoints = CheckpointsOf(invocation, *storage.resumable);
    options->checkpoints->on_commit = [&commits](std::uint64_t) { return commits.OnCommit(); };
  }
  if (options->state.backend == StateBackend::kRocksdb && options->state.folder.empty()) {
    if (!storage.directory) return UsageError("--state_backend=rocksdb needs --data_dir or --temp_location");
    options->state.folder = storage.directory->path() + "/state";
  }
  if (options->state.backend == StateBackend::kRocksdb) options->state = RocksdbState(std::move(options->state));
  options->cancel = signals.stop();
  options->close_windows = signals.close_windows();
  ProgressLine line(std::cerr, ::isatty(STDERR_FILENO) != 0);
  std::int64_t elements_read = 0;
  options->on_progress = [&](const Progress& progress) {
    elements_read = progress.elements_read;
    line.Show(progress);
  };

  MILLRACE_ASSIGN_OR_RETURN(PubsubFace pubsub, StartPubsub(invocation, std::nullopt));
  const ServedRun served{.generation = storage.resumable   ? storage.resumable->generation
                                       : storage.directory ? storage.directory->next_generation()
                                                           : 0,
                         .views = &views,
                         .results = storage.results.get(),
                         .publish = pubsub.publish};
  MILLRACE_ASSIGN_OR_RETURN(auto server, StartServer(invocation, served, &*options));
  if (options->status != nullptr) options->status->Add([&commits](RunStatus& status) { commits.AddTo(status); });
  const PipelineResult result = pipeline.Run(*options);
  server.reset();           // it reads the stores
  storage.results.reset();  // closes the stores
  const bool stopped = result.state == PipelineResult::State::kCancelled;
  // A batch run gives its result at its end; one that was stopped has none, unless it can be resumed.
  const bool has_result = result.ok() || (stopped && (options->streaming || storage.resumable));
  if (storage.resumable) {
    MILLRACE_RETURN_IF_ERROR(ConcludeResumable(*storage.directory, result));
  } else if (storage.directory) {
    MILLRACE_RETURN_IF_ERROR(Conclude(*storage.directory, has_result, options->streaming));
  }
  if (!result.status.ok()) return result.status;
  std::cerr << invocation.program << ": " << Summary(result, elements_read, views.size()) << "\n";
  if (stopped && storage.resumable) {
    std::cerr << invocation.program << ": the next run goes on from here; --fresh begins anew\n";
  }
  if (has_result) return 0;
  std::cerr << invocation.program << ": a batch run that is stopped gives no result"
            << (storage.directory && storage.directory->manifest().generation > 0 ? "; the earlier one is kept\n"
                                                                                  : "\n");
  return kExitOfSignal + signals.signal();
}

}  // namespace millrace::cli
