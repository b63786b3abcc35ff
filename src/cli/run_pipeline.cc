#include "cli/run_pipeline.h"

#include <unistd.h>

#include <algorithm>
#include <iomanip>
#include <iostream>
#include <optional>
#include <sstream>
#include <utility>

#include "base/clock.h"
#include "base/status_macros.h"
#include "cli/batch_layer.h"
#include "cli/commit_notes.h"
#include "cli/progress_line.h"
#include "cli/row_writer.h"
#include "cli/serve_run.h"
#include "cli/stop_signals.h"
#include "millrace/runner/rocksdb_state.h"

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

StatusOr<std::optional<BatchReach>> ReachOf(const Invocation& invocation, const Pipeline& pipeline) {
  if (invocation.topology == nullptr || !invocation.topology->every) return std::optional<BatchReach>();
  MILLRACE_ASSIGN_OR_RETURN(const std::vector<batch::ViewGeometry> geometries, GeometriesOf(invocation, pipeline));
  BatchReach reach{.delay = invocation.batch.batch_delay};
  for (const batch::ViewGeometry& geometry : geometries) reach.lookback = std::max(reach.lookback, geometry.Lookback());
  return std::optional(reach);
}

// Where state is kept that does not fit into memory.
Status OpenStateBackend(const RunStorage& storage, RunOptions* options) {
  if (options->state.backend != StateBackend::kRocksdb) return OkStatus();
  if (options->state.folder.empty()) {
    if (!storage.directory) return UsageError("--state_backend=rocksdb needs --data_dir or --temp_location");
    options->state.folder = storage.folder() + "/state";
  }
  options->state = RocksdbState(std::move(options->state));
  return OkStatus();
}

}  // namespace

StatusOr<int> RunPipeline(const Invocation& invocation, Pipeline& pipeline, RunOptions options, RunStorage storage,
                          const RunAdditions& additions) {
  const std::vector<ViewDescriptor> views = ViewsOf(pipeline);
  const StopSignals signals(additions.cancel);
  if (storage.results != nullptr) {
    options.views = storage.results->views();
    options.dead_letters = storage.results->dead_letters();
  }
  CommitNotes commits([&storage] { return storage.directory->NoteCheckpoint(base::SystemClock().Now()); });
  if (storage.resumable) {
    options.checkpoints = CheckpointsOf(invocation, *storage.resumable);
    options.checkpoints->on_commit = [&commits](std::uint64_t) { return commits.OnCommit(); };
  }
  MILLRACE_RETURN_IF_ERROR(OpenStateBackend(storage, &options));
  options.cancel = signals.stop();
  options.close_windows = signals.close_windows();
  options.paused = additions.paused;
  options.elements_per_s_max = additions.elements_per_s_max;
  ProgressLine line(std::cerr, ::isatty(STDERR_FILENO) != 0);
  std::int64_t elements_read = 0;
  options.on_progress = [&](const Progress& told) {
    Progress progress = told;
    if (additions.progress) additions.progress(progress);
    elements_read = progress.elements_read;
    line.Show(progress);
  };

  MILLRACE_ASSIGN_OR_RETURN(MergedViews merged, MergedViews::Of(invocation, pipeline));
  MILLRACE_ASSIGN_OR_RETURN(const std::optional<BatchReach> reach, ReachOf(invocation, pipeline));
  const ServedRun served{.folder = additions.server_folder,
                         .generation = storage.generation(),
                         .views = &views,
                         .merged = std::move(merged),
                         .batch = reach,
                         .results = storage.results.get(),
                         .actions = additions.actions,
                         .publish = additions.publish};
  options.generation = served.generation;
  MILLRACE_ASSIGN_OR_RETURN(auto server, StartServer(invocation, served, &options));
  if (options.status != nullptr) {
    options.status->Add([&commits](RunStatus& status) { commits.AddTo(status); });
    if (additions.status) options.status->Add(additions.status);
  }
  std::shared_ptr<void> beside = additions.beside ? additions.beside(options.status) : nullptr;
  const PipelineResult result = pipeline.Run(options);
  beside.reset();
  server.reset();           // it reads the stores
  storage.results.reset();  // closes the stores
  if (storage.directory && !storage.resumable) MILLRACE_RETURN_IF_ERROR(KeepLedger(storage.folder(), result));
  const bool stopped = result.state == PipelineResult::State::kCancelled;
  const bool has_result = HasResult(storage, result, options.streaming);
  MILLRACE_RETURN_IF_ERROR(ConcludeRun(storage, result, options.streaming));
  const bool had_result = storage.directory && storage.directory->manifest().generation > 0;
  const bool is_resumable = storage.resumable.has_value();
  storage.directory.reset();
  if (result.ok() && additions.on_finished) additions.on_finished();
  if (!result.status.ok()) return result.status;
  if (!ProblemsOf(result.ledger.total).empty()) {
    std::cerr << invocation.program << ": the ledger does not balance; `" << invocation.program
              << " ledger` says where\n";
  }
  std::cerr << invocation.program << ": " << Summary(result, elements_read, views.size()) << "\n";
  if (stopped && is_resumable) {
    std::cerr << invocation.program << ": the next " << invocation.verb << " goes on from here; --fresh begins anew\n";
  }
  if (has_result) return 0;
  std::cerr << invocation.program << ": a batch run that is stopped gives no result"
            << (had_result ? "; the earlier one is kept\n" : "\n");
  return kExitOfSignal + signals.signal();
}

}  // namespace millrace::cli
