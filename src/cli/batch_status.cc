#include "cli/batch_status.h"

#include <algorithm>
#include <chrono>
#include <memory>

#include "base/file_system.h"
#include "base/status_macros.h"
#include "batch/manifest.h"
#include "batch/partitioning.h"
#include "cli/batch_layer.h"
#include "log/log_reader.h"

namespace millrace::cli {

namespace {

// Records of the topic that no partition has looked at.
std::int64_t Unchecked(const batch::Manifest& manifest, const std::string& data_dir) {
  const auto reader = log::LogReader::Open(base::PosixFileSystem(), data_dir + "/log", manifest.topic);
  if (!reader.ok()) return 0;
  const StatusOr<log::Cut> end = (*reader)->End();
  if (!end.ok()) return 0;
  std::int64_t unchecked = 0;
  for (std::size_t p = 0; p < end->size(); ++p) {
    std::int64_t checked = (*end)[p];
    for (const batch::Partition& partition : manifest.partitions) {
      if (p < partition.checked.size()) checked = std::min(checked, partition.checked[p]);
    }
    unchecked += (*end)[p] - checked;
  }
  return unchecked;
}

// The greatest event time that the run has read.
std::optional<Timestamp> LastEventTime(const RunStatus& run) {
  std::optional<Timestamp> last;
  for (const SourceStatus& source : run.sources) {
    for (const PartitionStatus& partition : source.partitions) {
      if (!partition.last_event_time) continue;
      last = std::max(last.value_or(*partition.last_event_time), *partition.last_event_time);
    }
  }
  return last;
}

}  // namespace

StatusOr<std::optional<server::BatchStatus>> BatchStatusOf(const std::string& data_dir, const BatchReach& reach,
                                                           const RunStatus* run) {
  MILLRACE_ASSIGN_OR_RETURN(const batch::Manifest manifest,
                            batch::ReadManifest(base::PosixFileSystem(), BatchFolder(data_dir)));
  if (manifest.revision == 0) return std::optional<server::BatchStatus>();
  MILLRACE_ASSIGN_OR_RETURN(const batch::Snapshot snapshot, batch::SnapshotOf(manifest));
  server::BatchStatus status{.every = manifest.every,
                             .version = manifest.version,
                             .partitions = static_cast<std::int64_t>(manifest.partitions.size()),
                             .behind_a_hole = snapshot.behind_a_hole,
                             .unchecked = Unchecked(manifest, data_dir)};
  if (manifest.version > 0) status.written_at = manifest.written_at;
  if (!snapshot.empty()) {
    status.from = snapshot.range.from;
    status.through = snapshot.range.to;
  }
  for (const batch::Partition& partition : manifest.partitions) {
    if (partition.is_dirty) status.dirty.push_back(partition.name);
  }
  const std::optional<Timestamp> last = run != nullptr ? LastEventTime(*run) : std::nullopt;
  if (!last) return std::optional(status);
  MILLRACE_ASSIGN_OR_RETURN(const batch::Partitioning partitioning,
                            batch::Partitioning::Of(std::chrono::hours(manifest.every == "day" ? 24 : 1)));
  // Behind the last window that the last record may be part of.
  const Timestamp end = partitioning.BeginOf(*last + reach.lookback) + partitioning.every();
  if (status.through && *status.through >= end) return std::optional(status);
  status.complete_at = end + reach.delay;
  if (run->watermark > Timestamp::Min() && run->watermark < Timestamp::Max()) {
    status.left = std::max(*status.complete_at - run->watermark, Duration(0));
  }
  return std::optional(status);
}

}  // namespace millrace::cli
