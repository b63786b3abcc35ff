// The manifest of a batch layer, DATA/batch/manifest.json: see docs/formats/batch.md. Values; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/file_system.h"
#include "batch/partitioning.h"
#include "millrace/core/status.h"
#include "millrace/core/timestamp.h"

namespace millrace::batch {

/// The cells of one view in one version of a partition.
struct ViewFile {
  std::string view;
  std::string path = {};  // below the folder of the batch layer; empty: there are no cells
  std::int64_t rows = 0;
  std::uint64_t bytes = 0;

  friend bool operator==(const ViewFile&, const ViewFile&) = default;
};

/// One computation of a partition. Immutable.
struct PartitionVersion {
  std::uint64_t version = 0;  // rises from one recompute of the batch layer to the next
  Timestamp written_at;       // rises with it, strictly
  std::string engine = {};    // "native" or "sql"
  std::string code_version = {};
  std::vector<std::int64_t> cut = {};  // all records before it were read: the next offset of each partition of the log
  std::vector<ViewFile> views = {};

  const ViewFile* Find(const std::string& view) const;
  friend bool operator==(const PartitionVersion&, const PartitionVersion&) = default;
};

/// A partition and the versions of it that are kept, the newest first: that one is current.
struct Partition {
  std::string name;
  Timestamp from;
  Timestamp to;
  std::vector<PartitionVersion> versions = {};
  /// Of the first version that there ever was.
  std::uint64_t first_version = 0;
  Timestamp first_written_at = {};
  /// Records up to this cut, at or behind that of the current version, were looked at, and ...
  std::vector<std::int64_t> checked = {};
  /// ... one of them belongs to the partition: it is to be computed again.
  bool is_dirty = false;

  friend bool operator==(const Partition&, const Partition&) = default;
};

/// A file of a version that is not kept any more, still there for readers of older manifests.
struct SupersededFile {
  std::string path;
  Timestamp at;

  friend bool operator==(const SupersededFile&, const SupersededFile&) = default;
};

/// The whole of it.
struct Manifest {
  std::int32_t format = 1;
  std::string topic;
  std::string every = {};                  // "day" or "hour"
  std::uint64_t revision = 0;              // rises with each replacement
  std::uint64_t version = 0;               // the greatest that any partition has had
  Timestamp written_at = {};               // of that version
  std::vector<Partition> partitions = {};  // in the order of time, without overlap
  std::vector<SupersededFile> superseded = {};

  const Partition* Find(Timestamp from) const;
  Partition* Find(Timestamp from);
  friend bool operator==(const Manifest&, const Manifest&) = default;
};

/// Which state of the batch layer to read.
struct AsOf {
  std::optional<std::uint64_t> version = {};
  std::optional<Timestamp> time = {};

  bool is_newest() const { return !version && !time; }
  /// "12" is a version, "2001-01-05T12:30:00Z" a time of writing. INVALID_ARGUMENT for anything else.
  static StatusOr<AsOf> Parse(const std::string& text);
};

/// One version of each partition: what a reader reads. Refers to the manifest.
struct Snapshot {
  struct Entry {
    const Partition* partition;
    const PartitionVersion* version;
  };
  std::vector<Entry> entries;  // of consecutive partitions
  /// The windows that the batch layer answers for end in it: after `from`, and at `to` at the latest. Empty: none.
  TimeRange range = {};
  /// What there is behind the first partition that is missing, and so is not used.
  std::int64_t behind_a_hole = 0;

  bool empty() const { return entries.empty(); }
};

/// The newest versions, or those that were the newest then. NOT_FOUND names the oldest state that can still be read,
/// where versions that would be needed are not kept any more, or the batch layer is younger.
StatusOr<Snapshot> SnapshotOf(const Manifest& manifest, const AsOf& as_of = {});

/// DATA_LOSS for a damaged file, FAILED_PRECONDITION for one of another format; the default where there is none.
StatusOr<Manifest> ReadManifest(base::FileSystem& files, const std::string& folder);
/// Replaces it in one step, durably. One writer at a time.
Status WriteManifest(base::FileSystem& files, const std::string& folder, const Manifest& manifest);

/// Whether one cut is at or behind the other in every partition of the log.
bool Covers(const std::vector<std::int64_t>& cut, const std::vector<std::int64_t>& other);

}  // namespace millrace::batch
