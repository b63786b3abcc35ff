// A file system in memory for tests of crashes and of failing devices: it keeps the promises of POSIX and not one more.
// What was written but not synced may be lost wholly or in parts, torn at sectors of 512 bytes and reordered; names
// that were created, renamed or removed may be lost until their folder is synced, a new folder's own name included. The
// same seed and the same operations give the same losses. Only tests, benchmarks and simulations use it.
//
//   SimulatedFileSystem files({.seed = seed});
//   files.CrashAfter(n);   // power fails at the change after the next n
//   Work(files);           // gets UNAVAILABLE from then on
//   files.Restart();
//   Check(files);
//
// There is one root; "/a" and "a" are the same. It exists from the start and nothing else does.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/file_system.h"

namespace millrace::base {

/// What is counted and can fail.
enum class FileOperation : std::uint8_t {
  kOpen,   // of a file
  kRead,   // File::ReadAt
  kWrite,  // File::WriteAt, Append, Truncate
  kSync,   // File::Sync
  kNames,  // what creates, renames or removes a name
  kSyncFolder,
};
inline constexpr std::size_t kFileOperations = 6;

struct SimulatedFileSystemOptions {
  std::uint64_t seed = 1;

  /// True: at a power cut the changes of names are kept up to some point in their order, as journaling file systems do.
  /// False: any of them may be kept or lost, but those of one name stay in order.
  bool names_in_order = false;
};

/// A simulated file system. Thread safe; deterministic only when the operations come in one order. Files and locks must
/// not outlive it. Its errors have the codes of file_system.h, and end with "(simulated)" where a fault was asked for.
class SimulatedFileSystem final : public FileSystem {
 public:
  explicit SimulatedFileSystem(SimulatedFileSystemOptions options);
  SimulatedFileSystem(const SimulatedFileSystem&) = delete;
  SimulatedFileSystem& operator=(const SimulatedFileSystem&) = delete;
  ~SimulatedFileSystem() override;

  StatusOr<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override;
  StatusOr<bool> Exists(const std::string& path) override;
  StatusOr<std::vector<std::string>> List(const std::string& folder) override;
  Status CreateFolders(const std::string& folder) override;
  Status Rename(const std::string& from, const std::string& to) override;
  Status Remove(const std::string& path) override;
  Status SyncFolder(const std::string& folder) override;
  StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path) override;

  // Crashes. From a crash on every operation gives UNAVAILABLE until Restart. Open files stay UNAVAILABLE for good, and
  // locks are given back.

  /// Power fails: what is not synced is lost as the seed says.
  void Crash();
  /// The process ends: what it wrote is there, though not yet synced.
  void Kill();
  /// Crash (or Kill) at the change after the next `changes` ones; whether that one was still done is up to the seed. A
  /// change is every operation but open for reading, read, list, exists and size.
  void CrashAfter(std::uint64_t changes);
  void KillAfter(std::uint64_t changes);
  /// Makes operations work again, and forgets a crash that has not come yet and the faults below.
  void Restart();
  bool crashed() const;

  // Faults.

  /// The `nth` operation of this kind from now on (1 is the next) fails with DATA_LOSS, as a device's EIO. A write has
  /// then written a part of its bytes. After a failed sync the device has a part of what was written, and a later sync
  /// does not write the rest. With `path_part`, only operations on paths that contain it count.
  void FailAt(FileOperation operation, std::uint64_t nth, std::string path_part = {});
  /// From now on files may grow by `bytes` in all (what becomes smaller or is removed gives room again); a write beyond
  /// that writes what there is room for and fails with RESOURCE_EXHAUSTED, and so does a new file when there is none.
  /// Without a number there is no limit, as at the start. Restart does not change it.
  void SetFreeBytes(std::optional<std::uint64_t> bytes);
  /// Flips the bits of `mask` in one byte of a file, on the device too. Aborts when there is no such byte.
  void Flip(const std::string& path, std::uint64_t offset, std::uint8_t mask);

  // Figures.

  /// The changes (see CrashAfter) asked for so far, failed ones included.
  std::uint64_t changes() const;
  /// How often an operation was asked for.
  std::uint64_t count(FileOperation operation) const;
  /// Of all files that have a name.
  std::uint64_t used_bytes() const;

 private:
  friend class SimulatedFile;
  friend class SimulatedFileLock;
  class State;
  const std::unique_ptr<State> state_;
};

}  // namespace millrace::base
