#include "cli/data_directory.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "base/file_system.h"
#include "base/status_macros.h"
#include "log/holds.h"

namespace millrace::cli {

namespace {

// The pointer may move that often between its being read and its generation being taken.
constexpr int kPointerReadsMax = 100;

// What may be there before the first run: the log, its archive, what serves it.
constexpr std::array<std::string_view, 8> kBeforeRuns = {
    "lock", "manifest.lock", "millrace.json.new", "log", "archive", "pubsub", "pubsub.json", "pubsub.json.new"};

// Whether a folder that has no manifest may become a data directory.
Status CheckFresh(const std::string& path) {
  MILLRACE_ASSIGN_OR_RETURN(const std::vector<std::string> names, base::PosixFileSystem().List(path));
  for (const std::string& name : names) {
    if (name == "millrace.json") return OkStatus();  // it has come since somebody looked
    if (std::find(kBeforeRuns.begin(), kBeforeRuns.end(), name) != kBeforeRuns.end()) continue;
    return FailedPreconditionError(path + " holds other things (such as " + name +
                                   ") and no millrace.json; give an empty or a new directory");
  }
  return OkStatus();
}

StatusOr<bool> HasManifest(const std::string& path) {
  return base::PosixFileSystem().Exists(DirectoryManifestPath(path));
}

Status NoDirectory(const std::string& path, const DirectoryHolder& holder) {
  // A directory's first run has the lock before it has written the manifest.
  if (DirectoryLock::HolderOf(path)) return DirectoryLock::HeldError(path);
  const std::string make = "make one: " + holder.program + " run --data_dir=" + path;
  const StatusOr<bool> has_log = base::PosixFileSystem().Exists(path + "/log");
  if (has_log.ok() && *has_log) return NotFoundError(path + " has a log and no results: no run has begun; " + make);
  return NotFoundError("there is no data directory " + path + "; " + make);
}

Status NoResults(const std::string& path, const DirectoryHolder& holder, const DirectoryManifest& manifest) {
  const std::string run = holder.program + " run --data_dir=" + path;
  if (!manifest.running) {
    return FailedPreconditionError("the data directory " + path +
                                   " has no results: no run has come to its end yet; run " + run);
  }
  if (DirectoryLock::HolderOf(path)) return DirectoryLock::HeldError(path);
  return FailedPreconditionError(
      "the data directory " + path +
      " has no results yet: its run was ended before the first checkpoint; resume it: " + run);
}

// What keeps the log for the checkpoints of a generation that is no more.
void RemoveHoldsOf(const std::string& path, const std::string& generation_name) {
  const std::string log = path + "/log";
  const StatusOr<std::vector<std::string>> topics = base::PosixFileSystem().List(log);
  if (!topics.ok()) return;
  for (const std::string& topic : *topics) {
    static_cast<void>(log::RemoveHold(base::PosixFileSystem(), log, topic, "run-" + generation_name));
  }
}

}  // namespace

Status DataDirectory::Update(const std::function<Status(DirectoryManifest&)>& change) {
  MILLRACE_ASSIGN_OR_RETURN(manifest_, UpdateDirectoryManifest(path_, change));
  return OkStatus();
}

Status DataDirectory::TakeGeneration(std::uint64_t generation) {
  MILLRACE_ASSIGN_OR_RETURN(DirectoryLock lock, DirectoryLock::Take(FolderOf(generation), holder_));
  generation_lock_.emplace(std::move(lock));
  generation_ = generation;
  return OkStatus();
}

StatusOr<DataDirectory> DataDirectory::OpenToWrite(const std::string& path, const DirectoryHolder& holder,
                                                   const std::string& job_name, bool runs) {
  MILLRACE_RETURN_IF_ERROR(base::CreateDurableFolders(base::PosixFileSystem(), path).WithContext("--data_dir"));
  MILLRACE_ASSIGN_OR_RETURN(const bool exists, HasManifest(path));
  if (!exists) MILLRACE_RETURN_IF_ERROR(CheckFresh(path));
  DataDirectory directory(path);
  directory.holder_ = holder;
  if (runs) {
    MILLRACE_ASSIGN_OR_RETURN(DirectoryLock lock, DirectoryLock::Take(path, holder));
    directory.run_lock_.emplace(std::move(lock));
  }
  MILLRACE_ASSIGN_OR_RETURN(directory.manifest_, ReadDirectoryManifest(path));
  if (directory.manifest_.job_name.empty()) {
    MILLRACE_RETURN_IF_ERROR(directory.Update([&](DirectoryManifest& manifest) {
      if (manifest.job_name.empty()) manifest.job_name = job_name;
      return OkStatus();
    }));
  }
  if (directory.manifest_.job_name != job_name) {
    return FailedPreconditionError("the data directory " + path + " belongs to the job " +
                                   directory.manifest_.job_name + ", this one is " + job_name +
                                   "; give another --data_dir");
  }
  return directory;
}

StatusOr<DataDirectory> DataDirectory::OpenForRun(const std::string& path, const DirectoryHolder& holder,
                                                  const std::string& job_name) {
  return OpenToWrite(path, holder, job_name, true);
}

StatusOr<DataDirectory> DataDirectory::OpenForReplay(const std::string& path, const DirectoryHolder& holder,
                                                     const std::string& job_name) {
  return OpenToWrite(path, holder, job_name, false);
}

StatusOr<DataDirectory> DataDirectory::OpenGeneration(const std::string& path, const DirectoryHolder& holder,
                                                      std::uint64_t generation) {
  DataDirectory directory(path);
  directory.holder_ = holder;
  MILLRACE_ASSIGN_OR_RETURN(const bool exists, base::PosixFileSystem().Exists(directory.FolderOf(generation)));
  if (!exists) return NotFoundError("there is no generation " + std::to_string(generation) + " in " + path);
  MILLRACE_RETURN_IF_ERROR(directory.TakeGeneration(generation));
  MILLRACE_ASSIGN_OR_RETURN(directory.manifest_, ReadDirectoryManifest(path));
  return directory;
}

StatusOr<DataDirectory> DataDirectory::OpenForStatus(const std::string& path, const DirectoryHolder& holder) {
  MILLRACE_ASSIGN_OR_RETURN(const bool exists, HasManifest(path));
  if (!exists) return NoDirectory(path, holder);
  if (DirectoryLock::HolderOf(path)) return DirectoryLock::HeldError(path);
  MILLRACE_ASSIGN_OR_RETURN(DirectoryManifest manifest, ReadDirectoryManifest(path));
  const std::uint64_t generation = manifest.generation_in_use();
  if (generation > 0) return OpenGeneration(path, holder, generation);
  DataDirectory directory(path);
  directory.manifest_ = std::move(manifest);
  return directory;
}

StatusOr<DataDirectory> DataDirectory::OpenForReading(const std::string& path, const DirectoryHolder& holder) {
  MILLRACE_ASSIGN_OR_RETURN(const bool exists, HasManifest(path));
  if (!exists) return NoDirectory(path, holder);
  Status last = OkStatus();
  for (int i = 0; i < kPointerReadsMax; ++i) {
    MILLRACE_ASSIGN_OR_RETURN(const DirectoryManifest manifest, ReadDirectoryManifest(path));
    if (manifest.generation == 0) return NoResults(path, holder, manifest);
    StatusOr<DataDirectory> directory = OpenGeneration(path, holder, manifest.generation);
    if (directory.ok() && directory->manifest_.generation == manifest.generation) return directory;
    last = directory.status();
    if (!last.ok() && last.code() != StatusCode::kNotFound) return last;
  }
  return last.ok() ? UnavailableError("the results in " + path + " change too fast to be read") : last;
}

void DataDirectory::RemoveUnmentioned() const {
  const auto changes = LockDirectoryManifest(path_);
  const StatusOr<std::vector<std::string>> names = base::PosixFileSystem().List(path_);
  const StatusOr<DirectoryManifest> manifest = ReadDirectoryManifest(path_);
  if (!changes.ok() || !names.ok() || !manifest.ok()) return;
  for (const std::string& name : *names) {
    if (!name.starts_with(kGenerationPrefix)) continue;
    std::uint64_t number = 0;
    const std::string_view digits = std::string_view(name).substr(std::string_view(kGenerationPrefix).size());
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (error != std::errc() || manifest->Mentions(number)) continue;
    const std::string folder = path_ + "/" + name;
    if (number != generation_ || !generation_lock_) {
      // Somebody still reads it, or fills it before it is mentioned; the next run tries again.
      const StatusOr<DirectoryLock> lock = DirectoryLock::TryTake(folder, holder_);
      if (!lock.ok()) continue;
    }
    static_cast<void>(RemoveGeneration(path_, number));  // what stays costs space only; the next run tries again
  }
}

Status DataDirectory::RemoveGeneration(const std::string& path, std::uint64_t generation) {
  const std::string folder = GenerationFolder(path, generation);
  RemoveHoldsOf(path, folder.substr(path.size() + 1));
  std::error_code error;
  std::filesystem::remove_all(folder, error);
  return error ? UnavailableError("cannot remove " + folder + ": " + error.message()) : OkStatus();
}

// Its number is free, and it is taken before anybody else can find it unmentioned.
Status DataDirectory::MakeGeneration(std::uint64_t least_number) {
  MILLRACE_ASSIGN_OR_RETURN(const auto changes, LockDirectoryManifest(path_));
  MILLRACE_ASSIGN_OR_RETURN(manifest_, ReadDirectoryManifest(path_));
  std::uint64_t generation = std::max(manifest_.next_generation(), least_number);
  for (;; ++generation) {
    MILLRACE_ASSIGN_OR_RETURN(const bool exists, base::PosixFileSystem().Exists(FolderOf(generation)));
    if (!exists) break;  // else another process fills it just now
  }
  MILLRACE_RETURN_IF_ERROR(base::PosixFileSystem().CreateFolders(FolderOf(generation)));
  MILLRACE_RETURN_IF_ERROR(base::PosixFileSystem().SyncFolder(path_));
  return TakeGeneration(generation);
}

Status DataDirectory::NoteTopology(const std::string& topology) {
  if (manifest_.topology == topology) return OkStatus();
  return Update([&](DirectoryManifest& manifest) {
    manifest.topology = topology;
    return OkStatus();
  });
}

StatusOr<std::string> DataDirectory::BeginGeneration(bool is_fresh) {
  if (manifest_.running && !is_fresh) {
    return FailedPreconditionError(
        "the data directory " + path_ + " holds a run with checkpoints that has not come to its end (generation " +
        std::to_string(manifest_.running->generation) + ", attempt " + std::to_string(manifest_.running->attempt) +
        "); resume it: run --streaming with --checkpoint_interval; or give it up: --fresh; or give another --data_dir");
  }
  RemoveUnmentioned();
  MILLRACE_RETURN_IF_ERROR(MakeGeneration(0));
  return FolderOf(generation_);
}

Status DataDirectory::MakeCurrent(const std::string& mode, Timestamp now, bool is_finished) {
  MILLRACE_RETURN_IF_ERROR(base::PosixFileSystem().SyncFolder(FolderOf(generation_)));
  MILLRACE_RETURN_IF_ERROR(base::PosixFileSystem().SyncFolder(path_));
  MILLRACE_RETURN_IF_ERROR(Update([&](DirectoryManifest& manifest) {
    if (BesideGeneration* mine = manifest.FindBeside(generation_)) {
      mine->is_resumable = mine->is_resumable && !is_finished;
      return OkStatus();
    }
    manifest.generation = generation_;
    manifest.mode = mode;
    manifest.written_at = now;
    if (is_finished) manifest.running.reset();
    return OkStatus();
  }));
  RemoveUnmentioned();
  return OkStatus();
}

Status DataDirectory::Promote(const std::string& mode, Timestamp now) { return MakeCurrent(mode, now, true); }

void DataDirectory::Abandon() { RemoveUnmentioned(); }

StatusOr<GenerationOfRun> DataDirectory::BeginNext(
    const GenerationStart& start, const std::function<Status(DirectoryManifest&, std::uint64_t)>& enter) {
  MILLRACE_RETURN_IF_ERROR(MakeGeneration(start.after + 1));
  const std::uint64_t generation = generation_;
  Status begun = start.fill ? start.fill(FolderOf(generation)) : OkStatus();
  if (begun.ok()) {
    begun = Update([&](DirectoryManifest& manifest) {
      if (manifest.Mentions(generation))
        return AbortedError("another process has begun generation " + std::to_string(generation) + "; try again");
      return enter(manifest, generation);
    });
  }
  RemoveUnmentioned();  // one that was given up, or this one where it could not begin
  MILLRACE_RETURN_IF_ERROR(begun);
  return GenerationOfRun{.folder = FolderOf(generation), .generation = generation, .attempt = 1};
}

StatusOr<GenerationOfRun> DataDirectory::Resume(
    std::uint64_t generation, const std::function<Status(DirectoryManifest&, std::uint64_t*)>& raise) {
  const std::string folder = FolderOf(generation);
  MILLRACE_ASSIGN_OR_RETURN(const bool exists, base::PosixFileSystem().Exists(folder));
  if (!exists) return FailedPreconditionError(folder + ", which is to be resumed, is gone; start anew with --fresh");
  MILLRACE_RETURN_IF_ERROR(TakeGeneration(generation));
  GenerationOfRun run{.folder = folder, .generation = generation, .attempt = 0, .is_resumed = true};
  MILLRACE_RETURN_IF_ERROR(Update([&](DirectoryManifest& manifest) { return raise(manifest, &run.attempt); }));
  return run;
}

StatusOr<GenerationOfRun> DataDirectory::ResumeOrBeginGeneration(bool is_fresh, const GenerationStart& start) {
  RemoveUnmentioned();
  if (!manifest_.running || is_fresh) {
    return BeginNext(start, [](DirectoryManifest& manifest, std::uint64_t generation) {
      manifest.running = {.generation = generation, .attempt = 1};
      return OkStatus();
    });
  }
  const std::uint64_t resumed = manifest_.running->generation;
  return Resume(resumed, [&](DirectoryManifest& manifest, std::uint64_t* attempt) {
    if (!manifest.running || manifest.running->generation != resumed) {
      return AbortedError("another generation was promoted just now; try again");
    }
    *attempt = ++manifest.running->attempt;
    return OkStatus();
  });
}

StatusOr<GenerationOfRun> DataDirectory::ResumeOrBeginReplay(bool is_fresh, const EventTimeRange& range,
                                                             Timestamp now) {
  RemoveUnmentioned();
  std::uint64_t resumed = 0;
  for (const BesideGeneration& other : manifest_.beside) {
    if (other.purpose == BesideGeneration::kReplayed && other.is_resumable) resumed = other.generation;
  }
  if (resumed == 0 || is_fresh) {
    // Whoever runs the one that is given up is found out here.
    if (resumed > 0) MILLRACE_RETURN_IF_ERROR(DirectoryLock::Take(FolderOf(resumed), holder_).status());
    return BeginNext({}, [&](DirectoryManifest& manifest, std::uint64_t generation) {
      std::erase_if(manifest.beside, [&](const BesideGeneration& other) { return other.generation == resumed; });
      manifest.beside.push_back({.generation = generation,
                                 .attempt = 1,
                                 .purpose = BesideGeneration::kReplayed,
                                 .is_resumable = true,
                                 .begun_at = now,
                                 .range = range});
      return OkStatus();
    });
  }
  return Resume(resumed, [&](DirectoryManifest& manifest, std::uint64_t* attempt) {
    BesideGeneration* mine = manifest.FindBeside(resumed);
    if (mine == nullptr) return AbortedError("the replay was promoted or dropped just now; try again");
    if (mine->range != range) {
      return FailedPreconditionError("the replay that is to be gone on with reads " + mine->range.ToString() +
                                     ", this one " + range.ToString() + "; give the same --from and --to, or --fresh");
    }
    *attempt = ++mine->attempt;
    return OkStatus();
  });
}

Status DataDirectory::NoteCheckpoint(Timestamp now) {
  const bool is_first = manifest_.generation == 0 && manifest_.FindBeside(generation_) == nullptr;
  return is_first ? PromoteRunning(now) : OkStatus();
}

Status DataDirectory::PromoteRunning(Timestamp now) {
  if (generation_ == 0) return InternalError("no generation is running in " + path_);
  return MakeCurrent("streaming", now, false);
}

Status DataDirectory::FinishRunning(Timestamp now) {
  if (generation_ == 0) return InternalError("no generation is running in " + path_);
  return MakeCurrent("streaming", now, true);
}

StatusOr<std::string> CheckpointFolderOf(const std::string& path, const std::optional<std::uint64_t>& generation) {
  MILLRACE_ASSIGN_OR_RETURN(const DirectoryManifest manifest, ReadDirectoryManifest(path));
  const std::uint64_t chosen = generation.value_or(manifest.generation_in_use());
  if (chosen == 0) return NotFoundError("there are no checkpoints in " + path + ": no run has begun there");
  if (!manifest.Mentions(chosen)) {
    return NotFoundError("there is no generation " + std::to_string(chosen) + " in " + path);
  }
  return GenerationFolder(path, chosen) + "/checkpoints";
}

}  // namespace millrace::cli
