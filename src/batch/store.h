// Writes the versions of a batch layer: files first, then the manifest that names them (docs/formats/batch.md).
//
//   DATA/batch/manifest.json                                  the only truth
//   DATA/batch/versions/VIEW/day=2001-01-05/7.parquet         the cells of a view in version 7 of the partition
//   DATA/batch/current/VIEW/day=2001-01-05/cells.parquet      the same file as the current version, for any client
//   DATA/batch/staging/                                       of a recompute that goes on
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "batch/manifest.h"
#include "batch/partitioning.h"
#include "millrace/core/status.h"

namespace millrace::batch {

/// What a writer needs to know. Everything outlives it.
struct StoreOptions {
  std::string folder;  // DATA/batch
  const base::WallClock* clock = nullptr;
  std::string topic;
  std::string unit;                           // of its partitions
  std::size_t keep_versions = 3;              // of each partition; at least 1
  Duration grace = std::chrono::minutes(10);  // for how long files that are not kept stay for readers
};

/// A partition that was computed, with files in the staging folder.
struct ComputedPartition {
  Timestamp from;
  struct View {
    std::string view;
    std::string staged = {};  // empty: no cells
    std::int64_t rows = 0;
  };
  std::vector<View> views = {};
};

/// What all partitions of one recompute have in common.
struct VersionFacts {
  std::string engine;
  std::string code_version;
  std::vector<std::int64_t> cut;
};

/// The one writer of a batch layer: the caller holds the lock of its folder. One thread.
class Store {
 public:
  /// Makes the folders, and removes what an interrupted writer left. FAILED_PRECONDITION for a batch layer of another
  /// topic or with other partitions.
  static StatusOr<Store> Open(StoreOptions options);

  const Manifest& manifest() const { return manifest_; }
  /// An empty folder for the files of a recompute.
  StatusOr<std::string> MakeStaging();
  /// Makes the partitions current, all at once, as one new version, whose number it gives. After an error all is as it
  /// was, or the version is there wholly.
  StatusOr<std::uint64_t> Commit(const Partitioning& partitioning, std::vector<ComputedPartition> partitions,
                                 const VersionFacts& facts);
  /// Replaces what was noted of which partitions are dirty.
  Status Note(const std::function<void(Manifest&)>& change);

 private:
  explicit Store(StoreOptions options) : options_(std::move(options)) {}
  StatusOr<ViewFile> PutFile(const std::string& folder, std::uint64_t version, const ComputedPartition::View& view);
  Status Replace(Manifest next);
  void RemoveOrphans() const;
  Status Publish(const Partition& partition) const;
  std::string PathOf(const std::string& name) const { return options_.folder + "/" + name; }

  StoreOptions options_;
  Manifest manifest_;
};

}  // namespace millrace::batch
