// Where the archive of a topic lives: a folder of this machine, or a bucket. The archive needs little of it: objects
// that are put once and never change, and one manifest that is replaced under a condition (docs/formats/archive.md).
//
//   auto store = millrace::archive::OpenFolderStore("data/archive/flights");
//
// Names of objects are relative paths with '/' between their parts, without empty parts, "." and "..". Errors name the
// store and the object: NOT_FOUND, ALREADY_EXISTS, ABORTED, INVALID_ARGUMENT (a name that is none), RESOURCE_EXHAUSTED
// (no room), UNAVAILABLE (may work later; after one from a write it is not known whether the write has happened),
// DATA_LOSS, PERMISSION_DENIED. Implementations are thread safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/core/status.h"

namespace millrace {

/// The manifest as the store has it.
struct StoredManifest {
  std::string bytes;
  /// What a replacement must name; 0: there is no manifest yet. Greater than every earlier one, but not dense.
  std::int64_t version = 0;
};

/// One object of a store.
struct StoredObject {
  std::string name;
  std::uint64_t bytes = 0;
};

/// See above. What a call has done is durable when it returns OK.
class ArchiveStore {
 public:
  virtual ~ArchiveStore() = default;

  /// What people call it: a path or an address.
  virtual std::string name() const = 0;

  /// The current manifest; version 0 and no bytes where there is none.
  virtual StatusOr<StoredManifest> GetManifest() = 0;
  /// Replaces the manifest in one step if `expected_version` is the current one (0: if there is none yet) and gives the
  /// new version. ABORTED when another one was faster: nothing has changed.
  virtual StatusOr<std::int64_t> ReplaceManifest(std::string_view bytes, std::int64_t expected_version) = 0;

  /// Makes the object `name` with that content, in one step. ALREADY_EXISTS when the name is taken.
  virtual Status PutIfAbsent(const std::string& name, std::string_view content) = 0;
  /// The same with the content of the file at `local_path`, whose content is synced. The file is the store's when it
  /// succeeds: a folder moves it.
  virtual Status PutFileIfAbsent(const std::string& name, const std::string& local_path) = 0;
  /// A folder of this machine, made if missing, where files for `PutFileIfAbsent` are best written: in a folder store
  /// they need no copy from there. Whoever uses it cleans it.
  virtual StatusOr<std::string> StagingFolder() = 0;

  /// The objects whose names begin with `prefix`, by name; neither the manifest nor what is staged.
  virtual StatusOr<std::vector<StoredObject>> List(std::string_view prefix) = 0;
  /// NOT_FOUND where there is none.
  virtual Status Remove(const std::string& name) = 0;

  /// Up to `max_bytes` bytes of an object from `offset` on: fewer only where it ends.
  virtual StatusOr<std::string> Read(const std::string& name, std::uint64_t offset, std::size_t max_bytes) = 0;
  /// A file of this machine with the object's content, to be read and not changed: in a folder the object itself, else
  /// a copy that lasts as long as the store. NOT_FOUND.
  virtual StatusOr<std::string> LocalPath(const std::string& name) = 0;
};

namespace archive {

/// The store in a folder, which is made by the first write. Several processes may use it at once.
std::shared_ptr<ArchiveStore> OpenFolderStore(std::string folder);

}  // namespace archive

}  // namespace millrace
