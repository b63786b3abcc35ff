// The archive as a source: millrace/io/archive.h.
#include <algorithm>
#include <string_view>
#include <utility>

#include "archive/parquet_record_file.h"
#include "base/status_macros.h"
#include "io/archive/archive_input.h"
#include "io/archive/archive_partition_reading.h"
#include "io/log/log_partition.h"
#include "millrace/io/archive.h"
#include "millrace/transforms/map.h"
#include "millrace/transforms/read.h"

namespace millrace::detail {

namespace {

using archive::ArchivedRange;
using archive::Manifest;

// What is read of one partition.
struct Span {
  std::int64_t from = 0;
  std::int64_t to = Restriction::kUnbounded;
};

// The number of partitions, which archive and log agree on.
StatusOr<std::int32_t> PartitionsOf(const archive::ReadOptions& options, const ArchiveInput& input,
                                    const ManifestVersion& version, const std::vector<Restriction>& log) {
  const auto log_partitions = static_cast<std::int32_t>(log.size());
  if (version.version == 0 && log.empty()) {
    return NotFoundError("there is no archive of the topic " + options.topic + " in " + input.store().name() +
                         ", and no log was given");
  }
  if (version.version == 0) return log_partitions;
  const Manifest& manifest = version.manifest;
  if (manifest.topic != options.topic || (!log.empty() && manifest.partitions != log_partitions)) {
    return FailedPreconditionError("the archive " + input.store().name() + " is of the topic " + manifest.topic +
                                   " with " + std::to_string(manifest.partitions) + " partitions, not of " +
                                   options.topic + " with " + std::to_string(log_partitions));
  }
  return manifest.partitions;
}

Status CheckCut(const std::vector<std::int64_t>& cut, std::int32_t partitions, const std::string& topic) {
  if (cut.empty() || cut.size() == static_cast<std::size_t>(partitions)) return OkStatus();
  return InvalidArgumentError("a cut of topic " + topic + " has " + std::to_string(cut.size()) +
                              " offsets; the topic has " + std::to_string(partitions) + " partitions");
}

StatusOr<Span> SpanOf(const archive::ReadOptions& options, const Manifest& manifest,
                      const std::vector<Restriction>& log, std::int32_t partition, bool streaming) {
  const auto p = static_cast<std::size_t>(partition);
  const auto bounds = manifest.BoundsOf(partition);
  const std::int64_t begin = bounds ? bounds->first : log.empty() ? 0 : log[p].from;
  const std::int64_t end = bounds ? bounds->second : begin;
  Span span{.from = options.from.empty() ? begin : options.from[p]};
  if (!options.to.empty()) {
    span.to = options.to[p];
  } else if (!log.empty()) {
    span.to = log[p].to;
  } else if (!streaming) {
    span.to = end;
  }
  const std::string name = PartitionName(options.topic, partition);
  if (span.from < begin) {
    return OutOfRangeError(name + ": offset " + std::to_string(span.from) + " is asked for; what is there begins at " +
                           std::to_string(begin));
  }
  if (log.empty() && (span.to > end || span.from > end)) {
    return OutOfRangeError(name + ": the archive ends at offset " + std::to_string(end) +
                           ", and no log was given to go on; give log_folder, or a cut `to`");
  }
  span.to = std::max(span.to, span.from);
  return span;
}

// Batch mode: each file is a restriction, the oldest event times first. What is in the log is not known so well: it
// comes before all, so that it does not hold back windows any longer than needed.
void AddFiles(const archive::ReadOptions& options, const Manifest& manifest, std::int32_t partition, const Span& span,
              std::vector<Restriction>* parts) {
  const auto bounds = manifest.BoundsOf(partition);
  const std::int64_t tail = std::max(span.from, bounds ? bounds->second : span.from);
  if (tail < span.to) {
    parts->push_back({.partition = PartitionName(options.topic, partition), .from = tail, .to = span.to});
  }
  const auto [begin, end] = manifest.RangesOf(partition);
  for (std::size_t i = begin; i < end; ++i) {
    const ArchivedRange& range = manifest.ranges[i];
    Restriction part{.partition = PartitionName(options.topic, partition),
                     .from = std::max(range.from, span.from),
                     .to = std::min(range.to, span.to)};
    if (part.from >= part.to || range.path.empty()) continue;
    if (options.from_time && *range.greatest_event_time < *options.from_time) continue;
    if (options.to_time && *range.least_event_time >= *options.to_time) continue;
    part.least_event_time = *range.least_event_time;
    parts->push_back(std::move(part));
  }
}

// Whether a record's event time is within [from, to).
struct WithinTime {
  Timestamp from;
  Timestamp to;
  bool operator()(const LogRecord& record) const { return record.event_time >= from && record.event_time < to; }
};

}  // namespace

StatusOr<std::vector<Restriction>> ArchiveSource::InitialRestrictions(const SplitOptions& split) const {
  MILLRACE_ASSIGN_OR_RETURN(const std::shared_ptr<const ManifestVersion> version, input->Refresh());
  std::vector<Restriction> of_log;
  if (!options.log_folder.empty()) {
    SplitOptions of_records = split;
    if (options.to_time) of_records.streaming = false;  // as far as the log goes now
    MILLRACE_ASSIGN_OR_RETURN(of_log, log.InitialRestrictions(of_records));
  }
  MILLRACE_ASSIGN_OR_RETURN(const std::int32_t partitions, PartitionsOf(options, *input, *version, of_log));
  MILLRACE_RETURN_IF_ERROR(CheckCut(options.from, partitions, options.topic));
  MILLRACE_RETURN_IF_ERROR(CheckCut(options.to, partitions, options.topic));
  std::vector<Restriction> parts;
  for (std::int32_t partition = 0; partition < partitions; ++partition) {
    MILLRACE_ASSIGN_OR_RETURN(const Span span, SpanOf(options, version->manifest, of_log, partition, split.streaming));
    if (split.streaming) {
      parts.push_back({.partition = PartitionName(options.topic, partition), .from = span.from, .to = span.to});
    } else {
      AddFiles(options, version->manifest, partition, span, &parts);
    }
  }
  std::stable_sort(parts.begin(), parts.end(),
                   [](const Restriction& a, const Restriction& b) { return a.least_event_time < b.least_event_time; });
  return parts;
}

StatusOr<ProcessContinuation> ArchiveSource::Read(RestrictionTracker& tracker, WatermarkEstimator& watermark,
                                                  SourceOutput<LogRecord>& out) {
  if (reading == nullptr) {
    const std::optional<std::int32_t> partition = PartitionOf(tracker.partition(), options.topic);
    if (!partition) return InternalError("\"" + tracker.partition() + "\" is no partition of topic " + options.topic);
    MILLRACE_ASSIGN_OR_RETURN(std::shared_ptr<const ManifestVersion> version, input->Current());
    reading = std::make_shared<ArchivePartitionReading>(options, input, std::move(version), *partition);
  }
  return reading->Read(tracker, watermark, out, log);
}

PCollection<LogRecord> ArchiveReadTransform::Expand(Pipeline& pipeline) const {
  Graph& graph = pipeline.graph();
  std::shared_ptr<ArchiveStore> store = options.store;
  if (store == nullptr) store = archive::OpenFolderStore(options.folder + "/" + options.topic);
  ArchiveSource source{.options = options,
                       .log = {},
                       .input = std::make_shared<ArchiveInput>(std::move(store), archive::ParquetFiles()),
                       .reading = nullptr};
  source.log.options = {.folder = options.log_folder,
                        .topic = options.topic,
                        .max_disorder = options.max_disorder,
                        .idle_after = options.idle_after,
                        .until_closed = options.until_closed,
                        .to = options.to,
                        .poll_interval = options.poll_interval};
  source.log.watermarks = MakeLogWatermarks();
  ReadPayload payload;
  payload.source_name = "archive " + options.topic;
  payload.unbounded = !options.until_closed && options.to.empty() && !options.to_time && !options.log_folder.empty();
  payload.bounded_in_batch = true;
  payload.initial_restrictions = [source](const SplitOptions& split) { return source.InitialRestrictions(split); };
  payload.make = [source](SourceSink& sink) {
    return std::make_unique<TypedSourceReader<ArchiveSource>>(source, sink);
  };
  if (!options.log_folder.empty()) {
    payload.retain = [log = source.log](const std::vector<Restriction>& unfinished, const std::string& reader) {
      return log.Retain(unfinished, reader);
    };
  }
  const bool unbounded = payload.unbounded;
  const int transform = graph.Add({}, {&TypeInfoOf<LogRecord>(), &TypeInfoOf<BadRecord>()}, std::move(payload));
  PCollectionNode& node = graph.pcollection(graph.transform(transform).outputs[0]);
  node.unbounded = unbounded;
  node.bounded_in_batch = true;
  GraphAccess::Output<BadRecord>(graph, transform, 1).Apply("BadRecords", DeadLetters(graph.CurrentLabel()));
  PCollection<LogRecord> records = GraphAccess::Output<LogRecord>(graph, transform);
  if (!options.from_time && !options.to_time) return records;
  return records.Apply("WithinTime", Filter(WithinTime{.from = options.from_time.value_or(Timestamp::Min()),
                                                       .to = options.to_time.value_or(Timestamp::Max())}));
}

}  // namespace millrace::detail
