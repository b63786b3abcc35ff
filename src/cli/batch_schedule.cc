#include "cli/batch_schedule.h"

#include <signal.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>
#include <vector>

#include "archive/manifest.h"
#include "base/file_system.h"
#include "base/status_macros.h"
#include "batch/manifest.h"
#include "batch/partitioning.h"
#include "cli/batch_layer.h"
#include "cli/checkpoint_cut.h"
#include "cli/child_process.h"

namespace millrace::cli {

namespace {

constexpr auto kLookEvery = std::chrono::milliseconds(500);
constexpr auto kLookPause = std::chrono::milliseconds(20);
constexpr int kNice = 10;

// The end of what is due; nothing where that is not known yet, or not archived.
StatusOr<std::optional<Timestamp>> DueEnd(const Invocation& invocation, const batch::Partitioning& partitioning) {
  MILLRACE_ASSIGN_OR_RETURN(const LastCheckpoint last, LastCheckpointOf(invocation.pipeline.data_dir));
  if (!last.checkpoint || !last.checkpoint->watermark) return std::optional<Timestamp>();
  MILLRACE_ASSIGN_OR_RETURN(const archive::Manifest archived, ArchiveOfTopic(invocation));
  const bool is_archived = batch::Covers(archived.Cut(), CutOf(*last.checkpoint, archived.topic, archived.Cut()));
  if (archived.attempt == 0 || !is_archived) return std::optional<Timestamp>();
  Timestamp least = Timestamp::Max();
  for (const archive::ArchivedRange& range : archived.ranges) {
    if (range.least_event_time) least = std::min(least, *range.least_event_time);
  }
  const Timestamp due = partitioning.BeginOf(*last.checkpoint->watermark - invocation.batch.batch_delay);
  return due > least ? std::optional(due) : std::nullopt;
}

}  // namespace

Status RunRecompute(const Invocation& invocation, const std::atomic<bool>& stop) {
  MILLRACE_ASSIGN_OR_RETURN(ChildProcess child,
                            ChildProcess::Start(invocation.program, ArgumentsFor(invocation, {"recompute"})));
  child.SetNice(kNice);
  bool is_told = false;
  while (true) {
    MILLRACE_ASSIGN_OR_RETURN(const std::optional<ChildEnd> end, child.Poll());
    if (end && is_told) return CancelledError("recompute was stopped");
    if (end) return end->code == 0 ? OkStatus() : UnknownError("recompute has failed");
    if (stop.load() && !is_told) child.Signal(SIGTERM);
    is_told = is_told || stop.load();
    std::this_thread::sleep_for(kLookPause);
  }
}

BatchSchedule::BatchSchedule(const Invocation& invocation, std::function<void(const std::string& message)> report)
    : report_(std::move(report)), thread_([this, &invocation] { Loop(invocation); }) {}

BatchSchedule::~BatchSchedule() {
  stop_.store(true);
  thread_.join();
}

void BatchSchedule::Loop(const Invocation& invocation) {
  const StatusOr<batch::Partitioning> partitioning =
      batch::Partitioning::Of(invocation.topology->every.value_or(Duration(0)));
  if (!partitioning.ok()) return report_(partitioning.status().message());
  const std::string folder = BatchFolder(invocation.pipeline.data_dir);
  std::string told;
  std::optional<Timestamp> tried;
  while (!stop_.load()) {
    const auto until = std::chrono::steady_clock::now() + kLookEvery;
    while (!stop_.load() && std::chrono::steady_clock::now() < until) std::this_thread::sleep_for(kLookPause);
    if (stop_.load()) return;
    const StatusOr<std::optional<Timestamp>> due = DueEnd(invocation, *partitioning);
    Status failed = due.status();
    if (due.ok() && *due && (!tried || **due > *tried)) {
      const StatusOr<batch::Manifest> manifest = batch::ReadManifest(base::PosixFileSystem(), folder);
      failed = manifest.status();
      if (manifest.ok() && (manifest->partitions.empty() || manifest->partitions.back().to < **due)) {
        tried = **due;
        failed = RunRecompute(invocation, stop_);
      }
    }
    if (failed.ok() || failed.code() == StatusCode::kCancelled) continue;
    if (failed.message() != told) report_("batch layer: " + failed.message() + "; it is tried again");
    told = failed.message();
  }
}

}  // namespace millrace::cli
