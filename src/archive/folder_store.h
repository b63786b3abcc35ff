// The archive's store in a folder: see io/archive_store.h and docs/formats/archive.md.
#pragma once

#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_system.h"
#include "millrace/io/archive_store.h"

namespace millrace::archive {

/// A store in `folder`. Nothing is read or made before the first call. `files` outlives it.
class FolderStore final : public ArchiveStore {
 public:
  FolderStore(base::FileSystem& files, std::string folder) : files_(files), folder_(std::move(folder)) {}

  std::string name() const override { return folder_; }
  StatusOr<StoredManifest> GetManifest() override;
  StatusOr<std::int64_t> ReplaceManifest(std::string_view bytes, std::int64_t expected_version) override;
  Status PutIfAbsent(const std::string& name, std::string_view content) override;
  Status PutFileIfAbsent(const std::string& name, const std::string& local_path) override;
  StatusOr<std::string> StagingFolder() override;
  StatusOr<std::vector<StoredObject>> List(std::string_view prefix) override;
  Status Remove(const std::string& name) override;
  StatusOr<std::string> Read(const std::string& name, std::uint64_t offset, std::size_t max_bytes) override;
  StatusOr<std::string> LocalPath(const std::string& name) override;

 private:
  StatusOr<std::string> PathOf(const std::string& name) const;
  StatusOr<std::unique_ptr<base::FileLock>> Lock();
  Status MakeFolder(const std::string& folder);
  Status ListFolder(const std::string& below, std::string_view prefix, int depth, std::vector<StoredObject>* found);

  base::FileSystem& files_;
  const std::string folder_;
  std::mutex mutex_;
  std::set<std::string> durable_folders_;
};

}  // namespace millrace::archive
