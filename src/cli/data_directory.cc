#include "cli/data_directory.h"

#include <signal.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <thread>
#include <utility>

#include "base/status_macros.h"
#include "millrace/core/json.h"

namespace millrace::cli {

namespace {

constexpr std::int32_t kFormat = 1;
constexpr std::uint64_t kSmallFileBytesMax = 1 << 16;
constexpr auto kWaitForReader = std::chrono::seconds(30);
// A lock file is written just after the lock is taken, so what it says may be of the process before.
constexpr auto kWaitForName = std::chrono::milliseconds(200);
constexpr auto kLockPause = std::chrono::milliseconds(10);
constexpr const char* kManifestName = "/millrace.json";
constexpr const char* kLockName = "/lock";
constexpr const char* kGenerationPrefix = "generation-";

std::optional<DirectoryHolder> ReadHolder(const std::string& path) {
  const StatusOr<std::string> text = base::ReadFile(base::PosixFileSystem(), path + kLockName, kSmallFileBytesMax);
  if (!text.ok()) return std::nullopt;
  const StatusOr<DirectoryHolder> holder = json::Parse<DirectoryHolder>(*text);
  if (!holder.ok()) return std::nullopt;
  if (::kill(static_cast<pid_t>(holder->pid), 0) != 0 && errno == ESRCH) return std::nullopt;
  return *holder;
}

// In place: the lock belongs to the file, not to its name.
Status WriteHolder(const std::string& path, const std::string& text) {
  std::ofstream file(path + kLockName, std::ios::trunc);
  file << text << std::flush;
  return file ? OkStatus() : UnavailableError("cannot write " + path + kLockName + "; is the disk full?");
}

Status HeldError(const std::string& path, const std::optional<DirectoryHolder>& holder) {
  if (!holder) {
    return FailedPreconditionError("the data directory " + path + " is held by another process; wait for it to end");
  }
  return FailedPreconditionError("the data directory " + path + " is held by " + holder->ToString() +
                                 "; wait for it to end, or stop it: kill -INT " + std::to_string(holder->pid));
}

// What may be there before the first run: the log, its archive, what serves it.
constexpr std::array<std::string_view, 7> kBeforeRuns = {"lock",        "millrace.json.new", "log", "archive", "pubsub",
                                                         "pubsub.json", "pubsub.json.new"};

// Whether a folder that has no manifest may become a data directory.
Status CheckFresh(const std::string& path) {
  MILLRACE_ASSIGN_OR_RETURN(const std::vector<std::string> names, base::PosixFileSystem().List(path));
  for (const std::string& name : names) {
    if (kManifestName == "/" + name) return OkStatus();  // it has come since somebody looked
    if (std::find(kBeforeRuns.begin(), kBeforeRuns.end(), name) != kBeforeRuns.end()) continue;
    return FailedPreconditionError(path + " holds other things (such as " + name +
                                   ") and no millrace.json; give an empty or a new directory");
  }
  return OkStatus();
}

}  // namespace

std::string DirectoryHolder::ToString() const {
  return "`" + program + " " + verb + "` (pid " + std::to_string(pid) + ", since " + since.ToString() + ")";
}

DataDirectory::DataDirectory(std::string path, std::unique_ptr<base::FileLock> lock)
    : path_(std::move(path)), lock_(std::move(lock)) {}
DataDirectory::DataDirectory(DataDirectory&&) noexcept = default;

DataDirectory::~DataDirectory() {
  if (lock_ != nullptr) static_cast<void>(WriteHolder(path_, ""));
}

std::optional<DirectoryHolder> DataDirectory::HolderOf(const std::string& path) { return ReadHolder(path); }

StatusOr<DataDirectory> DataDirectory::Take(const std::string& path, const DirectoryHolder& holder) {
  const auto started = std::chrono::steady_clock::now();
  while (true) {
    StatusOr<std::unique_ptr<base::FileLock>> lock = base::PosixFileSystem().Lock(path + kLockName);
    if (lock.ok()) {
      DataDirectory directory(path, *std::move(lock));
      MILLRACE_RETURN_IF_ERROR(WriteHolder(path, json::Write(holder)));
      MILLRACE_RETURN_IF_ERROR(directory.ReadManifest());
      return directory;
    }
    if (lock.status().code() != StatusCode::kFailedPrecondition) return lock.status();
    const std::optional<DirectoryHolder> other = ReadHolder(path);
    const auto waited = std::chrono::steady_clock::now() - started;
    if ((other && other->verb == "run" && waited >= kWaitForName) || waited >= kWaitForReader) {
      return HeldError(path, other);
    }
    std::this_thread::sleep_for(kLockPause);
  }
}

StatusOr<DataDirectory> DataDirectory::OpenForRun(const std::string& path, const DirectoryHolder& holder,
                                                  const std::string& job_name) {
  MILLRACE_RETURN_IF_ERROR(base::CreateDurableFolders(base::PosixFileSystem(), path).WithContext("--data_dir"));
  MILLRACE_ASSIGN_OR_RETURN(const bool exists, base::PosixFileSystem().Exists(path + kManifestName));
  if (!exists) MILLRACE_RETURN_IF_ERROR(CheckFresh(path));
  MILLRACE_ASSIGN_OR_RETURN(DataDirectory directory, Take(path, holder));
  DirectoryManifest& manifest = directory.manifest_;
  if (manifest.job_name.empty()) {
    manifest.job_name = job_name;
    MILLRACE_RETURN_IF_ERROR(directory.WriteManifest(manifest));
  }
  if (manifest.job_name != job_name) {
    return FailedPreconditionError("the data directory " + path + " belongs to the job " + manifest.job_name +
                                   ", this one is " + job_name + "; give another --data_dir");
  }
  return directory;
}

StatusOr<DataDirectory> DataDirectory::OpenForStatus(const std::string& path, const DirectoryHolder& holder) {
  MILLRACE_ASSIGN_OR_RETURN(const bool exists, base::PosixFileSystem().Exists(path + kManifestName));
  if (!exists) {
    // A directory's first run has the lock before it has written the manifest.
    if (const std::optional<DirectoryHolder> other = ReadHolder(path)) return HeldError(path, other);
    return NotFoundError("there is no data directory " + path + "; make one: " + holder.program +
                         " run --data_dir=" + path);
  }
  return Take(path, holder);
}

StatusOr<DataDirectory> DataDirectory::OpenForReading(const std::string& path, const DirectoryHolder& holder) {
  MILLRACE_ASSIGN_OR_RETURN(DataDirectory directory, OpenForStatus(path, holder));
  if (directory.manifest_.generation > 0) return directory;
  if (directory.manifest_.running) {
    return FailedPreconditionError("the data directory " + path +
                                   " has no results yet: its run was ended before the first checkpoint; resume it: " +
                                   holder.program + " run --data_dir=" + path);
  }
  return FailedPreconditionError("the data directory " + path +
                                 " has no results: no run has come to its end yet; run " + holder.program +
                                 " run --data_dir=" + path);
}

Status DataDirectory::ReadManifest() {
  const std::string file = path_ + kManifestName;
  MILLRACE_ASSIGN_OR_RETURN(const bool exists, base::PosixFileSystem().Exists(file));
  if (!exists) return OkStatus();
  MILLRACE_ASSIGN_OR_RETURN(const std::string text, base::ReadFile(base::PosixFileSystem(), file, kSmallFileBytesMax));
  StatusOr<DirectoryManifest> manifest = json::Parse<DirectoryManifest>(text);
  if (!manifest.ok()) {
    return DataLossError(file + " is damaged: " + manifest.status().message() + "; remove the directory and run again");
  }
  if (manifest->format != kFormat) {
    return FailedPreconditionError(file + " has format " + std::to_string(manifest->format) +
                                   ", this program reads format " + std::to_string(kFormat) +
                                   "; use the program that wrote it, or another directory");
  }
  manifest_ = *std::move(manifest);
  return OkStatus();
}

Status DataDirectory::WriteManifest(const DirectoryManifest& manifest) {
  return base::ReplaceFile(base::PosixFileSystem(), path_ + kManifestName, json::Write(manifest) + "\n");
}

std::string DataDirectory::FolderOf(std::uint64_t generation) const {
  return path_ + "/" + kGenerationPrefix + std::to_string(generation);
}

void DataDirectory::RemoveOtherGenerations() const {
  const StatusOr<std::vector<std::string>> names = base::PosixFileSystem().List(path_);
  if (!names.ok()) return;
  const std::string running = manifest_.running ? FolderOf(manifest_.running->generation) : CurrentFolder();
  for (const std::string& name : *names) {
    const std::string folder = path_ + "/" + name;
    if (!name.starts_with(kGenerationPrefix) || folder == CurrentFolder() || folder == running) continue;
    std::error_code ignored;  // what cannot be removed costs space only; the next run tries again
    std::filesystem::remove_all(folder, ignored);
  }
}

std::uint64_t DataDirectory::next_generation() const {
  return std::max(manifest_.generation, manifest_.running ? manifest_.running->generation : 0) + 1;
}

Status DataDirectory::MakeFolder(std::uint64_t generation) const {
  const std::string folder = FolderOf(generation);
  MILLRACE_ASSIGN_OR_RETURN(const bool exists, base::PosixFileSystem().Exists(folder));
  if (exists) return FailedPreconditionError(folder + " cannot be removed; remove it by hand");
  MILLRACE_RETURN_IF_ERROR(base::PosixFileSystem().CreateFolders(folder));
  return base::PosixFileSystem().SyncFolder(path_);
}

StatusOr<std::string> DataDirectory::BeginGeneration(bool is_fresh) {
  if (manifest_.running && !is_fresh) {
    return FailedPreconditionError(
        "the data directory " + path_ + " holds a run with checkpoints that has not come to its end (generation " +
        std::to_string(manifest_.running->generation) + ", attempt " + std::to_string(manifest_.running->attempt) +
        "); resume it: run --streaming with --checkpoint_interval; or give it up: --fresh; or give another --data_dir");
  }
  RemoveOtherGenerations();
  MILLRACE_RETURN_IF_ERROR(MakeFolder(next_generation()));
  return FolderOf(next_generation());
}

Status DataDirectory::MakeCurrent(std::uint64_t generation, const std::string& mode, Timestamp now,
                                  const std::optional<RunningGeneration>& running) {
  MILLRACE_RETURN_IF_ERROR(base::PosixFileSystem().SyncFolder(FolderOf(generation)));
  MILLRACE_RETURN_IF_ERROR(base::PosixFileSystem().SyncFolder(path_));
  DirectoryManifest next = manifest_;
  next.generation = generation;
  next.mode = mode;
  next.written_at = now;
  next.running = running;
  MILLRACE_RETURN_IF_ERROR(WriteManifest(next));
  manifest_ = next;
  RemoveOtherGenerations();
  return OkStatus();
}

Status DataDirectory::Promote(const std::string& mode, Timestamp now) {
  return MakeCurrent(next_generation(), mode, now, std::nullopt);
}

void DataDirectory::Abandon() { RemoveOtherGenerations(); }

StatusOr<GenerationOfRun> DataDirectory::ResumeOrBeginGeneration(bool is_fresh, const GenerationStart& start) {
  RemoveOtherGenerations();
  DirectoryManifest next = manifest_;
  const bool is_resumed = manifest_.running && !is_fresh;
  if (is_resumed) {
    const std::string folder = FolderOf(manifest_.running->generation);
    MILLRACE_ASSIGN_OR_RETURN(const bool exists, base::PosixFileSystem().Exists(folder));
    if (!exists) return FailedPreconditionError(folder + ", which is to be resumed, is gone; start anew with --fresh");
    ++next.running->attempt;
  } else {
    next.running = {.generation = std::max(next_generation(), start.after + 1), .attempt = 1};
    MILLRACE_RETURN_IF_ERROR(MakeFolder(next.running->generation));
    const Status filled = start.fill ? start.fill(FolderOf(next.running->generation)) : OkStatus();
    if (!filled.ok()) RemoveOtherGenerations();
    MILLRACE_RETURN_IF_ERROR(filled);
  }
  MILLRACE_RETURN_IF_ERROR(WriteManifest(next));
  manifest_ = next;
  RemoveOtherGenerations();  // one that was given up
  return GenerationOfRun{.folder = FolderOf(next.running->generation),
                         .generation = next.running->generation,
                         .attempt = next.running->attempt,
                         .is_resumed = is_resumed};
}

Status DataDirectory::NoteCheckpoint(Timestamp now) {
  return manifest_.generation == 0 ? PromoteRunning(now) : OkStatus();
}

Status DataDirectory::PromoteRunning(Timestamp now) {
  if (!manifest_.running) return InternalError("no generation is running in " + path_);
  return MakeCurrent(manifest_.running->generation, "streaming", now, manifest_.running);
}

Status DataDirectory::FinishRunning(Timestamp now) {
  if (!manifest_.running) return InternalError("no generation is running in " + path_);
  return MakeCurrent(manifest_.running->generation, "streaming", now, std::nullopt);
}

StatusOr<std::string> CheckpointFolderOf(const std::string& path) {
  DataDirectory directory(path, nullptr);
  MILLRACE_RETURN_IF_ERROR(directory.ReadManifest());
  const DirectoryManifest& manifest = directory.manifest_;
  const std::uint64_t generation = manifest.running ? manifest.running->generation : manifest.generation;
  if (generation == 0) return NotFoundError("there are no checkpoints in " + path + ": no run has begun there");
  return directory.FolderOf(generation) + "/checkpoints";
}

}  // namespace millrace::cli
