// The data directory of a program: who uses it, and where the results of its runs are.
//
//   DIR/lock                       held while a process runs the program's pipeline
//   DIR/millrace.json              the generations, and which one is read (directory_manifest.h)
//   DIR/generation-N/lock          held while a process writes the generation, or reads its files
//   DIR/generation-N/              warehouse.duckdb, views/ and checkpoints/ of one run and those that resume it
//
// A run writes a generation of its own; it takes the place of the earlier one by one rename of millrace.json. So a run
// that fails or is killed leaves the earlier results as they were. A run with checkpoints is resumed by the next one,
// in the same generation and as a further attempt. A replay builds a generation beside the one that is read, and runs
// beside its process; once it is promoted it is what `run` goes on with (generations.h).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "cli/directory_lock.h"
#include "cli/directory_manifest.h"
#include "millrace/core/status.h"
#include "millrace/core/timestamp.h"

namespace millrace::cli {

/// Where a run writes.
struct GenerationOfRun {
  std::string folder;
  std::uint64_t generation = 0;
  std::uint64_t attempt = 0;
  bool is_resumed = false;  // there was an earlier attempt; whether it came to a checkpoint is another question
};

/// What a new generation begins with, other than nothing.
struct GenerationStart {
  std::uint64_t after = 0;  // its number is above this one
  /// Fills its folder, durably. What a failure or a crash leaves is removed; the generation has not begun then.
  std::function<Status(const std::string& folder)> fill = nullptr;
};

/// A data directory of which this process holds a part, until the object is destroyed. One thread at a time.
class DataDirectory {
 public:
  /// Takes the directory for a run and makes it if it is missing. FAILED_PRECONDITION names the process that holds it;
  /// it is also the answer for a directory of another job, or one that holds other things.
  static StatusOr<DataDirectory> OpenForRun(const std::string& path, const DirectoryHolder& holder,
                                            const std::string& job_name);
  /// Opens the directory for a replay, which may go on beside a run.
  static StatusOr<DataDirectory> OpenForReplay(const std::string& path, const DirectoryHolder& holder,
                                               const std::string& job_name);
  /// Takes the generation of the results to read its files. Waits some seconds for another reader, never for who runs
  /// it. NOT_FOUND when there is no data directory, FAILED_PRECONDITION when it has no results yet.
  static StatusOr<DataDirectory> OpenForReading(const std::string& path, const DirectoryHolder& holder);
  /// Takes that generation to read its files.
  static StatusOr<DataDirectory> OpenGeneration(const std::string& path, const DirectoryHolder& holder,
                                                std::uint64_t generation);
  /// Takes what the directory's next run would go on with, or else the results, if there is either.
  static StatusOr<DataDirectory> OpenForStatus(const std::string& path, const DirectoryHolder& holder);
  /// Removes the folder of a generation that is taken and not mentioned any more, and what keeps the log for it.
  static Status RemoveGeneration(const std::string& path, std::uint64_t generation);
  /// The process that runs the directory's pipeline now, if there is one.
  static std::optional<DirectoryHolder> HolderOf(const std::string& path) { return DirectoryLock::HolderOf(path); }

  const std::string& path() const { return path_; }
  /// As it was when this process last read or changed it.
  const DirectoryManifest& manifest() const { return manifest_; }
  /// The folder of the generation that was taken to be read.
  std::string ReadFolder() const { return FolderOf(generation_); }
  std::string FolderOf(std::uint64_t generation) const { return GenerationFolder(path_, generation); }
  /// Of this process: what it runs or reads.
  std::uint64_t generation() const { return generation_; }

  /// Notes how the directory is used, for verbs that are not told.
  Status NoteTopology(const std::string& topology);

  /// For a run without checkpoints: makes an empty folder for the results, whose number is then `generation()`; what
  /// earlier runs left behind without a promise is removed. FAILED_PRECONDITION where a run could be resumed, unless
  /// `is_fresh`: then that one goes when this run is promoted.
  StatusOr<std::string> BeginGeneration(bool is_fresh);
  /// Makes the new generation the current one, durably, and removes those that nobody needs. All its files are closed.
  Status Promote(const std::string& mode, Timestamp now);
  /// Removes the new generation's folder: its run has given no result.
  void Abandon();

  /// For a run with checkpoints: goes on with the generation that was left unfinished, as the next attempt, or begins a
  /// new one; `is_fresh` begins a new one and gives the unfinished one up (where that one holds the results, they stay
  /// until `NoteCheckpoint` or `PromoteRunning`). Durable when it returns: no two runs are the same attempt.
  /// FAILED_PRECONDITION if the unfinished generation's folder is gone, or a replay that was promoted still runs it.
  StatusOr<GenerationOfRun> ResumeOrBeginGeneration(bool is_fresh, const GenerationStart& start = {});
  /// The same for a replay: it goes on with the unfinished one unless `is_fresh`. `range` is of a replay of a part.
  StatusOr<GenerationOfRun> ResumeOrBeginReplay(bool is_fresh, const EventTimeRange& range, Timestamp now);
  /// A checkpoint of the running generation is committed: it becomes the current one if there are no results yet.
  Status NoteCheckpoint(Timestamp now);
  /// The run was stopped, with a checkpoint: its generation becomes the current one, and can be resumed. One that
  /// another was promoted before, or that is a replay's, stays beside.
  Status PromoteRunning(Timestamp now);
  /// The run has come to its end: as `PromoteRunning`, but no later run goes on with the generation.
  Status FinishRunning(Timestamp now);

 private:
  explicit DataDirectory(std::string path) : path_(std::move(path)) {}
  static StatusOr<DataDirectory> OpenToWrite(const std::string& path, const DirectoryHolder& holder,
                                             const std::string& job_name, bool runs);
  Status Update(const std::function<Status(DirectoryManifest&)>& change);
  Status TakeGeneration(std::uint64_t generation);
  StatusOr<GenerationOfRun> BeginNext(const GenerationStart& start,
                                      const std::function<Status(DirectoryManifest&, std::uint64_t)>& enter);
  StatusOr<GenerationOfRun> Resume(std::uint64_t generation,
                                   const std::function<Status(DirectoryManifest&, std::uint64_t*)>& raise);
  Status MakeGeneration(std::uint64_t least_number);
  Status MakeCurrent(const std::string& mode, Timestamp now, bool is_finished);
  void RemoveUnmentioned() const;

  std::string path_;
  DirectoryHolder holder_;
  std::optional<DirectoryLock> run_lock_;         // of a run
  std::optional<DirectoryLock> generation_lock_;  // of what is written or read
  std::uint64_t generation_ = 0;
  DirectoryManifest manifest_;
};

/// Where the checkpoints are of that generation, or of the run that can be resumed, or else of the one that gave the
/// results; read without taking the directory. NOT_FOUND when there is no data directory or no run in it yet.
StatusOr<std::string> CheckpointFolderOf(const std::string& path,
                                         const std::optional<std::uint64_t>& generation = std::nullopt);

}  // namespace millrace::cli
