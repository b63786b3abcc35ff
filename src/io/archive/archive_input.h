// What all copies of one archive source share: the store, and the newest version of the manifest that one of them has
// asked for.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>

#include "archive/manifest.h"
#include "archive/record_file.h"
#include "millrace/core/status.h"
#include "millrace/io/archive_store.h"

namespace millrace::detail {

/// One version of the manifest; version 0: there is no archive.
struct ManifestVersion {
  archive::Manifest manifest;
  std::int64_t version = 0;
};

/// Thread safe.
class ArchiveInput {
 public:
  ArchiveInput(std::shared_ptr<ArchiveStore> store, archive::RecordFileFormat& format)
      : store_(std::move(store)), format_(format) {}

  ArchiveStore& store() const { return *store_; }
  archive::RecordFileFormat& format() const { return format_; }

  /// Reads the manifest.
  StatusOr<std::shared_ptr<const ManifestVersion>> Refresh();
  /// The version that was read last; the first call reads it.
  StatusOr<std::shared_ptr<const ManifestVersion>> Current();
  /// A version that is newer than `known`, if there is one; `known` itself if not.
  StatusOr<std::shared_ptr<const ManifestVersion>> Newer(std::shared_ptr<const ManifestVersion> known);

 private:
  Status Load();

  const std::shared_ptr<ArchiveStore> store_;
  archive::RecordFileFormat& format_;
  std::mutex mutex_;
  std::shared_ptr<const ManifestVersion> current_;
};

}  // namespace millrace::detail
