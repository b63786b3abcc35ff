#include "cli/generations.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "base/file_system.h"
#include "base/status_macros.h"
#include "cli/data_directory.h"

namespace millrace::cli {

namespace {

std::string Named(std::uint64_t generation) { return "generation " + std::to_string(generation); }

Status NoGeneration(const DirectoryManifest& manifest, std::uint64_t generation) {
  std::string others;
  for (const BesideGeneration& other : manifest.beside) {
    others += (others.empty() ? "" : ", ") + std::to_string(other.generation);
  }
  return NotFoundError("there is no " + Named(generation) + " beside the one that is read" +
                       (others.empty() ? "; there are none" : "; there are: " + others));
}

// Moves the pointer; what was read, and could be gone on with, is kept.
Status MovePointer(DirectoryManifest& manifest, std::uint64_t generation, Timestamp now) {
  if (manifest.generation == generation) return FailedPreconditionError(Named(generation) + " is read already");
  const BesideGeneration* found = manifest.FindBeside(generation);
  if (found == nullptr) return NoGeneration(manifest, generation);
  const BesideGeneration next = *found;
  if (!next.range.is_all()) {
    return FailedPreconditionError(Named(generation) + " is the replay of a part, " + next.range.ToString() +
                                   "; only a replay of everything can be promoted");
  }
  if (manifest.running && manifest.running->generation != manifest.generation) {
    return FailedPreconditionError("the run of " + Named(manifest.running->generation) +
                                   " is building results of its own; stop it first");
  }
  std::erase_if(manifest.beside, [&](const BesideGeneration& other) { return other.generation == generation; });
  if (manifest.generation > 0) {
    manifest.beside.push_back({.generation = manifest.generation,
                               .attempt = manifest.running ? manifest.running->attempt : 0,
                               .purpose = BesideGeneration::kKept,
                               .is_resumable = manifest.running.has_value(),
                               .begun_at = now,
                               .range = {}});
  }
  manifest.generation = generation;
  manifest.mode = "streaming";
  manifest.written_at = now;
  manifest.running.reset();
  if (next.is_resumable) manifest.running = {.generation = generation, .attempt = next.attempt};
  return OkStatus();
}

}  // namespace

Status PromoteGeneration(const std::string& path, std::uint64_t generation, Timestamp now) {
  return UpdateDirectoryManifest(path,
                                 [&](DirectoryManifest& manifest) { return MovePointer(manifest, generation, now); })
      .status();
}

StatusOr<std::uint64_t> RollBack(const std::string& path, Timestamp now) {
  std::uint64_t kept = 0;
  MILLRACE_RETURN_IF_ERROR(UpdateDirectoryManifest(path, [&](DirectoryManifest& manifest) {
                             for (const BesideGeneration& other : manifest.beside) {
                               const bool is_earlier = other.generation < manifest.generation;
                               if (other.purpose == BesideGeneration::kKept && is_earlier) {
                                 kept = std::max(kept, other.generation);
                               }
                             }
                             if (kept == 0) {
                               return NotFoundError("no generation before " + Named(manifest.generation) + " is kept");
                             }
                             return MovePointer(manifest, kept, now);
                           }).status());
  return kept;
}

Status DropGeneration(const std::string& path, const DirectoryHolder& holder, std::uint64_t generation) {
  const std::string folder = GenerationFolder(path, generation);
  const StatusOr<DirectoryLock> lock = DirectoryLock::Take(folder, holder);
  if (lock.status().code() == StatusCode::kFailedPrecondition) return lock.status();
  MILLRACE_RETURN_IF_ERROR(
      UpdateDirectoryManifest(path, [&](DirectoryManifest& manifest) {
        if (manifest.generation == generation) {
          return FailedPreconditionError(Named(generation) + " is read; promote another one before it is dropped");
        }
        if (manifest.FindBeside(generation) == nullptr) return NoGeneration(manifest, generation);
        std::erase_if(manifest.beside, [&](const BesideGeneration& other) { return other.generation == generation; });
        return OkStatus();
      }).status());
  return DataDirectory::RemoveGeneration(path, generation);
}

std::optional<DirectoryHolder> RunnerOf(const std::string& path, std::uint64_t generation) {
  const std::optional<DirectoryHolder> holder = DirectoryLock::HolderOf(GenerationFolder(path, generation));
  return holder && holder->RunsAPipeline() ? holder : std::nullopt;
}

}  // namespace millrace::cli
