// The batch layer of a Lambda topology in a data directory: which partitions are to be computed, and how.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "archive/manifest.h"
#include "batch/geometry.h"
#include "batch/manifest.h"
#include "batch/partitioning.h"
#include "batch/sql_engine.h"
#include "batch/store.h"
#include "cli/directory_lock.h"
#include "cli/verbs.h"
#include "log/topic.h"
#include "millrace/core/pipeline.h"
#include "millrace/core/status.h"

namespace millrace::cli {

/// DATA/batch.
std::string BatchFolder(const std::string& data_dir);

/// The geometry of the views that the topology names. FAILED_PRECONDITION lists all that cannot be computed by
/// partitions, with the steps that are why.
StatusOr<std::vector<batch::ViewGeometry>> GeometriesOf(const Invocation& invocation, const Pipeline& pipeline);

/// The manifest of the topic's archive; an empty one where there is none.
StatusOr<archive::Manifest> ArchiveOfTopic(const Invocation& invocation);

/// What of the topic there is: in the archive and, behind it, in the log.
struct TopicExtent {
  log::Cut end;
  std::optional<Timestamp> least_event_time;  // nothing: there are no records
  std::optional<Timestamp> greatest_event_time;
};
StatusOr<TopicExtent> ExtentOfTopic(const Invocation& invocation);

/// The partitions, by their beginnings, to which records up to `end` belong that their current versions have not read.
/// Looks at the records that were not looked at yet. Changes nothing.
StatusOr<std::set<Timestamp>> ScanForDirty(const Invocation& invocation,
                                           const std::vector<batch::ViewGeometry>& geometries,
                                           const batch::Partitioning& partitioning, const batch::Manifest& manifest,
                                           const log::Cut& end);

/// What a recompute has done.
struct Recomputed {
  std::int64_t partitions = 0;
  std::int64_t records = 0;
  std::int64_t cells = 0;
  std::uint64_t version = 0;  // the last one
};

/// The one process that computes. One thread.
class BatchLayer {
 public:
  /// Takes the lock of DATA/batch: FAILED_PRECONDITION names who has it.
  static StatusOr<BatchLayer> Open(const Invocation& invocation, BuildWithOptions build);

  const batch::Manifest& manifest() const { return store_.manifest(); }
  const batch::Partitioning& partitioning() const { return partitioning_; }
  /// The whole partitions of everything that can be in a view now; empty where there are no records.
  batch::TimeRange RangeOf(const TopicExtent& extent) const;
  /// Of the partitions of `ranges` those that would not be as they are: the others were computed by this engine and
  /// this program from all records that they have. After `FindDirty`.
  std::vector<batch::TimeRange> Needed(const std::vector<batch::TimeRange>& ranges) const;

  /// Looks at the records that the current versions have not read, and notes which partitions they belong to. Gives the
  /// partitions that are to be computed again, as ranges, and those before the last one that are not there.
  StatusOr<std::vector<batch::TimeRange>> FindDirty(const TopicExtent& extent);

  /// Computes the partitions of `range`, which is of whole ones, from all records before `cut`, in portions that each
  /// become current at once. CANCELLED when `cancel` became true; what was current stays so.
  StatusOr<Recomputed> Recompute(const batch::TimeRange& range, const log::Cut& cut,
                                 const std::shared_ptr<std::atomic<bool>>& cancel);

 private:
  BatchLayer(const Invocation& invocation, BuildWithOptions build, std::vector<batch::ViewGeometry> geometries,
             const batch::Partitioning& partitioning, DirectoryLock lock, batch::Store store);
  Status CheckCount(const batch::TimeRange& range) const;
  StatusOr<Recomputed> RecomputePortion(const batch::TimeRange& range, const log::Cut& cut,
                                        const std::shared_ptr<std::atomic<bool>>& cancel);
  StatusOr<std::vector<batch::ComputedPartition>> RunNative(const batch::TimeRange& range,
                                                            const batch::TimeRange& event_times, const log::Cut& cut,
                                                            const std::shared_ptr<std::atomic<bool>>& cancel,
                                                            std::int64_t* records);

  const Invocation* invocation_;
  BuildWithOptions build_;
  std::vector<batch::ViewGeometry> geometries_;
  batch::Partitioning partitioning_;
  DirectoryLock lock_;
  batch::Store store_;
  std::vector<batch::SqlView> sql_;  // of the engine sql; empty: native
  std::string code_version_;
};

}  // namespace millrace::cli
