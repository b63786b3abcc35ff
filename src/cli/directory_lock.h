// Who uses a data directory or one of its generations: a file that is locked while a process does, and says who it is.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/file_system.h"
#include "millrace/core/status.h"
#include "millrace/core/timestamp.h"

namespace millrace::cli {

/// Who holds a lock, as its file tells.
struct DirectoryHolder {
  std::int64_t pid = 0;
  std::string program;
  std::string verb;
  Timestamp since;

  /// "`flights run` (pid 1234, since 2001-01-01T12:30:00Z)".
  std::string ToString() const;
  /// Whether it is a process that goes on for as long as it likes, not one that only reads something.
  bool RunsAPipeline() const { return verb == "run" || verb == "replay"; }
};

/// The file `lock` of a folder, held until the object is destroyed.
class DirectoryLock {
 public:
  /// Waits some seconds for a reader, never for a process that runs a pipeline: FAILED_PRECONDITION names it. NOT_FOUND
  /// when there is no such folder.
  static StatusOr<DirectoryLock> Take(const std::string& folder, const DirectoryHolder& holder);
  /// Takes it if nobody has it.
  static StatusOr<DirectoryLock> TryTake(const std::string& folder, const DirectoryHolder& holder);
  /// The process that holds it now, if there is one.
  static std::optional<DirectoryHolder> HolderOf(const std::string& folder);
  /// What to tell of a folder that another process holds.
  static Status HeldError(const std::string& folder);

  DirectoryLock(DirectoryLock&&) noexcept;
  DirectoryLock& operator=(DirectoryLock&&) noexcept;
  ~DirectoryLock();

 private:
  DirectoryLock(std::string folder, std::unique_ptr<base::FileLock> lock);
  void Release();

  std::string folder_;
  std::unique_ptr<base::FileLock> lock_;
};

}  // namespace millrace::cli
