#include "batch/manifest.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/status_macros.h"
#include "millrace/core/json.h"

namespace millrace::batch {

namespace {

constexpr std::int32_t kFormat = 1;
constexpr std::uint64_t kBytesMax = std::uint64_t{256} << 20;

std::string PathOf(const std::string& folder) { return folder + "/manifest.json"; }

struct Head {
  std::int32_t format = 0;
};

// The first rule of the format that a manifest breaks.
std::string BrokenRule(const Manifest& manifest) {
  Timestamp end = Timestamp::Min();
  for (const Partition& partition : manifest.partitions) {
    const std::string name = "partition " + partition.name;
    if (partition.from < end || partition.to <= partition.from) return name + " overlaps another one";
    end = partition.to;
    if (partition.versions.empty()) return name + " has no version";
    for (std::size_t i = 0; i < partition.versions.size(); ++i) {
      const PartitionVersion& version = partition.versions[i];
      if (version.version == 0 || version.version > manifest.version) return name + " has an impossible version";
      if (i == 0) continue;
      const PartitionVersion& newer = partition.versions[i - 1];
      if (version.version >= newer.version || version.written_at >= newer.written_at) {
        return name + " has versions out of order";
      }
    }
  }
  return "";
}

std::string OldestState(const Manifest& manifest) {
  std::uint64_t oldest = 0;
  Timestamp written_at;
  for (const Partition& partition : manifest.partitions) {
    const PartitionVersion& first = partition.versions.back();
    if (first.version <= oldest) continue;
    oldest = first.version;
    written_at = first.written_at;
  }
  return "the oldest state that can be read wholly is version " + std::to_string(oldest) + ", written at " +
         written_at.ToString();
}

bool IsVisible(const PartitionVersion& version, const AsOf& as_of) {
  if (as_of.version) return version.version <= *as_of.version;
  return !as_of.time || version.written_at <= *as_of.time;
}

}  // namespace

const ViewFile* PartitionVersion::Find(const std::string& view) const {
  const auto found = std::find_if(views.begin(), views.end(), [&](const ViewFile& file) { return file.view == view; });
  return found != views.end() ? &*found : nullptr;
}

const Partition* Manifest::Find(Timestamp from) const {
  const auto found = std::lower_bound(partitions.begin(), partitions.end(), from,
                                      [](const Partition& partition, Timestamp at) { return partition.from < at; });
  return found != partitions.end() && found->from == from ? &*found : nullptr;
}
Partition* Manifest::Find(Timestamp from) {
  return const_cast<Partition*>(std::as_const(*this).Find(from));  // NOLINT: this object is not const
}

StatusOr<AsOf> AsOf::Parse(const std::string& text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size()) return AsOf{.version = number};
  const StatusOr<Timestamp> time = Timestamp::Parse(text);
  if (time.ok()) return AsOf{.time = *time};
  return InvalidArgumentError("\"" + text + "\" is neither a version (12) nor a time (2001-01-05T12:30:00Z)");
}

StatusOr<Snapshot> SnapshotOf(const Manifest& manifest, const AsOf& as_of) {
  Snapshot snapshot;
  for (const Partition& partition : manifest.partitions) {
    const auto& versions = partition.versions;
    const auto found = std::find_if(versions.begin(), versions.end(),
                                    [&](const PartitionVersion& version) { return IsVisible(version, as_of); });
    if (found == versions.end()) continue;  // it was not there yet, or is not there any more
    if (!snapshot.empty() && snapshot.range.to != partition.from) {
      ++snapshot.behind_a_hole;
      continue;
    }
    if (snapshot.empty()) snapshot.range.from = partition.from;
    snapshot.range.to = partition.to;
    snapshot.entries.push_back({&partition, &*found});
  }
  if (as_of.is_newest()) return snapshot;
  // A partition all of whose kept versions are younger than what is asked for may have had one then.
  for (const Partition& partition : manifest.partitions) {
    const PartitionVersion first{.version = partition.first_version, .written_at = partition.first_written_at};
    if (IsVisible(partition.versions.back(), as_of) || !IsVisible(first, as_of)) continue;
    return NotFoundError("the batch layer does not keep that state of partition " + partition.name + " any more; " +
                         OldestState(manifest));
  }
  return snapshot;
}

StatusOr<Manifest> ReadManifest(base::FileSystem& files, const std::string& folder) {
  const std::string path = PathOf(folder);
  MILLRACE_ASSIGN_OR_RETURN(const bool exists, files.Exists(path));
  if (!exists) return Manifest();
  MILLRACE_ASSIGN_OR_RETURN(const std::string text, base::ReadFile(files, path, kBytesMax));
  const auto damaged = [&](const std::string& what) {
    return DataLossError(path + " is damaged: " + what + "; remove the folder " + folder + " and recompute");
  };
  const StatusOr<Head> head = json::Parse<Head>(text);
  if (!head.ok()) return damaged(head.status().message());
  if (head->format != kFormat) {
    return FailedPreconditionError(path + " has format " + std::to_string(head->format) +
                                   ", this program reads format " + std::to_string(kFormat) +
                                   "; use the program that wrote it, or remove the folder and recompute");
  }
  StatusOr<Manifest> manifest = json::Parse<Manifest>(text);
  if (!manifest.ok()) return damaged(manifest.status().message());
  const std::string broken = BrokenRule(*manifest);
  if (!broken.empty()) return damaged(broken);
  return manifest;
}

Status WriteManifest(base::FileSystem& files, const std::string& folder, const Manifest& manifest) {
  const std::string broken = BrokenRule(manifest);
  if (!broken.empty()) return InternalError("the manifest of the batch layer in " + folder + ": " + broken);
  return base::ReplaceFile(files, PathOf(folder), json::Write(manifest) + "\n");
}

bool Covers(const std::vector<std::int64_t>& cut, const std::vector<std::int64_t>& other) {
  if (cut.size() != other.size()) return false;
  for (std::size_t i = 0; i < cut.size(); ++i) {
    if (cut[i] < other[i]) return false;
  }
  return true;
}

}  // namespace millrace::batch
