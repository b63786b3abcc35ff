// The seam between the code and files: what a log, a checkpoint or a manifest needs, so that a test can put a file
// system below that loses what was not synced. Paths are those of the machine, relative ones from the working
// directory. Errors name the path and what the system said: NOT_FOUND, ALREADY_EXISTS, PERMISSION_DENIED,
// RESOURCE_EXHAUSTED (disk or descriptors), FAILED_PRECONDITION (a folder where a file is meant, or the reverse),
// DATA_LOSS (the device failed).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/core/status.h"

namespace millrace::base {

enum class OpenMode : std::uint8_t {
  kRead,       // the file exists; writing fails
  kCreate,     // the file does not exist yet; reading and writing
  kReadWrite,  // created when it does not exist; reading and writing
};

/// An open file; the destructor closes it. Reads and writes at different places may run at once on several threads;
/// `Append` needs exclusion from other writers.
class File {
 public:
  virtual ~File() = default;

  /// Fills `bytes` from `offset` on and gives how many were read: fewer only where the file ends.
  virtual StatusOr<std::size_t> ReadAt(std::uint64_t offset, std::span<std::byte> bytes) const = 0;

  /// Writes all of `bytes` at `offset`. After an error some of them may be written.
  virtual Status WriteAt(std::uint64_t offset, std::span<const std::byte> bytes) = 0;

  /// Writes all of `bytes` at the end. After an error some of them may be written.
  virtual Status Append(std::span<const std::byte> bytes) = 0;

  /// In bytes.
  virtual StatusOr<std::uint64_t> Size() const = 0;

  /// Cuts the file or lengthens it with zeros to `size` bytes.
  virtual Status Truncate(std::uint64_t size) = 0;

  /// Returns when all that was written is on the device. After an error nothing is known about what was written since
  /// the last success, and a further Sync does not tell: give the file up and recover from what was synced before.
  virtual Status Sync() = 0;
};

/// A lock held by this process; the destructor gives it back, and so does the end of the process.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

/// A file system. Thread safe.
class FileSystem {
 public:
  virtual ~FileSystem() = default;

  virtual StatusOr<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) = 0;

  virtual StatusOr<bool> Exists(const std::string& path) = 0;

  /// The names (not paths) in a folder, sorted, without "." and "..".
  virtual StatusOr<std::vector<std::string>> List(const std::string& folder) = 0;

  /// Makes a folder and those above it that are missing; nothing happens when it is there.
  virtual Status CreateFolders(const std::string& folder) = 0;

  /// Replaces `to` in one step when it exists. Durable after SyncFolder of both folders.
  virtual Status Rename(const std::string& from, const std::string& to) = 0;

  /// Removes a file or an empty folder.
  virtual Status Remove(const std::string& path) = 0;

  /// Returns when the names in the folder (created, renamed, removed files) are on the device.
  virtual Status SyncFolder(const std::string& folder) = 0;

  /// Takes the lock file at `path`, created when missing and never removed. FAILED_PRECONDITION at once when another
  /// process, or this one, holds it.
  virtual StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path) = 0;
};

/// The file system of the machine. Lives as long as the process.
FileSystem& PosixFileSystem();

/// The whole content of a file. RESOURCE_EXHAUSTED when it is larger than `max_bytes`.
StatusOr<std::string> ReadFile(FileSystem& files, const std::string& path, std::uint64_t max_bytes);

/// Gives `path` the `content` in one step, durably: whoever reads it, also after a crash, sees all of the old content
/// or all of the new. Writes `path` + ".new" on the way; one writer at a time.
Status ReplaceFile(FileSystem& files, const std::string& path, std::string_view content);

/// Makes a folder and those above it that are missing, durably. The one above it is synced also when nothing was
/// missing: a process that was killed may have made it and not come to that.
Status CreateDurableFolders(FileSystem& files, const std::string& folder);

/// The folder that holds `path`: "a" for "a/b", "/" for "/a", "." for "a".
std::string FolderOf(std::string_view path);

}  // namespace millrace::base
