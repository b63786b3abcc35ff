// DIR/millrace.json: which generations a data directory has, and which one is read.
//
// Several processes change it: the run, a replay beside it, and verbs. Each change is a read, a step and an atomic
// replacement under the lock DIR/manifest.lock. Reading takes no lock. The name of the current generation in it is the
// one pointer that readers resolve.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/file_system.h"
#include "millrace/core/status.h"
#include "millrace/core/timestamp.h"

namespace millrace::cli {

/// A generation whose run has checkpoints and has not come to its end.
struct RunningGeneration {
  std::uint64_t generation = 0;
  std::uint64_t attempt = 0;  // of the process that runs it, or ran it last; from 1
};

/// What a replay reads of its topic; without either bound everything.
struct EventTimeRange {
  std::optional<Timestamp> from;
  std::optional<Timestamp> to;  // exclusive

  bool is_all() const { return !from && !to; }
  /// "everything", "events from 2001-01-01T00:00:00Z on", "events before ...", "events from ... to before ...".
  std::string ToString() const;
  friend bool operator==(const EventTimeRange&, const EventTimeRange&) = default;
};

/// A generation that is neither read nor what `run` goes on with.
struct BesideGeneration {
  std::uint64_t generation = 0;
  std::uint64_t attempt = 0;  // as above; 0: a run without checkpoints
  std::string purpose;        // kReplayed or kKept
  bool is_resumable = false;
  Timestamp begun_at;
  EventTimeRange range;  // of a replay of a part; such a one is never promoted

  static constexpr const char* kReplayed = "replay";  // is built by a replay
  static constexpr const char* kKept = "kept";        // was read before another one was promoted
};

/// What millrace.json holds.
struct DirectoryManifest {
  std::int32_t format = 2;
  std::string job_name;
  std::string topology;
  std::uint64_t generation = 0;  // 0: no run has given results yet
  std::string mode;              // of the run that gave them: "batch" or "streaming"
  std::optional<Timestamp> written_at;
  std::optional<RunningGeneration> running;  // what `run` goes on with; may be the one that holds the results
  std::vector<BesideGeneration> beside;

  std::uint64_t next_generation() const;
  /// What `run` goes on with, or else what is read; 0: neither.
  std::uint64_t generation_in_use() const { return running ? running->generation : generation; }
  /// Null if there is none of that number beside.
  BesideGeneration* FindBeside(std::uint64_t number);
  const BesideGeneration* FindBeside(std::uint64_t number) const;
  bool Mentions(std::uint64_t number) const;
  /// Whether a run or a replay can go on with it.
  bool IsResumable(std::uint64_t number) const;
};

/// DATA_LOSS for a damaged file, FAILED_PRECONDITION for one of another format; the default where there is none.
StatusOr<DirectoryManifest> ReadDirectoryManifest(const std::string& path);

/// Applies `change` to what is there and writes the result, durably, and gives it. An error of `change` changes
/// nothing.
StatusOr<DirectoryManifest> UpdateDirectoryManifest(const std::string& path,
                                                    const std::function<Status(DirectoryManifest&)>& change);

/// The lock of all changes, for who also changes folders of generations. Waits some seconds for it.
StatusOr<std::unique_ptr<base::FileLock>> LockDirectoryManifest(const std::string& path);

/// The file's name, and the folder of a generation.
std::string DirectoryManifestPath(const std::string& path);
std::string GenerationFolder(const std::string& path, std::uint64_t generation);
inline constexpr const char* kGenerationPrefix = "generation-";

}  // namespace millrace::cli
