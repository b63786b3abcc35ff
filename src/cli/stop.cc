// The verbs `stop` and `drain`: end the run that holds a data directory, so that it can be gone on with.
#include <signal.h>

#include <chrono>
#include <iostream>
#include <thread>

#include "base/status_macros.h"
#include "cli/run_snapshot.h"
#include "cli/verbs.h"

namespace millrace::cli {

namespace {

constexpr auto kStopPause = std::chrono::milliseconds(20);

Status NoRun(const std::string& path) {
  return FailedPreconditionError("no run holds the data directory " + path + ", so there is none to stop");
}

// The folder whose lock the process holds that is to be stopped: that of the generation which was asked for; or else
// the run's, or that of the generation which is read.
StatusOr<std::string> FolderToStop(const Invocation& invocation) {
  const std::string& path = invocation.pipeline.data_dir;
  if (!invocation.output.generation && DirectoryLock::HolderOf(path)) return path;
  MILLRACE_ASSIGN_OR_RETURN(const DirectoryManifest manifest, ReadDirectoryManifest(path));
  return GenerationFolder(path, invocation.output.generation.value_or(manifest.generation));
}

// Until the process that held the folder has let go of it.
Status Await(const std::string& folder, const DirectoryHolder& run, Duration limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (true) {
    const std::optional<DirectoryHolder> holder = DirectoryLock::HolderOf(folder);
    if (!holder || holder->pid != run.pid || holder->since != run.since) return OkStatus();
    if (std::chrono::steady_clock::now() >= deadline) {
      return DeadlineExceededError(run.ToString() + " has been asked to stop, but has not ended within " +
                                   std::to_string(std::chrono::duration_cast<std::chrono::seconds>(limit).count()) +
                                   " s; it goes on stopping");
    }
    std::this_thread::sleep_for(kStopPause);
  }
}

Status SignalRun(const Invocation& invocation, int signal, DirectoryHolder* run) {
  const std::string& path = invocation.pipeline.data_dir;
  if (path.empty()) {
    return UsageError("say which run: " + invocation.program + " " + invocation.verb + " --data_dir=DIR");
  }
  MILLRACE_ASSIGN_OR_RETURN(const std::string folder, FolderToStop(invocation));
  const std::optional<DirectoryHolder> holder = DirectoryLock::HolderOf(folder);
  if (!holder || !holder->RunsAPipeline()) return NoRun(path);
  if (::kill(static_cast<pid_t>(holder->pid), signal) != 0) {
    return PermissionDeniedError("cannot signal " + holder->ToString() + "; is it another user's?");
  }
  *run = *holder;
  return Await(folder, *holder, invocation.output.timeout);
}

// Copies what the run has left: also of one that has failed, whose generation does not hold the results yet.
Status Snapshot(const Invocation& invocation, const std::string& to) {
  MILLRACE_ASSIGN_OR_RETURN(const DataDirectory directory,
                            DataDirectory::OpenForStatus(invocation.pipeline.data_dir, ThisProcess(invocation)));
  const DirectoryManifest& manifest = directory.manifest();
  const std::uint64_t generation = manifest.generation_in_use();
  MILLRACE_ASSIGN_OR_RETURN(const storage::CheckpointManifest checkpoint,
                            SaveRunSnapshot(directory.FolderOf(generation), to));
  std::cout << "snapshot of checkpoint " << checkpoint.epoch << " in " << to
            << "; begin from it: " << invocation.program << " run --from_snapshot=" << to << "\n";
  return OkStatus();
}

}  // namespace

StatusOr<int> StopVerb(const Invocation& invocation) {
  if (!invocation.arguments.empty()) return UsageError("stop takes no arguments: " + invocation.arguments[0]);
  const std::string& snapshot = invocation.output.snapshot;
  if (!snapshot.empty()) MILLRACE_RETURN_IF_ERROR(CheckSnapshotFolder(snapshot));  // before anything is stopped for it
  DirectoryHolder run;
  MILLRACE_RETURN_IF_ERROR(SignalRun(invocation, SIGTERM, &run));
  std::cout << "stopped " << run.ToString() << "\n";
  if (!snapshot.empty()) MILLRACE_RETURN_IF_ERROR(Snapshot(invocation, snapshot));
  return 0;
}

StatusOr<int> DrainVerb(const Invocation& invocation) {
  if (!invocation.arguments.empty()) return UsageError("drain takes no arguments: " + invocation.arguments[0]);
  DirectoryHolder run;
  MILLRACE_RETURN_IF_ERROR(SignalRun(invocation, invocation.output.close_windows ? SIGUSR1 : SIGTERM, &run));
  std::cout << "drained " << run.ToString() << "; "
            << (invocation.output.close_windows ? "its windows are closed\n"
                                                : "its open windows are kept for the next run\n");
  return 0;
}

}  // namespace millrace::cli
