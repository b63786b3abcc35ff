// The data directory of a program: who uses it, and where the results of its last run are.
//
//   DIR/lock                  held while a process uses the directory; says who it is
//   DIR/millrace.json         format, job and the number of the generation that holds the results
//   DIR/generation-N/         warehouse.duckdb and views/ of one run
//
// Each run writes a generation of its own; it takes the place of the earlier one by one rename of millrace.json. So a
// run that fails or is killed leaves the earlier results as they were.
#pragma once

#include <cstdint>
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

/// What millrace.json holds.
struct DirectoryManifest {
  std::int32_t format = 1;
  std::string job_name;
  std::uint64_t generation = 0;  // 0: no run has given results yet
  std::string mode;              // of the run that gave them: "batch" or "streaming"
  std::optional<Timestamp> written_at;
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

  DataDirectory(DataDirectory&&) noexcept;
  DataDirectory& operator=(DataDirectory&&) = delete;
  ~DataDirectory();

  const std::string& path() const { return path_; }
  const DirectoryManifest& manifest() const { return manifest_; }
  /// The folder of the results.
  std::string CurrentFolder() const { return FolderOf(manifest_.generation); }

  /// Makes an empty folder for the results of a new run, whose number is `next_generation`; what earlier runs left
  /// unfinished is removed.
  StatusOr<std::string> BeginGeneration();
  std::uint64_t next_generation() const { return manifest_.generation + 1; }
  /// Makes the new generation the current one, durably, and removes the one before. All its files are closed.
  Status Promote(const std::string& mode, Timestamp now);
  /// Removes the new generation's folder: its run has given no result.
  void Abandon();

 private:
  DataDirectory(std::string path, std::unique_ptr<base::FileLock> lock);
  static StatusOr<DataDirectory> Take(const std::string& path, const DirectoryHolder& holder);
  Status ReadManifest();
  Status WriteManifest(const DirectoryManifest& manifest);
  std::string FolderOf(std::uint64_t generation) const;
  void RemoveOtherGenerations() const;

  std::string path_;
  std::unique_ptr<base::FileLock> lock_;
  DirectoryManifest manifest_;
};

}  // namespace millrace::cli
