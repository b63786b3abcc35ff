// The manifest of an archive: see docs/formats/archive.md. Values; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/core/status.h"
#include "millrace/core/timestamp.h"

namespace millrace::archive {

inline constexpr std::uint64_t kManifestBytesMax = std::uint64_t{256} << 20;

/// A control record of the log: `time` is the watermark that it advances its partition to.
struct ArchivedControl {
  std::int64_t offset = 0;
  Timestamp publish_time;
  Timestamp time;

  friend bool operator==(const ArchivedControl&, const ArchivedControl&) = default;
};

/// What became of the offsets [from, to) of a partition. Times are those of the data records.
struct ArchivedRange {
  std::string path = {};  // empty: control records only
  std::int32_t partition = 0;
  std::int64_t from = 0;
  std::int64_t to = 0;
  std::int64_t count = 0;
  std::uint64_t bytes = 0;
  std::string digest = {};
  std::optional<Timestamp> least_event_time = {};
  std::optional<Timestamp> greatest_event_time = {};
  std::optional<Timestamp> least_publish_time = {};
  std::optional<Timestamp> greatest_publish_time = {};
  std::vector<ArchivedControl> controls = {};

  /// The row of the first data record at or behind `offset`, which is in the range.
  std::int64_t RowOf(std::int64_t offset) const;

  friend bool operator==(const ArchivedRange&, const ArchivedRange&) = default;
};

/// A file that a compaction has replaced and that is still there for readers of older manifests.
struct SupersededFile {
  std::string path;
  Timestamp at;

  friend bool operator==(const SupersededFile&, const SupersededFile&) = default;
};

/// The whole of it.
struct Manifest {
  std::string topic;
  std::int32_t partitions = 0;
  std::uint64_t attempt = 0;
  std::uint64_t sequence = 0;
  std::string written_by;
  Timestamp written_at;
  std::vector<ArchivedRange> ranges;  // by partition, then offset
  std::vector<SupersededFile> superseded;

  /// The range that holds that offset, or null.
  const ArchivedRange* Find(std::int32_t partition, std::int64_t offset) const;
  /// The ranges of a partition, in order.
  std::pair<std::size_t, std::size_t> RangesOf(std::int32_t partition) const;
  /// Where the archive of a partition begins and ends; nothing where it has no range.
  std::optional<std::pair<std::int64_t, std::int64_t>> BoundsOf(std::int32_t partition) const;
  /// The next offset per partition: where the archive ends, 0 where there is nothing.
  std::vector<std::int64_t> Cut() const;
  /// Adds a range at its place.
  void Add(ArchivedRange range);

  friend bool operator==(const Manifest&, const Manifest&) = default;
};

/// The manifest's bytes. RESOURCE_EXHAUSTED when they are too many; INVALID_ARGUMENT when it breaks a rule of the
/// format: that is a mistake of the writer.
StatusOr<std::string> WriteManifest(const Manifest& manifest);

/// Reads what `WriteManifest` writes. DATA_LOSS names the line and what is wrong with it: a wrong digest, a member
/// missing, a hole or an overlap; UNIMPLEMENTED: another format.
StatusOr<Manifest> ParseManifest(std::string_view bytes);

}  // namespace millrace::archive
