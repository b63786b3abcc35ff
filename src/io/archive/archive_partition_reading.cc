#include "io/archive/archive_partition_reading.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/status_macros.h"
#include "log/reinjected.h"

namespace millrace::detail {

namespace {

using archive::ArchivedRange;
using Found = ::millrace::log::Found;

// How often a file may be gone before that is no compaction any more.
constexpr int kManifestsMax = 100;

// How often the watermark is estimated within a file.
constexpr int kRecordsPerEstimate = 1024;

}  // namespace

void ArchivePartitionReading::Take(std::shared_ptr<const ManifestVersion> version) {
  version_ = std::move(version);
  reader_.reset();
  pending_ = false;
  const archive::Manifest& manifest = version_->manifest;
  const auto [begin, end] = manifest.RangesOf(partition_);
  first_range_ = begin;
  least_unread_.assign(end - begin + 1, Timestamp::Max());
  Timestamp greatest = Timestamp::Min();
  Timestamp control = Timestamp::Min();
  for (std::size_t i = end; i-- > begin;) {
    const ArchivedRange& range = manifest.ranges[i];
    Timestamp& least = least_unread_[i - begin];
    least = least_unread_[i - begin + 1];
    if (!range.controls.empty()) control = std::max(control, range.controls.back().time);
    if (range.path.empty()) continue;
    greatest = std::max(greatest, *range.greatest_event_time);
    const bool is_wanted = !options_.from_time || *range.greatest_event_time >= *options_.from_time;
    if (is_wanted) least = std::min(least, *range.least_event_time);
  }
  live_estimate_ = control;
  if (options_.max_disorder && greatest > Timestamp::Min()) {
    live_estimate_ = std::max(live_estimate_, greatest - *options_.max_disorder);
  }
}

StatusOr<bool> ArchivePartitionReading::TakeNewer() {
  MILLRACE_ASSIGN_OR_RETURN(std::shared_ptr<const ManifestVersion> newer, input_->Newer(version_));
  if (newer == version_) return false;
  Take(std::move(newer));
  return true;
}

Status ArchivePartitionReading::Nowhere(std::int64_t offset, const Status& reason) const {
  return DataLossError(options_.topic + "/" + std::to_string(partition_) + ": offset " + std::to_string(offset) +
                       " is neither in the archive " + input_->store().name() + " (manifest version " +
                       std::to_string(version_->version) + ") nor in the log: " + reason.message());
}

// While files are unread: nothing in them is older. No further than the live estimate, as more may follow the cut.
void ArchivePartitionReading::Estimate(const RestrictionTracker& tracker, WatermarkEstimator& estimator) const {
  const archive::Manifest& manifest = version_->manifest;
  const auto bounds = manifest.BoundsOf(partition_);
  const std::int64_t end = bounds ? bounds->second : 0;
  const bool ends_within = tracker.to() <= end;  // then nothing follows
  const ArchivedRange* range = manifest.Find(partition_, tracker.from());
  const std::size_t at = range != nullptr ? static_cast<std::size_t>(range - manifest.ranges.data()) - first_range_
                                          : least_unread_.size() - 1;
  const Timestamp cap = ends_within ? Timestamp::Max() : live_estimate_;
  const bool is_within = range != nullptr && reader_;
  const Timestamp least =
      is_within ? std::min(reader_->LeastEventTimeFrom(tracker.from()), least_unread_[at + 1]) : least_unread_[at];
  estimator.Set(std::min(least, cap));
}

StatusOr<ProcessContinuation> ArchivePartitionReading::Read(RestrictionTracker& tracker, WatermarkEstimator& estimator,
                                                            SourceOutput<LogRecord>& out, LogSource& log) {
  for (int manifests = 0; manifests < kManifestsMax;) {
    if (tracker.from() >= tracker.to()) {
      static_cast<void>(tracker.TryClaim(tracker.from()));  // is refused: this is the end
      return ProcessContinuation::Stop();
    }
    const ArchivedRange* range = version_->manifest.Find(partition_, tracker.from());
    if (range == nullptr) {
      const std::int64_t from = tracker.from();
      StatusOr<ProcessContinuation> read = ReadLog(tracker, estimator, out, log);
      if (read.ok() || read.status().code() != StatusCode::kOutOfRange) return read;
      // The log has removed what has been archived since.
      ++manifests;
      MILLRACE_ASSIGN_OR_RETURN(const bool is_newer, TakeNewer());
      log.reading.reset();
      if (!is_newer || version_->manifest.Find(partition_, tracker.from()) == nullptr) {
        return from == tracker.from() ? Nowhere(from, read.status()) : read.status();
      }
      continue;
    }
    Status status = Seek(tracker, *range);
    if (status.ok()) {
      Estimate(tracker, estimator);
      const StatusOr<Step> step = ReadRange(tracker, estimator, out);
      if (step.ok() && *step == Step::kRefused) return ProcessContinuation::Stop();
      status = step.status();
    }
    if (status.ok()) continue;
    reader_.reset();
    if (status.code() != StatusCode::kNotFound) return status;
    // A compaction has replaced the file, and its grace is over: the new manifest says where its records are.
    ++manifests;
    const std::string path = range->path;
    MILLRACE_ASSIGN_OR_RETURN(const bool is_newer, TakeNewer());
    if (!is_newer) {
      return DataLossError("archive " + input_->store().name() + ": the file " + path +
                           " is missing; restore it, or read its offsets from elsewhere");
    }
  }
  return UnavailableError("archive " + input_->store().name() + ": files go faster than they can be read; is the " +
                          "grace of compactions zero? Run it again");
}

Status ArchivePartitionReading::Seek(const RestrictionTracker& tracker, const ArchivedRange& range) {
  if (reader_ && reader_at_ == tracker.from() && reader_end_ > reader_at_) return OkStatus();
  pending_ = false;
  reader_at_ = tracker.from();
  reader_end_ = std::min(range.to, tracker.to());
  MILLRACE_ASSIGN_OR_RETURN(reader_, archive::RangeReader::Open(input_->store(), input_->format(), range, reader_at_,
                                                                reader_end_, options_.from_time, options_.to_time));
  return OkStatus();
}

StatusOr<ArchivePartitionReading::Step> ArchivePartitionReading::ReadRange(RestrictionTracker& tracker,
                                                                           WatermarkEstimator& estimator,
                                                                           SourceOutput<LogRecord>& out) {
  for (int read = 1;; ++read) {
    if (read % kRecordsPerEstimate == 0) Estimate(tracker, estimator);
    if (!pending_) {
      MILLRACE_ASSIGN_OR_RETURN(found_, reader_->Next());
      pending_ = true;
    }
    // What was skipped, at the end too, is claimed with what is behind it.
    const std::int64_t offset = found_ == Found::kEnd       ? reader_end_ - 1
                                : found_ == Found::kControl ? reader_->control().offset
                                                            : reader_->record().offset;
    if (found_ == Found::kEnd && reader_at_ >= reader_end_) break;
    if (!tracker.TryClaim(offset)) return Step::kRefused;
    reader_at_ = offset + 1;
    pending_ = false;
    if (found_ == Found::kEnd) break;
    if (found_ == Found::kControl) continue;
    LogRecord& record = reader_->record();
    if (!log::CountsIn(record, options_.topic, tracker.generation(), tracker.began())) continue;
    const Timestamp time = record.event_time;
    out.Emit(std::move(record), time);
  }
  reader_.reset();
  pending_ = false;
  return Step::kRangeDone;
}

StatusOr<ProcessContinuation> ArchivePartitionReading::ReadLog(RestrictionTracker& tracker,
                                                               WatermarkEstimator& estimator,
                                                               SourceOutput<LogRecord>& out, LogSource& log) {
  const auto bounds = version_->manifest.BoundsOf(partition_);
  if (bounds && tracker.from() < bounds->first) {
    return OutOfRangeError("the archive begins at offset " + std::to_string(bounds->first));
  }
  if (options_.log_folder.empty()) {
    return OutOfRangeError("the archive ends at offset " + std::to_string(bounds ? bounds->second : 0) +
                           " and no log is given");
  }
  Estimate(tracker, estimator);
  return log.Read(tracker, estimator, out);
}

}  // namespace millrace::detail
