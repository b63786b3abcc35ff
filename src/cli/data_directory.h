// The data directory of a program: who uses it, and where the results of its runs are.
//
//   DIR/lock                  held while a process uses the directory; says who it is
//   DIR/millrace.json         format, job, the generation that holds the results, and the one that can be resumed
//   DIR/generation-N/         warehouse.duckdb, views/ and checkpoints/ of one run and those that resume it
//
// A run writes a generation of its own; it takes the place of the earlier one by one rename of millrace.json. So a run
// that fails or is killed leaves the earlier results as they were. A run with checkpoints is resumed by the next one,
// in the same generation and as a further attempt.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/file_system.h"
#include "millrace/core/status.h"
#include "millrace/core/timestamp.h"

namespace millrace::cli {

/// Who uses a data directory, as its lock file tells.
struct DirectoryHolder {
  std::int64_t pid = 0;
  std::string program;
  std::string verb;
  Timestamp since;

  /// "`flights run` (pid 1234, since 2001-01-01T12:30:00Z)".
  std::string ToString() const;
};

/// A generation whose run has checkpoints and has not come to its end.
struct RunningGeneration {
  std::uint64_t generation = 0;
  std::uint64_t attempt = 0;  // of the process that runs it, or ran it last; from 1
};

/// What millrace.json holds.
struct DirectoryManifest {
  std::int32_t format = 1;
  std::string job_name;
  std::uint64_t generation = 0;  // 0: no run has given results yet
  std::string mode;              // of the run that gave them: "batch" or "streaming"
  std::optional<Timestamp> written_at;
  std::optional<RunningGeneration> running;  // may be the one that holds the results
};

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

/// A data directory that this process holds, until the object is destroyed. One thread at a time.
class DataDirectory {
 public:
  /// Takes the directory for a run and makes it if it is missing. FAILED_PRECONDITION names the process that holds it;
  /// it is also the answer for a directory of another job, or one that holds other things.
  static StatusOr<DataDirectory> OpenForRun(const std::string& path, const DirectoryHolder& holder,
                                            const std::string& job_name);
  /// Takes the directory to read its results. Waits some seconds for another reader, never for a run. NOT_FOUND when
  /// there is no data directory, FAILED_PRECONDITION when it has no results yet.
  static StatusOr<DataDirectory> OpenForReading(const std::string& path, const DirectoryHolder& holder);

  /// The same, with or without results.
  static StatusOr<DataDirectory> OpenForStatus(const std::string& path, const DirectoryHolder& holder);
  /// The process that holds the directory now, if there is one.
  static std::optional<DirectoryHolder> HolderOf(const std::string& path);

  DataDirectory(DataDirectory&&) noexcept;
  DataDirectory& operator=(DataDirectory&&) = delete;
  ~DataDirectory();

  const std::string& path() const { return path_; }
  const DirectoryManifest& manifest() const { return manifest_; }
  /// The folder of the results.
  std::string CurrentFolder() const { return FolderOf(manifest_.generation); }
  std::string FolderOf(std::uint64_t generation) const;

  /// For a run without checkpoints: makes an empty folder for the results, whose number is `next_generation`; what
  /// earlier runs left behind without a promise is removed. FAILED_PRECONDITION where a run could be resumed, unless
  /// `is_fresh`: then that one goes when this run is promoted.
  StatusOr<std::string> BeginGeneration(bool is_fresh);
  std::uint64_t next_generation() const;
  /// Makes the new generation the current one, durably, and removes the others. All its files are closed.
  Status Promote(const std::string& mode, Timestamp now);
  /// Removes the new generation's folder: its run has given no result.
  void Abandon();

  /// For a run with checkpoints: goes on with the generation that was left unfinished, as the next attempt, or begins a
  /// new one; `is_fresh` begins a new one and gives the unfinished one up (where that one holds the results, they stay
  /// until `NoteCheckpoint` or `PromoteRunning`). Durable when it returns: no two runs are the same attempt.
  /// FAILED_PRECONDITION if the unfinished generation's folder is gone.
  StatusOr<GenerationOfRun> ResumeOrBeginGeneration(bool is_fresh, const GenerationStart& start = {});
  /// A checkpoint of the running generation is committed: it becomes the current one if there are no results yet.
  Status NoteCheckpoint(Timestamp now);
  /// The run was stopped, with a checkpoint: the running generation becomes the current one, and can be resumed.
  Status PromoteRunning(Timestamp now);
  /// The run has come to its end: as `PromoteRunning`, but the next run begins a new generation.
  Status FinishRunning(Timestamp now);

 private:
  DataDirectory(std::string path, std::unique_ptr<base::FileLock> lock);
  friend StatusOr<std::string> CheckpointFolderOf(const std::string& path);
  static StatusOr<DataDirectory> Take(const std::string& path, const DirectoryHolder& holder);
  Status ReadManifest();
  Status WriteManifest(const DirectoryManifest& manifest);
  Status MakeFolder(std::uint64_t generation) const;
  Status MakeCurrent(std::uint64_t generation, const std::string& mode, Timestamp now,
                     const std::optional<RunningGeneration>& running);
  void RemoveOtherGenerations() const;

  std::string path_;
  std::unique_ptr<base::FileLock> lock_;
  DirectoryManifest manifest_;
};

/// Where the checkpoints are of the run that can be resumed, or else of the one that gave the results; read without
/// taking the directory. NOT_FOUND when there is no data directory or no run in it yet.
StatusOr<std::string> CheckpointFolderOf(const std::string& path);

}  // namespace millrace::cli
