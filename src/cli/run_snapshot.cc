#include "cli/run_snapshot.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <span>
#include <system_error>
#include <vector>

#include "base/file_system.h"
#include "base/status_macros.h"
#include "cli/run_results.h"
#include "storage/checkpoint_store.h"

namespace millrace::cli {

namespace {

constexpr std::size_t kPieceBytes = 1 << 20;
// What DuckDB has committed and not yet moved into its file, after a run that was killed.
constexpr const char* kWriteAheadLog = ".wal";

Status CopyFile(const std::string& from, const std::string& to) {
  MILLRACE_ASSIGN_OR_RETURN(const auto source, base::PosixFileSystem().Open(from, base::OpenMode::kRead));
  MILLRACE_ASSIGN_OR_RETURN(const auto target, base::PosixFileSystem().Open(to, base::OpenMode::kCreate));
  std::vector<std::byte> piece(kPieceBytes);
  for (std::uint64_t offset = 0;;) {
    MILLRACE_ASSIGN_OR_RETURN(const std::size_t count, source->ReadAt(offset, piece));
    if (count == 0) return target->Sync();
    MILLRACE_RETURN_IF_ERROR(target->Append(std::span(piece).first(count)));
    offset += count;
  }
}

// A RocksDB store is its folder's files, but for its lock and its notes for people.
Status CopyLookup(const std::string& from, const std::string& to) {
  MILLRACE_RETURN_IF_ERROR(base::CreateDurableFolders(base::PosixFileSystem(), to));
  MILLRACE_ASSIGN_OR_RETURN(const std::vector<std::string> names, base::PosixFileSystem().List(from));
  for (const std::string& name : names) {
    std::error_code error;
    const bool is_file = std::filesystem::is_regular_file(from + "/" + name, error);
    if (!is_file || name.starts_with("LO")) continue;  // LOCK, LOG, LOG.old.N
    MILLRACE_RETURN_IF_ERROR(CopyFile(from + "/" + name, to + "/" + name));
  }
  return base::PosixFileSystem().SyncFolder(to);
}

Status CopyStores(const std::string& from, const std::string& to) {
  MILLRACE_RETURN_IF_ERROR(CopyFile(WarehousePath(from), WarehousePath(to)));
  MILLRACE_ASSIGN_OR_RETURN(const bool has_log, base::PosixFileSystem().Exists(WarehousePath(from) + kWriteAheadLog));
  if (has_log) {
    MILLRACE_RETURN_IF_ERROR(CopyFile(WarehousePath(from) + kWriteAheadLog, WarehousePath(to) + kWriteAheadLog));
  }
  MILLRACE_RETURN_IF_ERROR(CopyLookup(LookupPath(from), LookupPath(to)));
  return base::PosixFileSystem().SyncFolder(to);
}

void RemoveStores(const std::string& folder) {
  for (const std::string& path : {WarehousePath(folder), WarehousePath(folder) + kWriteAheadLog, LookupPath(folder)}) {
    std::error_code ignored;  // what is left is met by the copy, which says so
    std::filesystem::remove_all(path, ignored);
  }
}

}  // namespace

Status CheckSnapshotFolder(const std::string& to) {
  MILLRACE_ASSIGN_OR_RETURN(const auto listed, storage::ListCheckpoints(base::PosixFileSystem(), to));
  return listed.empty() ? OkStatus() : AlreadyExistsError(to + " holds a snapshot already; give a new folder");
}

StatusOr<storage::CheckpointManifest> SaveRunSnapshot(const std::string& generation_folder, const std::string& to) {
  const std::string from = CheckpointsPath(generation_folder);
  MILLRACE_ASSIGN_OR_RETURN(std::optional<storage::CheckpointManifest> latest,
                            storage::LatestCheckpoint(base::PosixFileSystem(), from));
  if (!latest) return NotFoundError("the run has left no checkpoint in " + from);
  MILLRACE_RETURN_IF_ERROR(base::CreateDurableFolders(base::PosixFileSystem(), to));
  MILLRACE_RETURN_IF_ERROR(CheckSnapshotFolder(to));
  RemoveStores(to);
  MILLRACE_RETURN_IF_ERROR(CopyStores(generation_folder, to));
  MILLRACE_RETURN_IF_ERROR(storage::SaveSnapshot(base::PosixFileSystem(), from, *latest, to));
  return *std::move(latest);
}

StatusOr<storage::CheckpointManifest> ReadRunSnapshot(const std::string& folder) {
  MILLRACE_ASSIGN_OR_RETURN(std::optional<storage::CheckpointManifest> latest,
                            storage::LatestCheckpoint(base::PosixFileSystem(), folder));
  if (!latest) return NotFoundError("there is no snapshot in " + folder);
  for (const std::string& store : {WarehousePath(folder), LookupPath(folder)}) {
    MILLRACE_ASSIGN_OR_RETURN(const bool exists, base::PosixFileSystem().Exists(store));
    if (exists) continue;
    return FailedPreconditionError(
        "the snapshot in " + folder + " has a checkpoint, but not the views that belong to " + "it: " + store +
        " is missing (earlier versions made no copy of it). A run from it " +
        "would lack every cell that was written before: make the snapshot again, by stop " + "--snapshot");
  }
  return *std::move(latest);
}

Status CopyRunSnapshot(const std::string& folder, const storage::CheckpointManifest& checkpoint,
                       const std::string& generation_folder) {
  MILLRACE_RETURN_IF_ERROR(CopyStores(folder, generation_folder));
  return storage::SaveSnapshot(base::PosixFileSystem(), folder, checkpoint, CheckpointsPath(generation_folder));
}

}  // namespace millrace::cli
