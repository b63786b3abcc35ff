#include "cli/batch_layer.h"

#include <algorithm>
#include <set>
#include <utility>

#include "archive/session.h"
#include "base/build_id.h"
#include "base/clock.h"
#include "base/file_system.h"
#include "base/status_macros.h"
#include "batch/cell_stage.h"
#include "cli/row_writer.h"
#include "cli/sql_batch.h"
#include "cli/warehouse.h"
#include "log/log_reader.h"
#include "millrace/io/archive.h"
#include "millrace/transforms/par_do.h"

namespace millrace::cli {

namespace {

constexpr const char* kSqlEngine = "sql";
// What is in memory of one portion: the state of all its windows. Of partitions of an hour as much as of a day's.
constexpr Duration kPortion = std::chrono::hours(24 * 31);
constexpr std::int64_t kPartitionsMax = 100'000;

// Where a record is, and when it happened.
using TakeTime = std::function<void(std::int32_t partition, std::int64_t offset, Timestamp event_time)>;

struct TakeEventTime {
  TakeTime take;
  void ProcessElement(const LogRecord& record) const { take(record.partition, record.offset, record.event_time); }
};

// The records [from, to) of the topic, of the archive and the log; one at a time.
Status ForEachEventTime(const Invocation& invocation, const log::Cut& from, const log::Cut& to, const TakeTime& take) {
  if (from == to) return OkStatus();
  const std::string& data_dir = invocation.pipeline.data_dir;
  Pipeline pipeline;
  pipeline |
      "Records" >> archive::Read({.folder = data_dir + "/archive",
                                  .log_folder = data_dir + "/log",
                                  .topic = invocation.pipeline.topic,
                                  .from = from,
                                  .to = to}) |
      "Take" >> ParDo(TakeEventTime{take});
  RunOptions options;
  options.threads = 1;
  return pipeline.Run(options).status;
}

// Where the log and the archive begin and end.
struct Bounds {
  log::Cut archived;
  log::Cut end;
};

StatusOr<Bounds> BoundsOf(const Invocation& invocation, const archive::Manifest& manifest) {
  const auto reader =
      log::LogReader::Open(base::PosixFileSystem(), invocation.pipeline.data_dir + "/log", invocation.pipeline.topic);
  MILLRACE_RETURN_IF_ERROR(reader.status());
  Bounds bounds;
  MILLRACE_ASSIGN_OR_RETURN(bounds.end, (*reader)->End());
  for (std::size_t p = 0; p < bounds.end.size(); ++p) {
    MILLRACE_ASSIGN_OR_RETURN(const log::PartitionRange range, (*reader)->Range(static_cast<std::int32_t>(p)));
    const auto archived = manifest.BoundsOf(static_cast<std::int32_t>(p));
    bounds.archived.push_back(archived ? archived->second : range.start);
    bounds.end[p] = std::max(bounds.end[p], bounds.archived[p]);
  }
  return bounds;
}

void Widen(Timestamp time, TopicExtent* extent) {
  extent->least_event_time = std::min(extent->least_event_time.value_or(time), time);
  extent->greatest_event_time = std::max(extent->greatest_event_time.value_or(time), time);
}

// The dead letters of a recompute are those of the run, which keeps them.
class NoLetters final : public DeadLetterSink {
 public:
  Status Write(std::span<const DeadLetter>) override { return OkStatus(); }
  Status Finish() override { return OkStatus(); }
};

std::vector<batch::TimeRange> RangesOf(const std::set<Timestamp>& partitions, Duration every) {
  std::vector<batch::TimeRange> ranges;
  for (const Timestamp from : partitions) {
    if (!ranges.empty() && ranges.back().to == from) {
      ranges.back().to = from + every;
    } else {
      ranges.push_back({.from = from, .to = from + every});
    }
  }
  return ranges;
}

}  // namespace

StatusOr<archive::Manifest> ArchiveOfTopic(const Invocation& invocation) {
  const std::string folder = invocation.pipeline.data_dir + "/archive/" + invocation.pipeline.topic;
  MILLRACE_ASSIGN_OR_RETURN(archive::LoadedManifest loaded, archive::LoadManifest(*archive::OpenFolderStore(folder)));
  return std::move(loaded.manifest);
}

std::string BatchFolder(const std::string& data_dir) { return data_dir + "/batch"; }

StatusOr<std::vector<batch::ViewGeometry>> GeometriesOf(const Invocation& invocation, const Pipeline& pipeline) {
  MILLRACE_ASSIGN_OR_RETURN(const std::vector<ViewDescriptor> views, ViewsOfTopology(invocation, pipeline));
  std::vector<batch::ViewGeometry> geometries;
  std::string refused;
  for (const ViewDescriptor& view : views) {
    MILLRACE_ASSIGN_OR_RETURN(geometries.emplace_back(), batch::GeometryOf(pipeline, view.name));
    for (const std::string& why : geometries.back().refusals) refused += "\n  view " + view.name + ": " + why;
  }
  if (refused.empty()) return geometries;
  return FailedPreconditionError(
      "a batch layer computes whole partitions of event time, which these views do not have:" + refused +
      "\nname the views that it is to compute in topology::Lambda{.views = {...}}, or run the program as Kappa");
}

StatusOr<TopicExtent> ExtentOfTopic(const Invocation& invocation) {
  MILLRACE_ASSIGN_OR_RETURN(const archive::Manifest manifest, ArchiveOfTopic(invocation));
  MILLRACE_ASSIGN_OR_RETURN(const Bounds bounds, BoundsOf(invocation, manifest));
  TopicExtent extent{.end = bounds.end, .least_event_time = {}, .greatest_event_time = {}};
  for (const archive::ArchivedRange& range : manifest.ranges) {
    if (range.least_event_time) Widen(*range.least_event_time, &extent);
    if (range.greatest_event_time) Widen(*range.greatest_event_time, &extent);
  }
  MILLRACE_RETURN_IF_ERROR(ForEachEventTime(invocation, bounds.archived, bounds.end,
                                            [&](std::int32_t, std::int64_t, Timestamp at) { Widen(at, &extent); }));
  return extent;
}

BatchLayer::BatchLayer(const Invocation& invocation, BuildWithOptions build,
                       std::vector<batch::ViewGeometry> geometries, const batch::Partitioning& partitioning,
                       DirectoryLock lock, batch::Store store)
    : invocation_(&invocation),
      build_(std::move(build)),
      geometries_(std::move(geometries)),
      partitioning_(partitioning),
      lock_(std::move(lock)),
      store_(std::move(store)),
      code_version_(base::BuildId()) {}

StatusOr<BatchLayer> BatchLayer::Open(const Invocation& invocation, BuildWithOptions build) {
  Pipeline pipeline;
  MILLRACE_RETURN_IF_ERROR(build(pipeline, invocation.pipeline));
  MILLRACE_ASSIGN_OR_RETURN(std::vector<batch::ViewGeometry> geometries, GeometriesOf(invocation, pipeline));
  MILLRACE_ASSIGN_OR_RETURN(const batch::Partitioning partitioning,
                            batch::Partitioning::Of(invocation.topology->every.value_or(Duration(0))));
  const std::string folder = BatchFolder(invocation.pipeline.data_dir);
  MILLRACE_RETURN_IF_ERROR(base::PosixFileSystem().CreateFolders(folder));
  MILLRACE_ASSIGN_OR_RETURN(DirectoryLock lock, DirectoryLock::Take(folder, ThisProcess(invocation)));
  MILLRACE_ASSIGN_OR_RETURN(
      batch::Store store,
      batch::Store::Open({.folder = folder,
                          .clock = &base::SystemClock(),
                          .topic = invocation.pipeline.topic,
                          .unit = partitioning.unit(),
                          .keep_versions = static_cast<std::size_t>(invocation.batch.keep_versions)}));
  BatchLayer layer(invocation, std::move(build), std::move(geometries), partitioning, std::move(lock),
                   std::move(store));
  if (invocation.batch.batch_engine == kSqlEngine) {
    MILLRACE_ASSIGN_OR_RETURN(const std::vector<ViewDescriptor> views, ViewsOfTopology(invocation, pipeline));
    MILLRACE_ASSIGN_OR_RETURN(layer.sql_, ReadSqlFiles(invocation, views));
    layer.code_version_ = CodeVersionOf(layer.sql_);
  }
  return layer;
}

batch::TimeRange BatchLayer::RangeOf(const TopicExtent& extent) const {
  if (!extent.least_event_time) return {};
  batch::TimeRange range{.from = Timestamp::Max(), .to = Timestamp::Min()};
  for (const batch::ViewGeometry& geometry : geometries_) {
    range.from = std::min(range.from, geometry.LastTimestampsOf(*extent.least_event_time).from);
    range.to = std::max(range.to, geometry.LastTimestampsOf(*extent.greatest_event_time).to);
  }
  return partitioning_.Widen({.from = range.from, .to = range.to + Duration(1)});
}

std::vector<batch::TimeRange> BatchLayer::Needed(const std::vector<batch::TimeRange>& ranges) const {
  std::set<Timestamp> needed;
  for (const batch::TimeRange& range : ranges) {
    for (Timestamp from = range.from; from < range.to; from += partitioning_.every()) {
      const batch::Partition* partition = store_.manifest().Find(from);
      const bool is_same = partition != nullptr && !partition->is_dirty &&
                           partition->versions.front().code_version == code_version_ &&
                           partition->versions.front().engine == invocation_->batch.batch_engine;
      if (!is_same) needed.insert(from);
    }
  }
  return RangesOf(needed, partitioning_.every());
}

StatusOr<std::set<Timestamp>> ScanForDirty(const Invocation& invocation,
                                           const std::vector<batch::ViewGeometry>& geometries,
                                           const batch::Partitioning& partitioning, const batch::Manifest& manifest,
                                           const log::Cut& end) {
  std::set<Timestamp> dirty;
  log::Cut from = end;
  for (const batch::Partition& partition : manifest.partitions) {
    if (partition.checked.size() != end.size()) {
      return FailedPreconditionError("the batch layer was computed from another topic than " +
                                     invocation.pipeline.topic + " is now; remove " +
                                     BatchFolder(invocation.pipeline.data_dir));
    }
    if (partition.is_dirty) dirty.insert(partition.from);
    for (std::size_t p = 0; p < end.size(); ++p) from[p] = std::min(from[p], partition.checked[p]);
  }
  if (manifest.partitions.empty()) return dirty;
  const Timestamp first = manifest.partitions.front().from;
  const Timestamp through = manifest.partitions.back().to;
  const auto look = [&](std::int32_t log_partition, std::int64_t offset, Timestamp event_time) {
    for (const batch::ViewGeometry& geometry : geometries) {
      const batch::TimeRange last = geometry.LastTimestampsOf(event_time);
      for (Timestamp at = std::max(first, partitioning.BeginOf(last.from)); at <= last.to && at < through;
           at += partitioning.every()) {
        const batch::Partition* partition = manifest.Find(at);
        const bool is_later =
            partition != nullptr && offset >= partition->checked[static_cast<std::size_t>(log_partition)];
        if (is_later) dirty.insert(at);
      }
    }
  };
  MILLRACE_RETURN_IF_ERROR(ForEachEventTime(invocation, from, end, look));
  return dirty;
}

StatusOr<std::vector<batch::TimeRange>> BatchLayer::FindDirty(const TopicExtent& extent) {
  MILLRACE_ASSIGN_OR_RETURN(std::set<Timestamp> found,
                            ScanForDirty(*invocation_, geometries_, partitioning_, store_.manifest(), extent.end));
  MILLRACE_RETURN_IF_ERROR(store_.Note([&](batch::Manifest& next) {
    for (batch::Partition& partition : next.partitions) {
      partition.checked = extent.end;
      partition.is_dirty = found.contains(partition.from);
    }
  }));
  const std::vector<batch::Partition>& partitions = store_.manifest().partitions;
  if (partitions.empty()) return std::vector<batch::TimeRange>();
  const batch::TimeRange before{.from = RangeOf(extent).from, .to = partitions.back().from};
  MILLRACE_RETURN_IF_ERROR(CheckCount(before));
  for (Timestamp from = before.from; from < before.to; from += partitioning_.every()) {
    if (store_.manifest().Find(from) == nullptr) found.insert(from);
  }
  return RangesOf(found, partitioning_.every());
}

// A time that is far off would make partitions of nothing.
Status BatchLayer::CheckCount(const batch::TimeRange& range) const {
  if (partitioning_.CountIn(range) <= kPartitionsMax) return OkStatus();
  return ResourceExhaustedError("the events from " + range.from.ToString() + " to " + range.to.ToString() + " are " +
                                GroupedDigits(partitioning_.CountIn(range)) + " partitions of one " +
                                partitioning_.unit() + ", more than " + GroupedDigits(kPartitionsMax) +
                                "; give --from and --to of those that are wanted");
}

StatusOr<Recomputed> BatchLayer::Recompute(const batch::TimeRange& range, const log::Cut& cut,
                                           const std::shared_ptr<std::atomic<bool>>& cancel) {
  MILLRACE_RETURN_IF_ERROR(CheckCount(range));
  Recomputed all;
  for (Timestamp from = range.from; from < range.to; from += kPortion) {
    MILLRACE_ASSIGN_OR_RETURN(const Recomputed portion,
                              RecomputePortion({.from = from, .to = std::min(from + kPortion, range.to)}, cut, cancel));
    all.partitions += portion.partitions;
    all.records += portion.records;
    all.cells += portion.cells;
    all.version = portion.version;
  }
  return all;
}

StatusOr<Recomputed> BatchLayer::RecomputePortion(const batch::TimeRange& range, const log::Cut& cut,
                                                  const std::shared_ptr<std::atomic<bool>>& cancel) {
  Duration lookback{0};
  for (const batch::ViewGeometry& geometry : geometries_) lookback = std::max(lookback, geometry.Lookback());
  const batch::TimeRange event_times{.from = range.from - lookback, .to = range.to};
  Recomputed done{.partitions = partitioning_.CountIn(range)};
  std::vector<batch::ComputedPartition> partitions;
  if (sql_.empty()) {
    MILLRACE_ASSIGN_OR_RETURN(partitions, RunNative(range, event_times, cut, cancel, &done.records));
  } else {
    MILLRACE_ASSIGN_OR_RETURN(const std::string staging, store_.MakeStaging());
    MILLRACE_ASSIGN_OR_RETURN(SqlComputed computed, ComputeBySql(*invocation_, sql_,
                                                                 {.partitioning = partitioning_,
                                                                  .range = range,
                                                                  .event_times = event_times,
                                                                  .cut = cut,
                                                                  .staging = staging,
                                                                  .version = store_.manifest().version + 1},
                                                                 cancel));
    partitions = std::move(computed.partitions);
    done.records = computed.records;
  }
  for (const batch::ComputedPartition& partition : partitions) {
    for (const batch::ComputedPartition::View& view : partition.views) done.cells += view.rows;
  }
  MILLRACE_ASSIGN_OR_RETURN(
      done.version,
      store_.Commit(partitioning_, std::move(partitions),
                    {.engine = invocation_->batch.batch_engine, .code_version = code_version_, .cut = cut}));
  return done;
}

StatusOr<std::vector<batch::ComputedPartition>> BatchLayer::RunNative(const batch::TimeRange& range,
                                                                      const batch::TimeRange& event_times,
                                                                      const log::Cut& cut,
                                                                      const std::shared_ptr<std::atomic<bool>>& cancel,
                                                                      std::int64_t* records) {
  std::vector<std::string> views;
  for (const batch::ViewGeometry& geometry : geometries_) views.push_back(geometry.view);
  PipelineOptions options = invocation_->pipeline;
  options.streaming = false;
  options.batch = true;
  options.read_from = event_times.from;
  options.read_to = event_times.to;
  options.read_cut = cut;
  Pipeline pipeline;
  MILLRACE_RETURN_IF_ERROR(build_(pipeline, options));
  MILLRACE_ASSIGN_OR_RETURN(const std::string staging, store_.MakeStaging());
  MILLRACE_ASSIGN_OR_RETURN(
      const std::shared_ptr<batch::CellStage> stage,
      batch::CellStage::Open(
          partitioning_,
          {.folder = staging, .range = range, .views = views, .threads = WarehouseThreads(*invocation_)}));
  StatusOr<RunOptions> run = RunOptionsOf(options);
  if (!run.ok()) return UsageError(run.status().message());
  run->views = stage;
  run->dead_letters = std::make_shared<NoLetters>();
  run->cancel = cancel;
  run->on_progress = [&](const Progress& progress) { *records = progress.elements_read; };
  const PipelineResult result = pipeline.Run(*run);
  MILLRACE_RETURN_IF_ERROR(result.status);
  if (result.state == PipelineResult::State::kCancelled) return CancelledError("the recompute was stopped");
  return stage->WriteFiles(store_.manifest().version + 1);
}

}  // namespace millrace::cli
