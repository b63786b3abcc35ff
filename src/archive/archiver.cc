#include "archive/archiver.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <system_error>
#include <thread>
#include <utility>

#include "archive/parquet_record_file.h"
#include "base/status_macros.h"
#include "log/holds.h"
#include "log/topic.h"

namespace millrace::archive {

namespace {

constexpr const char* kHoldName = "archive";
constexpr std::size_t kFilesPerCommit = 16;
constexpr auto kStopPause = std::chrono::milliseconds(20);

// The first offset of the segment that a partition of the log is written to: what is before it is in closed segments.
StatusOr<std::int64_t> OpenSegmentOf(base::FileSystem& files, const std::string& partition_folder) {
  constexpr std::string_view kSuffix = ".segment";
  MILLRACE_ASSIGN_OR_RETURN(const std::vector<std::string> names, files.List(partition_folder));
  std::int64_t last = 0;
  for (const std::string& name : names) {
    if (!name.ends_with(kSuffix)) continue;
    std::int64_t offset = 0;
    const char* end = name.data() + name.size() - kSuffix.size();
    if (std::from_chars(name.data(), end, offset) == std::from_chars_result{end, std::errc()}) {
      last = std::max(last, offset);
    }
  }
  return last;
}

void Count(const std::vector<ArchivedRange>& ranges, ArchiveRound* round) {
  for (const ArchivedRange& range : ranges) {
    round->records += range.count;
    round->controls += static_cast<std::int64_t>(range.controls.size());
    round->files += range.path.empty() ? 0 : 1;
    round->bytes += range.bytes;
  }
}

}  // namespace

StatusOr<std::unique_ptr<Archiver>> Archiver::Open(ArchiverOptions options) {
  if (options.files == nullptr) options.files = &base::PosixFileSystem();
  if (options.clock == nullptr) options.clock = &base::SystemClock();
  if (options.format == nullptr) options.format = &ParquetFiles();
  if (options.store == nullptr) return InvalidArgumentError("an archiver needs a store");
  MILLRACE_ASSIGN_OR_RETURN(std::unique_ptr<log::LogReader> reader,
                            log::LogReader::Open(*options.files, options.log_folder, options.topic));
  std::unique_ptr<Archiver> archiver(new Archiver(std::move(options), std::move(reader)));
  const ArchiverOptions& kept = archiver->options_;
  MILLRACE_ASSIGN_OR_RETURN(archiver->session_,
                            ArchiveSession::Open({.store = kept.store,
                                                  .files = kept.files,
                                                  .clock = kept.clock,
                                                  .topic = kept.topic,
                                                  .partitions = archiver->reader_->topic().partitions,
                                                  .written_by = kept.written_by,
                                                  .extension = kept.format->extension()}));
  MILLRACE_RETURN_IF_ERROR(archiver->MoveHold());
  return archiver;
}

StatusOr<std::int64_t> Archiver::ArchivedEnd(std::int32_t partition) const {
  const auto bounds = manifest().BoundsOf(partition);
  MILLRACE_ASSIGN_OR_RETURN(const log::PartitionRange range, reader_->Range(partition));
  if (!bounds) return range.start;
  if (bounds->second < range.start) {
    return DataLossError("archive " + options_.store->name() + ": the log of " + options_.topic + ", partition " +
                         std::to_string(partition) + " begins at offset " + std::to_string(range.start) +
                         ", the archive ends at " + std::to_string(bounds->second) +
                         ": what is between was removed before it was archived; move the archive away to begin a new "
                         "one");
  }
  if (bounds->second > range.end) {
    return DataLossError("archive " + options_.store->name() + ": the log of " + options_.topic + ", partition " +
                         std::to_string(partition) + " ends at offset " + std::to_string(range.end) +
                         ", before the end of the archive, " + std::to_string(bounds->second) +
                         ": the log was replaced or has lost records; it must not be archived here");
  }
  return bounds->second;
}

StatusOr<log::Cut> Archiver::ArchivedThrough() const {
  log::Cut cut;
  for (std::int32_t partition = 0; partition < manifest().partitions; ++partition) {
    MILLRACE_ASSIGN_OR_RETURN(const std::int64_t end, ArchivedEnd(partition));
    cut.push_back(end);
  }
  return cut;
}

StatusOr<std::int64_t> Archiver::ClosedEnd(std::int32_t partition, bool everything) const {
  MILLRACE_ASSIGN_OR_RETURN(const log::PartitionRange range, reader_->Range(partition));
  if (everything || range.closed()) return range.end;
  const std::string folder = log::PartitionFolder(log::TopicFolder(options_.log_folder, options_.topic), partition);
  MILLRACE_ASSIGN_OR_RETURN(std::int64_t end, OpenSegmentOf(*options_.files, folder));
  if (options_.archive_after) {
    const Timestamp limit = options_.clock->Now() - *options_.archive_after;
    MILLRACE_ASSIGN_OR_RETURN(const std::int64_t aged, reader_->OffsetOfPublishTime(partition, limit));
    end = std::max(end, aged);
  }
  return std::min(end, range.end);
}

StatusOr<ArchiveRound> Archiver::ArchiveClosed(bool everything) {
  StatusOr<ArchiveRound> round = Round(everything);
  if (round.ok()) return round;
  const Status recovered = session_->Recover();
  return recovered.code() == StatusCode::kAborted ? recovered : round.status();
}

StatusOr<ArchiveRound> Archiver::Round(bool everything) {
  MILLRACE_RETURN_IF_ERROR(session_->Recover());
  ArchiveRound round;
  for (std::int32_t partition = 0; partition < manifest().partitions; ++partition) {
    MILLRACE_ASSIGN_OR_RETURN(const std::int64_t end, ClosedEnd(partition, everything));
    MILLRACE_RETURN_IF_ERROR(ArchivePartition(partition, end, &round));
  }
  MILLRACE_RETURN_IF_ERROR(MoveHold());
  return round;
}

Status Archiver::ArchivePartition(std::int32_t partition, std::int64_t to, ArchiveRound* round) {
  MILLRACE_ASSIGN_OR_RETURN(const std::int64_t from, ArchivedEnd(partition));
  if (from >= to) return OkStatus();
  // A range of control records alone at the end has no file: the next range takes it in.
  const auto [begin, end] = manifest().RangesOf(partition);
  const bool has_tail = begin != end && manifest().ranges[end - 1].path.empty();
  const ArchivedRange tail = has_tail ? manifest().ranges[end - 1] : ArchivedRange{};
  RangeWriter writer(*session_, *options_.files, *options_.format, options_.file_limits, partition,
                     has_tail ? tail.from : from);
  for (const ArchivedControl& control : tail.controls) MILLRACE_RETURN_IF_ERROR(writer.AddControl(control));

  MILLRACE_ASSIGN_OR_RETURN(const std::unique_ptr<log::PartitionCursor> cursor, reader_->Read(partition, from));
  log::RecordView view;
  while (writer.next_offset() < to) {
    MILLRACE_ASSIGN_OR_RETURN(const log::Found found, cursor->Next(&view));
    if (found == log::Found::kEnd) break;
    if (found == log::Found::kRecord) {
      view.CopyTo(writer.Slot());
      MILLRACE_RETURN_IF_ERROR(writer.AddSlot());
    } else {
      MILLRACE_RETURN_IF_ERROR(
          writer.AddControl({.offset = view.offset, .publish_time = view.publish_time, .time = view.event_time}));
    }
    if (writer.finished_files() >= kFilesPerCommit) MILLRACE_RETURN_IF_ERROR(CommitRanges(writer, round));
  }
  MILLRACE_RETURN_IF_ERROR(writer.Finish());
  MILLRACE_RETURN_IF_ERROR(CommitRanges(writer, round));
  round->controls -= static_cast<std::int64_t>(tail.controls.size());
  return OkStatus();
}

Status Archiver::CommitRanges(RangeWriter& writer, ArchiveRound* round) {
  std::vector<ArchivedRange> ranges = writer.TakeRanges();
  if (ranges.empty()) return OkStatus();
  Manifest next = manifest();
  ArchiveRound done;
  Count(ranges, &done);
  std::erase_if(next.ranges, [&](const ArchivedRange& range) {  // the tail that was taken in
    return range.path.empty() && range.partition == ranges[0].partition && range.from == ranges[0].from;
  });
  for (ArchivedRange& range : ranges) next.Add(std::move(range));
  MILLRACE_RETURN_IF_ERROR(session_->Commit(std::move(next)));
  round->records += done.records;
  round->controls += done.controls;
  round->files += done.files;
  round->bytes += done.bytes;
  return OkStatus();
}

Status Archiver::MoveHold() {
  MILLRACE_ASSIGN_OR_RETURN(log::Cut through, ArchivedThrough());
  if (through == held_) return OkStatus();
  MILLRACE_RETURN_IF_ERROR(
      log::SetHold(*options_.files, options_.log_folder, options_.topic,
                   {.name = kHoldName, .next_offsets = through, .updated_at = options_.clock->Now()}));
  held_ = std::move(through);
  return OkStatus();
}

StatusOr<std::int64_t> Archiver::Compact() {
  StatusOr<std::int64_t> replaced =
      CompactArchive(*session_, *options_.store, *options_.files, *options_.format, options_.compaction);
  if (replaced.ok()) return replaced;
  const Status recovered = session_->Recover();
  return recovered.code() == StatusCode::kAborted ? recovered : replaced.status();
}

Status RunArchiver(Archiver& archiver, const std::atomic<bool>& stop, const RunArchiverOptions& options) {
  while (!stop.load()) {
    StatusOr<ArchiveRound> round = archiver.ArchiveClosed();
    Status status = round.status();
    if (status.ok() && round->records + round->controls > 0 && options.on_round) options.on_round(*round);
    if (status.ok()) status = archiver.Compact().status();
    if (status.ok()) status = archiver.RemoveSuperseded().status();
    const bool may_pass = status.code() == StatusCode::kResourceExhausted || status.code() == StatusCode::kUnavailable;
    if (!status.ok() && !may_pass) return status;
    if (!status.ok() && options.on_retry) options.on_retry(status);
    const auto until = std::chrono::steady_clock::now() + options.interval;
    while (!stop.load() && std::chrono::steady_clock::now() < until) std::this_thread::sleep_for(kStopPause);
  }
  return OkStatus();
}

}  // namespace millrace::archive
