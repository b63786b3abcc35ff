#include "cli/generation_list.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "base/file_system.h"
#include "base/status_macros.h"
#include "cli/generations.h"
#include "cli/run_results.h"
#include "millrace/core/json.h"
#include "storage/checkpoint_store.h"

namespace millrace::cli {

namespace {

using server::GenerationStatus;

constexpr auto kAskMax = std::chrono::seconds(1);

std::vector<GenerationStatus> Mentioned(const DirectoryManifest& manifest) {
  std::vector<GenerationStatus> listed;
  const std::uint64_t running = manifest.running ? manifest.running->generation : 0;
  if (manifest.generation > 0) {
    const bool goes_on = running == manifest.generation;
    listed.push_back({.generation = manifest.generation,
                      .is_read = true,
                      .purpose = "read",
                      .attempt = goes_on ? manifest.running->attempt : 0,
                      .is_done = !goes_on});
  }
  if (running > 0 && running != manifest.generation) {
    listed.push_back({.generation = running, .purpose = "run", .attempt = manifest.running->attempt});
  }
  for (const BesideGeneration& other : manifest.beside) {
    listed.push_back({.generation = other.generation,
                      .purpose = other.purpose,
                      .attempt = other.attempt,
                      .is_done = !other.is_resumable,
                      .part = other.range.is_all() ? std::string() : other.range.ToString()});
  }
  std::sort(listed.begin(), listed.end(),
            [](const GenerationStatus& a, const GenerationStatus& b) { return a.generation < b.generation; });
  return listed;
}

// Nothing where no source tells how much there is. A replay says it by itself; a run that is not a replay has caught up
// while there is nothing that it could read.
std::optional<bool> HasCaughtUp(const RunStatus& run) {
  if (run.replay) return run.replay->state != "reading" && run.replay->state != "paused";
  std::optional<bool> caught_up;
  for (const SourceStatus& source : run.sources) {
    for (const PartitionStatus& partition : source.partitions) {
      if (!partition.end && !partition.done) continue;
      caught_up = caught_up.value_or(true) && (partition.done || partition.position >= *partition.end);
    }
  }
  return caught_up;
}

// The status of the process that has a generation; nothing where it does not answer, or has another one.
std::optional<RunStatus> Ask(const std::string& data_dir, std::uint64_t generation) {
  for (const std::string& folder : {GenerationFolder(data_dir, generation), data_dir}) {
    const auto response = server::AskServer(folder, {.path = "/v1/status", .query = {{"generations", "no"}}}, kAskMax);
    if (!response.ok()) continue;
    StatusOr<server::ServerStatus> status = json::Parse<server::ServerStatus>(response->body);
    if (status.ok() && status->run && status->run->generation == generation) return std::move(status->run);
  }
  return std::nullopt;
}

}  // namespace

StatusOr<std::vector<GenerationStatus>> ListGenerations(const std::string& data_dir, const RunStatus* own) {
  MILLRACE_ASSIGN_OR_RETURN(const DirectoryManifest manifest, ReadDirectoryManifest(data_dir));
  std::vector<GenerationStatus> listed = Mentioned(manifest);
  for (GenerationStatus& generation : listed) {
    const std::string folder = GenerationFolder(data_dir, generation.generation);
    const auto checkpoint = storage::LatestCheckpoint(base::PosixFileSystem(), CheckpointsPath(folder));
    if (checkpoint.ok() && *checkpoint) {
      generation.epoch = (*checkpoint)->epoch;
      generation.watermark = (*checkpoint)->watermark;
    }
    if (generation.is_done) generation.caught_up = true;
    const std::optional<DirectoryHolder> runner = RunnerOf(data_dir, generation.generation);
    if (!runner) continue;
    generation.pid = runner->pid;
    generation.process = runner->ToString();
    if (own != nullptr && own->generation == generation.generation) {
      generation.caught_up = HasCaughtUp(*own);
    } else if (runner->pid != ::getpid()) {
      const std::optional<RunStatus> run = Ask(data_dir, generation.generation);
      if (run) generation.caught_up = HasCaughtUp(*run);
    }
  }
  return listed;
}

}  // namespace millrace::cli
