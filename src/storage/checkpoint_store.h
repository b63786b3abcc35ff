// Durable checkpoints in a folder (docs/formats/checkpoints.md). A checkpoint is committed by the rename of its
// manifest and by nothing else: after a crash at any moment the newest one is the last whose Write succeeded, or the
// one that was being written, and is whole.
//
//   CheckpointStore store = *CheckpointStore::Open(files, generation_folder + "/checkpoints");
//   auto latest = *store.Latest();                        // DATA_LOSS: the newest one is damaged
//   if (latest) store.ContinueFrom(*latest);              // after CompareForRestore and ReadSection of its chains
//   std::uint64_t attempt = *store.BeginAttempt();
//   store.Write({.epoch = store.next_epoch(), .attempt = attempt, ...});
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/file_system.h"
#include "millrace/core/status.h"
#include "storage/checkpoint.h"

namespace millrace::storage {

/// The option that names an older checkpoint to restore; the errors about a damaged one speak of it.
inline constexpr std::string_view kRestoreEpochOption = "--restore_epoch";

struct CheckpointStoreOptions {
  /// So many of the newest checkpoints are kept; at least 1.
  std::size_t keep = 2;
  /// Measures how long a checkpoint takes.
  const base::WallClock* clock = &base::SystemClock();
};

/// How long a chain has become; an engine writes a state in full when the deltas outweigh it.
struct ChainSize {
  std::size_t sections = 0;
  std::uint64_t full_bytes = 0;   // of the full section
  std::uint64_t delta_bytes = 0;  // of all sections behind it
};

/// A checkpoint in a folder, or why it cannot be read.
struct ListedCheckpoint {
  std::uint64_t epoch = 0;
  StatusOr<CheckpointManifest> manifest;
};

/// Gets the chunks of a section in order.
using detail::ChunkVisitor;

/// The checkpoints of a folder, the newest first. Only reads, so a run may be writing there. Empty when there is no
/// such folder. Looks at manifests, not at data.
StatusOr<std::vector<ListedCheckpoint>> ListCheckpoints(base::FileSystem& files, const std::string& folder);

/// The newest checkpoint of a folder, or nothing when there is none. DATA_LOSS (FAILED_PRECONDITION: the format of a
/// later version) when it cannot be read, with the older ones that can.
StatusOr<std::optional<CheckpointManifest>> LatestCheckpoint(base::FileSystem& files, const std::string& folder);

/// The checkpoint of that epoch; NOT_FOUND lists those that there are.
StatusOr<CheckpointManifest> FindCheckpoint(base::FileSystem& files, const std::string& folder, std::uint64_t epoch);

/// Gives the chunks of a section of the checkpoints in `folder` to `visit`, each verified. DATA_LOSS names file,
/// section and offset and says what to do; what was visited before it is then of no use. An error of `visit` is handed
/// on.
Status ReadSection(base::FileSystem& files, const std::string& folder, const SectionRef& section,
                   const ChunkVisitor& visit);
/// The whole content of a section.
StatusOr<std::string> ReadSection(base::FileSystem& files, const std::string& folder, const SectionRef& section);

/// Reads and verifies every section that the checkpoint needs.
Status VerifyCheckpoint(base::FileSystem& files, const std::string& folder, const CheckpointManifest& checkpoint);

/// Copies a checkpoint into a folder of its own (a snapshot), durably and verified on the way; `ListCheckpoints`,
/// `LatestCheckpoint` and `ReadSection` read it like any other. ALREADY_EXISTS when there is one. What a failure or a
/// crash leaves is no checkpoint and is overwritten.
Status SaveSnapshot(base::FileSystem& files, const std::string& from_folder, const CheckpointManifest& checkpoint,
                    const std::string& to_folder);

/// Writes the checkpoints of one folder. Only one at a time for a folder (the data directory's lock sees to that). One
/// thread at a time; ReadSection and the functions above may run beside it.
class CheckpointStore {
 public:
  /// Makes the folder if needed and removes what an interrupted writer left. A damaged checkpoint is no error here.
  static StatusOr<CheckpointStore> Open(base::FileSystem& files, std::string folder,
                                        CheckpointStoreOptions options = {});
  CheckpointStore(CheckpointStore&&) noexcept = default;
  CheckpointStore& operator=(CheckpointStore&&) = delete;

  const std::string& folder() const { return folder_; }

  /// As the functions above.
  StatusOr<std::optional<CheckpointManifest>> Latest() const { return LatestCheckpoint(*files_, folder_); }
  StatusOr<CheckpointManifest> Find(std::uint64_t epoch) const { return FindCheckpoint(*files_, folder_, epoch); }
  Status ReadSection(const SectionRef& section, const ChunkVisitor& visit) const;
  StatusOr<std::string> ReadSection(const SectionRef& section) const;
  Status SaveAs(const CheckpointManifest& checkpoint, const std::string& to_folder) const;

  /// Counts this attempt, durably: 1 at the first call of a generation, one more at each later one, also after a crash.
  StatusOr<std::uint64_t> BeginAttempt();

  /// The least epoch that `Write` takes: above every one that is or may be in the folder.
  std::uint64_t next_epoch() const { return next_epoch_; }

  /// The next checkpoint goes on from `restored`, a checkpoint of this folder: its chains are what deltas are added to.
  /// Without it the first checkpoint needs a full section of each state.
  void ContinueFrom(CheckpointManifest restored) { base_ = std::move(restored); }

  /// The next checkpoint has an epoch above `epoch`, that of a checkpoint of another folder which the run begins from:
  /// its sinks have seen the epochs up to it.
  void BeginAfter(std::uint64_t epoch) { next_epoch_ = std::max(next_epoch_, epoch + 1); }

  /// Writes and commits a checkpoint, then removes what is no longer needed. After an error the checkpoint before is
  /// still there; this one may turn out to be committed when the folder is opened again, but only whole.
  /// RESOURCE_EXHAUSTED: the disk is full, a later checkpoint may succeed. INVALID_ARGUMENT: an epoch below
  /// `next_epoch`, a delta or nothing for a state that has no chain, two states or sinks of one name.
  StatusOr<CheckpointManifest> Write(const CheckpointContents& contents);

  /// Of the last checkpoint that was written or continued from; all 0 for a state that it does not have, or has in
  /// another layout: its next section must be a full one.
  ChainSize ChainSizeOf(const StateDescription& state) const;

 private:
  CheckpointStore(base::FileSystem& files, std::string folder, CheckpointStoreOptions options)
      : files_(&files), folder_(std::move(folder)), options_(options) {}

  Status CheckContents(const CheckpointContents& contents) const;
  StatusOr<CheckpointManifest> WriteData(const CheckpointContents& contents) const;
  Status Commit(const CheckpointManifest& manifest);
  void RemoveNeedless();
  std::string PathOf(const std::string& name) const { return folder_ + "/" + name; }

  base::FileSystem* files_;
  std::string folder_;
  CheckpointStoreOptions options_;
  std::optional<CheckpointManifest> base_;
  std::uint64_t next_epoch_ = 1;
  std::uint64_t greatest_attempt_ = 0;

  // The data files that each manifest in the folder needs, by epoch; nothing for one that cannot be read.
  std::map<std::uint64_t, std::optional<std::set<std::string>>> manifests_;
  std::set<std::uint64_t> removed_;  // of these, the ones whose removal is not synced yet
};

}  // namespace millrace::storage
