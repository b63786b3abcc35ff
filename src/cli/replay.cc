// The verb `replay`: the same pipeline over the archive and then the log, into a generation of its own, beside the one
// that is read; `pause`, `resume` and `cancel` are asked of the process that replays.
#include <sys/resource.h>

#include <chrono>
#include <iostream>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "base/file_system.h"
#include "base/status_macros.h"
#include "cli/generations.h"
#include "cli/replay_control.h"
#include "cli/run_pipeline.h"
#include "cli/verbs.h"
#include "log/log_reader.h"
#include "millrace/core/json.h"
#include "server/server.h"

namespace millrace::cli {

namespace {

constexpr auto kAwaitPause = std::chrono::milliseconds(50);

// The lock that a replay holds to its very end: that of its generation is given back before what was read of a closed
// topic is compared and promoted.
std::string ReplayLockFolder(const std::string& data_dir, std::uint64_t generation) {
  return GenerationFolder(data_dir, generation) + "/replay";
}

bool IsReplaying(const std::string& data_dir, std::uint64_t generation) {
  return DirectoryLock::HolderOf(ReplayLockFolder(data_dir, generation)).has_value();
}

StatusOr<DirectoryLock> LockReplay(const Invocation& invocation, std::uint64_t generation) {
  const std::string folder = ReplayLockFolder(invocation.pipeline.data_dir, generation);
  MILLRACE_RETURN_IF_ERROR(base::PosixFileSystem().CreateFolders(folder));
  return DirectoryLock::Take(folder, ThisProcess(invocation));
}

// The generation that a process is replaying now.
StatusOr<std::uint64_t> RunningReplay(const std::string& data_dir) {
  MILLRACE_ASSIGN_OR_RETURN(const DirectoryManifest manifest, ReadDirectoryManifest(data_dir));
  for (const BesideGeneration& other : manifest.beside) {
    if (other.purpose == BesideGeneration::kReplayed && IsReplaying(data_dir, other.generation))
      return other.generation;
  }
  return FailedPreconditionError("no process replays in " + data_dir);
}

// A cancelled replay that nobody runs is only removed.
StatusOr<int> CancelLeftReplay(const Invocation& invocation) {
  const std::string& data_dir = invocation.pipeline.data_dir;
  MILLRACE_ASSIGN_OR_RETURN(const DirectoryManifest manifest, ReadDirectoryManifest(data_dir));
  for (const BesideGeneration& other : manifest.beside) {
    if (other.purpose != BesideGeneration::kReplayed) continue;
    MILLRACE_RETURN_IF_ERROR(DropGeneration(data_dir, ThisProcess(invocation), other.generation));
    std::cout << "replay of generation " << other.generation << " cancelled\n";
    return 0;
  }
  return FailedPreconditionError("there is no replay in " + data_dir);
}

StatusOr<int> ControlReplay(const Invocation& invocation, const std::string& action) {
  const std::string& data_dir = invocation.pipeline.data_dir;
  const StatusOr<std::uint64_t> generation = RunningReplay(data_dir);
  if (!generation.ok() && action == "cancel") return CancelLeftReplay(invocation);
  MILLRACE_RETURN_IF_ERROR(generation.status());
  MILLRACE_ASSIGN_OR_RETURN(
      const server::HttpResponse response,
      server::AskServer(GenerationFolder(data_dir, *generation), {.method = "POST", .path = "/v1/replay/" + action}));
  MILLRACE_RETURN_IF_ERROR(server::StatusOfResponse(response));
  std::cout << response.body;
  return 0;
}

// How far the replay of a generation has come; nothing where its process does not answer.
std::optional<ReplayStatus> AskReplay(const std::string& data_dir, std::uint64_t generation) {
  const auto response = server::AskServer(GenerationFolder(data_dir, generation), {.path = "/v1/status"});
  if (!response.ok()) return std::nullopt;
  const StatusOr<server::ServerStatus> status = json::Parse<server::ServerStatus>(response->body);
  return status.ok() && status->run ? status->run->replay : std::nullopt;
}

// Until the replay that goes on is promoted, or has caught up where it never is.
StatusOr<int> AwaitReplay(const Invocation& invocation) {
  const std::string& data_dir = invocation.pipeline.data_dir;
  const auto until = std::chrono::steady_clock::now() + invocation.output.timeout;
  MILLRACE_ASSIGN_OR_RETURN(const std::uint64_t generation, RunningReplay(data_dir));
  const std::string name = "generation " + std::to_string(generation);
  while (std::chrono::steady_clock::now() < until) {
    const bool goes_on = IsReplaying(data_dir, generation);
    MILLRACE_ASSIGN_OR_RETURN(const DirectoryManifest manifest, ReadDirectoryManifest(data_dir));
    if (manifest.generation == generation) {
      std::cout << name << " is read now\n";
      return 0;
    }
    if (!goes_on) return FailedPreconditionError("the replay of " + name + " has ended, and was not promoted");
    const std::optional<ReplayStatus> replay = AskReplay(data_dir, generation);
    if (replay && replay->state == "caught up" && replay->promote == "never") {
      std::cout << name << " has caught up\n";
      return 0;
    }
    std::this_thread::sleep_for(kAwaitPause);
  }
  return DeadlineExceededError("the replay of " + name + " goes on; --timeout says how long to wait for it");
}

Status CheckReplay(const Invocation& invocation, const PromotePolicy& policy, const EventTimeRange& range) {
  const ReplayOptions& replay = invocation.replay;
  if (invocation.pipeline.batch) return UsageError("a replay goes on live, so --batch is not for it");
  if (replay.read_rate < 0) return UsageError("--read_rate must not be negative");
  if (replay.nice < 0 || replay.nice > 19)
    return UsageError("--nice=" + std::to_string(replay.nice) + ": give 0 to 19");
  if (range.from && range.to && *range.from >= *range.to) return UsageError("--from must be before --to");
  if (!range.is_all() && policy.when != PromotePolicy::When::kNever) {
    return UsageError("a replay of a part (--from, --to) is never promoted: give --promote=never, and compare it");
  }
  if (policy.when != PromotePolicy::When::kExpected) return OkStatus();
  MILLRACE_ASSIGN_OR_RETURN(const bool exists, base::PosixFileSystem().Exists(policy.expectation));
  return exists ? OkStatus() : NotFoundError("there is no file " + policy.expectation);
}

}  // namespace

StatusOr<int> ReplayVerb(const Invocation& invocation, Pipeline& pipeline) {
  const std::string& data_dir = invocation.pipeline.data_dir;
  if (data_dir.empty()) return UsageError("say of what: " + invocation.program + " replay --data_dir=DIR");
  if (!invocation.arguments.empty()) {
    const std::string& action = invocation.arguments[0];
    const bool is_known = action == "pause" || action == "resume" || action == "cancel";
    if (invocation.arguments.size() == 1 && action == "wait") return AwaitReplay(invocation);
    if (invocation.arguments.size() == 1 && is_known) return ControlReplay(invocation, action);
    return UsageError("usage: " + invocation.program + " replay [pause|resume|cancel|wait] --data_dir=DIR");
  }
  StatusOr<RunOptions> options = RunOptionsOf(invocation.pipeline);
  if (!options.ok()) return UsageError(options.status().message());
  const StatusOr<PromotePolicy> policy = PromotePolicy::Parse(invocation.replay.promote);
  if (!policy.ok()) return UsageError(policy.status().message());
  const EventTimeRange range{.from = invocation.pipeline.read_from, .to = invocation.pipeline.read_to};
  MILLRACE_RETURN_IF_ERROR(CheckReplay(invocation, *policy, range));
  MILLRACE_RETURN_IF_ERROR(ViewsOfTopology(invocation, pipeline).status());
  MILLRACE_RETURN_IF_ERROR(pipeline.Validate(true));
  MILLRACE_ASSIGN_OR_RETURN(
      const std::unique_ptr<log::LogReader> reader,
      log::LogReader::Open(base::PosixFileSystem(), data_dir + "/log", invocation.pipeline.topic));
  MILLRACE_ASSIGN_OR_RETURN(log::Cut cut, reader->End());
  MILLRACE_ASSIGN_OR_RETURN(RunStorage storage, OpenReplayStorage(invocation, range));
  if (::setpriority(PRIO_PROCESS, 0, invocation.replay.nice) != 0) {
    std::cerr << invocation.program << ": the system does not let this process give way to others\n";
  }
  const std::uint64_t generation = storage.generation();
  MILLRACE_ASSIGN_OR_RETURN(const DirectoryLock lock, LockReplay(invocation, generation));
  std::cerr << invocation.program << ": replay into generation " << generation << ", up to the cut";
  for (const std::int64_t offset : cut) std::cerr << " " << offset;
  std::cerr << " and live from there\n";
  ReplayControl control(invocation, pipeline, generation, *policy, std::move(cut));
  RunAdditions additions{.server_folder = storage.folder(),
                         .cancel = control.cancel(),
                         .paused = control.paused(),
                         .elements_per_s_max = invocation.replay.read_rate,
                         .status = [&](RunStatus& status) { control.AddTo(status); },
                         .progress = [&](Progress& progress) { control.AddTo(progress); },
                         .actions = control.Actions(),
                         .beside = [&](const std::shared_ptr<StatusBoard>& board) -> std::shared_ptr<void> {
                           control.Watch(board);
                           return std::shared_ptr<void>(
                               &control, [](void* watching) { static_cast<ReplayControl*>(watching)->Stop(); });
                         },
                         .on_finished = [&] { control.ConcludeFinished(); }};
  MILLRACE_ASSIGN_OR_RETURN(const int code,
                            RunPipeline(invocation, pipeline, *std::move(options), std::move(storage), additions));
  if (control.cancelled()) {
    MILLRACE_RETURN_IF_ERROR(DropGeneration(data_dir, ThisProcess(invocation), generation));
    std::cerr << invocation.program << ": generation " << generation << " is removed\n";
    return code;
  }
  MILLRACE_RETURN_IF_ERROR(control.refusal());
  return code;
}

}  // namespace millrace::cli
