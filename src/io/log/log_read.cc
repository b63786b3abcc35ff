// The log as a source: millrace/io/log.h.
#include <algorithm>
#include <chrono>
#include <optional>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/status_macros.h"
#include "io/log/log_partition.h"
#include "io/log/log_watermarks.h"
#include "log/holds.h"
#include "log/log_reader.h"
#include "log/reinjected.h"
#include "millrace/io/log.h"
#include "millrace/transforms/read.h"

namespace millrace::detail {

namespace {

using Activity = LogWatermarks::Activity;
using Clock = std::chrono::steady_clock;

base::FileSystem& FilesOr(base::FileSystem* files) { return files != nullptr ? *files : base::PosixFileSystem(); }

}  // namespace

/// One partition as one copy of the source reads it: where it is, and how far event time has come there.
class LogPartitionReading {
 public:
  LogPartitionReading(const log::ReadOptions& options, std::shared_ptr<LogWatermarks> watermarks,
                      std::unique_ptr<log::LogReader> reader, std::int32_t partition, bool follows)
      : options_(options),
        watermarks_(std::move(watermarks)),
        reader_(std::move(reader)),
        partition_(partition),
        follows_(follows) {}

  StatusOr<ProcessContinuation> Read(RestrictionTracker& tracker, WatermarkEstimator& estimator,
                                     SourceOutput<LogRecord>& out) {
    MILLRACE_RETURN_IF_ERROR(GoTo(tracker.from()));
    while (true) {
      const std::int64_t offset = pending_ ? view_.offset : cursor_->next_offset();
      if (offset >= tracker.to()) {
        const bool refused = !tracker.TryClaim(offset);  // it is the end, of the bundle or of all
        Estimate(estimator, Activity::kBusy);
        if (refused && !tracker.checkpointed()) Estimate(estimator, Activity::kDone);
        return ProcessContinuation::Stop();
      }
      if (!pending_) {
        MILLRACE_ASSIGN_OR_RETURN(found_, cursor_->Next(&view_));
        if (found_ == log::Found::kEnd) return AtEnd(estimator);
        pending_ = true;
      }
      if (!tracker.TryClaim(offset)) {
        Estimate(estimator, Activity::kBusy);
        return ProcessContinuation::Stop();
      }
      pending_ = false;
      last_new_ = Clock::now();
      if (found_ == log::Found::kControl) {
        control_ = std::max(control_, view_.event_time);
        if (Closed() && options_.until_closed) return AtEnd(estimator);
        continue;
      }
      Emit(tracker, out);
    }
  }

 private:
  Status GoTo(std::int64_t offset) {
    const std::int64_t at = cursor_ == nullptr ? -1 : pending_ ? view_.offset : cursor_->next_offset();
    if (at == offset) return OkStatus();
    MILLRACE_ASSIGN_OR_RETURN(cursor_, reader_->Read(partition_, offset));
    pending_ = false;
    MILLRACE_ASSIGN_OR_RETURN(const log::PartitionRange range, reader_->Range(partition_));
    // What was read up to the end before a restart may have been a control record.
    if (offset == range.end) control_ = std::max(control_, range.watermark);
    return OkStatus();
  }

  void Emit(const RestrictionTracker& tracker, SourceOutput<LogRecord>& out) {
    LogRecord record;
    view_.CopyTo(&record);
    if (!log::CountsIn(record, options_.topic, tracker.generation(), tracker.began())) return;
    greatest_ = std::max(greatest_, view_.event_time);
    out.Emit(std::move(record), view_.event_time);
  }

  bool Closed() const { return control_ == Timestamp::Max(); }

  // Nothing more is published.
  ProcessContinuation AtEnd(WatermarkEstimator& estimator) {
    if (Closed()) {
      Estimate(estimator, Activity::kDone);
      return options_.until_closed ? ProcessContinuation::Stop() : ProcessContinuation::Resume(options_.poll_interval);
    }
    const bool idle = Clock::now() - last_new_ >= options_.idle_after;
    Estimate(estimator, idle ? Activity::kIdle : Activity::kBusy);
    if (idle && follows_) {
      if (const std::optional<Timestamp> least = watermarks_->LeastOfBusy()) estimator.Set(*least);
    }
    return ProcessContinuation::Resume(options_.poll_interval);
  }

  // A bounded restriction's watermark stays where it is: in batch mode nothing is late.
  void Estimate(WatermarkEstimator& estimator, Activity activity) {
    if (!follows_) return;
    Timestamp watermark = control_;
    if (options_.max_disorder && greatest_ > Timestamp::Min()) {
      watermark = std::max(watermark, greatest_ - *options_.max_disorder);
    }
    estimator.Set(watermark);
    estimator.SetIdle(activity == Activity::kIdle);
    watermarks_->Set(partition_, estimator.current(), activity);
  }

  const log::ReadOptions options_;
  const std::shared_ptr<LogWatermarks> watermarks_;
  const std::unique_ptr<log::LogReader> reader_;
  const std::int32_t partition_;
  const bool follows_;  // the live end of the log, so it has a watermark
  std::unique_ptr<log::PartitionCursor> cursor_;
  bool pending_ = false;  // `view_` was read and could not be claimed
  log::Found found_ = log::Found::kEnd;
  log::RecordView view_;
  Timestamp greatest_ = Timestamp::Min();
  Timestamp control_ = Timestamp::Min();
  Clock::time_point last_new_ = Clock::now();
};

StatusOr<std::vector<Restriction>> LogSource::InitialRestrictions(const SplitOptions& split) const {
  MILLRACE_ASSIGN_OR_RETURN(const std::unique_ptr<log::LogReader> reader,
                            log::LogReader::Open(FilesOr(files), options.folder, options.topic));
  const auto partitions = static_cast<std::size_t>(reader->topic().partitions);
  for (const std::vector<std::int64_t>* cut : {&options.from, &options.to}) {
    if (cut->empty() || cut->size() == partitions) continue;
    return InvalidArgumentError("a cut of topic " + options.topic + " has " + std::to_string(cut->size()) +
                                " offsets; the topic has " + std::to_string(partitions) + " partitions");
  }
  watermarks->Reset(reader->topic().partitions);
  std::vector<Restriction> parts;
  for (std::size_t p = 0; p < partitions; ++p) {
    MILLRACE_ASSIGN_OR_RETURN(const log::PartitionRange range, reader->Range(static_cast<std::int32_t>(p)));
    Restriction part{.partition = PartitionName(options.topic, static_cast<std::int32_t>(p))};
    part.from = options.from.empty() ? range.start : options.from[p];
    if (!options.to.empty()) part.to = options.to[p];
    if (!split.streaming && options.to.empty()) part.to = range.end;
    if (!split.streaming && part.to > range.end) {
      return OutOfRangeError(part.partition + ": the cut is at offset " + std::to_string(part.to) +
                             ", but the log ends at " + std::to_string(range.end));
    }
    part.to = std::max(part.to, part.from);
    parts.push_back(std::move(part));
  }
  return parts;
}

StatusOr<ProcessContinuation> LogSource::Read(RestrictionTracker& tracker, WatermarkEstimator& watermark,
                                              SourceOutput<LogRecord>& out) {
  if (reading == nullptr) {
    const std::optional<std::int32_t> partition = PartitionOf(tracker.partition(), options.topic);
    if (!partition) return InternalError("\"" + tracker.partition() + "\" is no partition of topic " + options.topic);
    MILLRACE_ASSIGN_OR_RETURN(std::unique_ptr<log::LogReader> reader,
                              log::LogReader::Open(FilesOr(files), options.folder, options.topic));
    const bool follows = tracker.to() == Restriction::kUnbounded;
    reading = std::make_shared<LogPartitionReading>(options, watermarks, std::move(reader), *partition, follows);
  }
  return reading->Read(tracker, watermark, out);
}

Status LogSource::Retain(const std::vector<Restriction>& unfinished, const std::string& reader) const {
  MILLRACE_ASSIGN_OR_RETURN(const std::unique_ptr<log::LogReader> log_reader,
                            log::LogReader::Open(FilesOr(files), options.folder, options.topic));
  // What is not mentioned has been read to its end.
  MILLRACE_ASSIGN_OR_RETURN(log::Cut next, log_reader->End());
  for (const Restriction& part : unfinished) {
    const std::optional<std::int32_t> partition = PartitionOf(part.partition, options.topic);
    if (!partition) continue;
    std::int64_t& offset = next.at(static_cast<std::size_t>(*partition));
    offset = std::min(offset, part.from);
    // What the log no longer holds is read from elsewhere, such as the archive.
    MILLRACE_ASSIGN_OR_RETURN(const log::PartitionRange range, log_reader->Range(*partition));
    offset = std::max(offset, range.start);
  }
  return log::SetHold(FilesOr(files), options.folder, options.topic,
                      {.name = reader.empty() ? options.consumer : options.consumer + "-" + reader,
                       .next_offsets = std::move(next),
                       .updated_at = base::SystemClock().Now()});
}

PCollection<LogRecord> LogReadTransform::Expand(Pipeline& pipeline) const {
  Graph& graph = pipeline.graph();
  if (options.idle_after < Duration(0) || options.poll_interval <= Duration(0)) {
    graph.AddMistake(graph.CurrentLabel(), "idle_after must not be negative, and poll_interval must be positive");
  }
  const LogSource source{
      .options = options, .files = files, .watermarks = std::make_shared<LogWatermarks>(), .reading = nullptr};
  ReadPayload payload;
  payload.source_name = "log " + options.topic;
  payload.max_disorder = options.max_disorder;
  payload.unbounded = !options.until_closed && options.to.empty();
  payload.bounded_in_batch = true;
  payload.initial_restrictions = [source](const SplitOptions& split) { return source.InitialRestrictions(split); };
  payload.make = [source](SourceSink& sink) { return std::make_unique<TypedSourceReader<LogSource>>(source, sink); };
  payload.retain = [source](const std::vector<Restriction>& unfinished, const std::string& reader) {
    return source.Retain(unfinished, reader);
  };
  const bool unbounded = payload.unbounded;
  const int transform = graph.Add({}, {&TypeInfoOf<LogRecord>(), &TypeInfoOf<BadRecord>()}, std::move(payload));
  PCollectionNode& node = graph.pcollection(graph.transform(transform).outputs[0]);
  node.unbounded = unbounded;
  node.bounded_in_batch = true;
  GraphAccess::Output<BadRecord>(graph, transform, 1).Apply("BadRecords", DeadLetters(graph.CurrentLabel()));
  return GraphAccess::Output<LogRecord>(graph, transform);
}

}  // namespace millrace::detail
