#include "cli/batch_schedule.h"

#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
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
  std::vector<std::string> arguments = {invocation.program, "recompute"};
  bool is_verb_seen = false;
  for (const std::string& given : invocation.given) {
    if (!is_verb_seen && given == invocation.verb) {
      is_verb_seen = true;
    } else {
      arguments.push_back(given);
    }
  }
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  pid_t child = 0;
  const int error = ::posix_spawn(&child, "/proc/self/exe", nullptr, nullptr, pointers.data(), environ);
  if (error != 0) return UnavailableError(std::string("recompute cannot be started: ") + std::strerror(error));
  (void)::setpriority(PRIO_PROCESS, static_cast<id_t>(child), kNice);
  bool is_told = false;
  while (true) {
    int status = 0;
    const pid_t ended = ::waitpid(child, &status, WNOHANG);
    if (ended < 0 && errno != EINTR) return UnavailableError(std::string("recompute is lost: ") + std::strerror(errno));
    if (ended == child) {
      if (is_told) return CancelledError("recompute was stopped");
      if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return OkStatus();
      return UnknownError("recompute has failed");
    }
    if (stop.load() && !is_told) {
      is_told = true;
      ::kill(child, SIGTERM);
    }
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
