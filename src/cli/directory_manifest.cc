#include "cli/directory_manifest.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "base/status_macros.h"
#include "millrace/core/json.h"

namespace millrace::cli {

namespace {

constexpr std::int32_t kManifestFormat = 2;
constexpr std::uint64_t kManifestBytesMax = 1 << 20;
constexpr auto kManifestLockWait = std::chrono::seconds(30);
constexpr auto kManifestLockPause = std::chrono::milliseconds(2);

struct ManifestHead {
  std::int32_t format = 0;
};

// Format 1.
struct EarlierManifest {
  std::int32_t format = 1;
  std::string job_name;
  std::uint64_t generation = 0;
  std::string mode;
  std::optional<Timestamp> written_at;
  std::optional<RunningGeneration> running;
};

StatusOr<DirectoryManifest> ParseManifest(const std::string& text) {
  MILLRACE_ASSIGN_OR_RETURN(const ManifestHead head, json::Parse<ManifestHead>(text));
  if (head.format == kManifestFormat) return json::Parse<DirectoryManifest>(text);
  DirectoryManifest manifest;
  manifest.format = head.format;
  if (head.format != EarlierManifest().format) return manifest;
  MILLRACE_ASSIGN_OR_RETURN(const EarlierManifest earlier, json::Parse<EarlierManifest>(text));
  manifest.format = kManifestFormat;
  manifest.job_name = earlier.job_name;
  manifest.generation = earlier.generation;
  manifest.mode = earlier.mode;
  manifest.written_at = earlier.written_at;
  manifest.running = earlier.running;
  return manifest;
}

}  // namespace

std::string EventTimeRange::ToString() const {
  if (from && to) return "events from " + from->ToString() + " to before " + to->ToString();
  if (from) return "events from " + from->ToString() + " on";
  return to ? "events before " + to->ToString() : "everything";
}

std::uint64_t DirectoryManifest::next_generation() const {
  std::uint64_t last = std::max(generation, running ? running->generation : 0);
  for (const BesideGeneration& other : beside) last = std::max(last, other.generation);
  return last + 1;
}

const BesideGeneration* DirectoryManifest::FindBeside(std::uint64_t number) const {
  const auto found = std::find_if(beside.begin(), beside.end(),
                                  [&](const BesideGeneration& other) { return other.generation == number; });
  return found != beside.end() ? &*found : nullptr;
}
BesideGeneration* DirectoryManifest::FindBeside(std::uint64_t number) {
  return const_cast<BesideGeneration*>(std::as_const(*this).FindBeside(number));  // NOLINT: this object is not const
}

bool DirectoryManifest::Mentions(std::uint64_t number) const {
  return number == generation || (running && running->generation == number) || FindBeside(number) != nullptr;
}

bool DirectoryManifest::IsResumable(std::uint64_t number) const {
  if (running && running->generation == number) return true;
  const BesideGeneration* other = FindBeside(number);
  return other != nullptr && other->is_resumable;
}

StatusOr<std::unique_ptr<base::FileLock>> LockDirectoryManifest(const std::string& path) {
  const auto started = std::chrono::steady_clock::now();
  while (true) {
    StatusOr<std::unique_ptr<base::FileLock>> lock = base::PosixFileSystem().Lock(path + "/manifest.lock");
    if (lock.ok() || lock.status().code() != StatusCode::kFailedPrecondition) return lock;
    if (std::chrono::steady_clock::now() - started >= kManifestLockWait) return lock.status();
    std::this_thread::sleep_for(kManifestLockPause);
  }
}

StatusOr<DirectoryManifest> ReadDirectoryManifest(const std::string& path) {
  const std::string file = DirectoryManifestPath(path);
  MILLRACE_ASSIGN_OR_RETURN(const bool exists, base::PosixFileSystem().Exists(file));
  if (!exists) return DirectoryManifest();
  MILLRACE_ASSIGN_OR_RETURN(const std::string text, base::ReadFile(base::PosixFileSystem(), file, kManifestBytesMax));
  StatusOr<DirectoryManifest> manifest = ParseManifest(text);
  if (!manifest.ok()) {
    return DataLossError(file + " is damaged: " + manifest.status().message() + "; remove the directory and run again");
  }
  if (manifest->format != kManifestFormat) {
    return FailedPreconditionError(file + " has format " + std::to_string(manifest->format) +
                                   ", this program reads format " + std::to_string(kManifestFormat) +
                                   "; use the program that wrote it, or another directory");
  }
  return manifest;
}

StatusOr<DirectoryManifest> UpdateDirectoryManifest(const std::string& path,
                                                    const std::function<Status(DirectoryManifest&)>& change) {
  MILLRACE_ASSIGN_OR_RETURN(const std::unique_ptr<base::FileLock> lock, LockDirectoryManifest(path));
  MILLRACE_ASSIGN_OR_RETURN(DirectoryManifest manifest, ReadDirectoryManifest(path));
  MILLRACE_RETURN_IF_ERROR(change(manifest));
  MILLRACE_RETURN_IF_ERROR(
      base::ReplaceFile(base::PosixFileSystem(), DirectoryManifestPath(path), json::Write(manifest) + "\n"));
  return manifest;
}

std::string DirectoryManifestPath(const std::string& path) { return path + "/millrace.json"; }
std::string GenerationFolder(const std::string& path, std::uint64_t generation) {
  return path + "/" + kGenerationPrefix + std::to_string(generation);
}

}  // namespace millrace::cli
