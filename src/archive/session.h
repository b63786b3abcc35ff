// A writer's turn at an archive: it takes the archive over by one replacement of the manifest, and from then on its
// replacements succeed until somebody else takes over. See "Writing" in docs/formats/archive.md.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "archive/manifest.h"
#include "base/clock.h"
#include "base/file_system.h"
#include "millrace/core/status.h"
#include "millrace/io/archive_store.h"

namespace millrace::archive {

/// What a session needs to know. Everything outlives it.
struct SessionOptions {
  std::shared_ptr<ArchiveStore> store;
  base::FileSystem* files = nullptr;       // of this machine: for what is staged
  const base::WallClock* clock = nullptr;  // of `written_at` and the grace
  std::string topic;
  std::int32_t partitions = 0;
  std::string written_by;                   // for people
  std::string_view extension = ".parquet";  // of the files
};

/// One thread at a time.
class ArchiveSession {
 public:
  /// Takes the archive over, making it if there is none, and removes the orphans of earlier attempts.
  /// FAILED_PRECONDITION when it is of another topic or number of partitions; DATA_LOSS when its manifest is damaged.
  static StatusOr<std::unique_ptr<ArchiveSession>> Open(SessionOptions options);

  const Manifest& manifest() const { return manifest_; }
  std::uint64_t attempt() const { return manifest_.attempt; }
  Timestamp Now() const { return options_.clock->Now(); }
  /// Orphans that `Open` removed.
  std::int64_t orphans_removed() const { return orphans_removed_; }

  /// A path for a file to be written, in the staging folder.
  StatusOr<std::string> StagedPath();
  /// Gives the file at `local_path` its name in the store. It is an orphan until `Commit`.
  Status Put(const std::string& name, const std::string& local_path);

  /// Replaces the manifest by `next`, a changed copy of `manifest()`; attempt, sequence, author and time are set here.
  /// ABORTED when somebody else has taken over: from then on everything fails so, and says who it was. UNAVAILABLE when
  /// the manifest has changed since the copy was made, after an error: begin the round anew.
  Status Commit(Manifest next);
  /// After an error of a round: finds out what the manifest is, makes it durable, and removes the round's files if it
  /// does not name them. Nothing is done when there was no error.
  Status Recover();

  /// Removes superseded files older than `grace`, and then their lines. Gives their number.
  StatusOr<std::int64_t> RemoveSuperseded(Duration grace);

 private:
  explicit ArchiveSession(SessionOptions options) : options_(std::move(options)) {}
  Status TakeOver();
  Status RemoveOrphans();
  Status RemoveStaged();
  Status Replace(Manifest next);
  Status Reload();
  Status TakenOver(const Manifest& other);
  Status RemoveUncommitted(const Manifest& current);

  SessionOptions options_;
  Manifest manifest_;
  std::int64_t version_ = 0;
  bool is_known_ = true;  // whether manifest_ is what the store has
  Status taken_over_;     // not OK once somebody else has taken over
  std::vector<std::string> uncommitted_;
  std::uint64_t next_staged_ = 0;
  std::int64_t orphans_removed_ = 0;
};

/// Reads the manifest of a store; an error names the store. An empty manifest of attempt 0 where there is none.
struct LoadedManifest {
  Manifest manifest;
  std::int64_t version = 0;
};
StatusOr<LoadedManifest> LoadManifest(ArchiveStore& store);

}  // namespace millrace::archive
