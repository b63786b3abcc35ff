#include "log/topic_reader.h"

#include <chrono>
#include <thread>
#include <utility>

#include "base/status_macros.h"
#include "log/log_writer.h"
#include "log/topic_files.h"

namespace millrace::log {

namespace {

constexpr auto kRecoveryPatience = std::chrono::seconds(30);
constexpr auto kPause = std::chrono::milliseconds(10);

// Whether the published ends can be believed: a writer is there, or the last one has closed the topic.
StatusOr<bool> EndsAreValid(base::FileSystem& files, const std::string& topic_folder, const TopicMetadata& topic,
                            bool writer_is_there) {
  const StatusOr<EndsFile> ends = EndsFile::OpenForReading(files, topic_folder, topic);
  if (!ends.ok() && ends.status().code() == StatusCode::kNotFound) return false;
  if (!ends.ok()) return ends.status();
  const StatusOr<WriterState> state = ends->ReadState();
  if (!state.ok()) return false;
  for (std::int32_t p = 0; p < topic.partitions; ++p) {
    if (!ends->Read(p).ok()) return false;
  }
  return *state == WriterState::kClosed || (*state == WriterState::kOpen && writer_is_there);
}

// Whether a writer is there that has published its ends: not one that has only begun to recover the topic, when the
// ends may still be those of a writer before it.
StatusOr<bool> AreEndsOfWriter(base::FileSystem& files, const std::string& topic_folder, const TopicMetadata& topic) {
  const StatusOr<std::unique_ptr<base::FileLock>> start = files.Lock(topic_folder + kStartLockName);
  if (!start.ok() && start.status().code() == StatusCode::kFailedPrecondition) return false;
  if (!start.ok()) return start.status();
  const StatusOr<std::unique_ptr<base::FileLock>> lock = files.Lock(topic_folder + kLockName);
  if (lock.ok()) return false;  // it has gone
  return EndsAreValid(files, topic_folder, topic, true);
}

// Returns when the ends are valid, and recovers the topic for that when nobody else is there to do it.
Status WaitForValidEnds(base::FileSystem& files, const std::string& log_folder, const TopicMetadata& topic) {
  const std::string folder = TopicFolder(log_folder, topic.topic);
  const auto deadline = std::chrono::steady_clock::now() + kRecoveryPatience;
  while (true) {
    MILLRACE_ASSIGN_OR_RETURN(const bool closed, EndsAreValid(files, folder, topic, false));
    if (closed) return OkStatus();
    StatusOr<std::unique_ptr<base::FileLock>> lock = files.Lock(folder + kLockName);
    if (lock.ok()) {
      lock->reset();
      StatusOr<std::unique_ptr<LogWriter>> writer =
          LogWriter::Open(files, log_folder, topic.topic, {.holder = "a reader that recovers the topic"});
      if (writer.ok()) return (*writer)->Close();
      if (writer.status().code() != StatusCode::kFailedPrecondition) return writer.status();
    } else if (lock.status().code() != StatusCode::kFailedPrecondition) {
      return lock.status();
    }
    MILLRACE_ASSIGN_OR_RETURN(const bool open, AreEndsOfWriter(files, folder, topic));
    if (open) return OkStatus();
    if (std::chrono::steady_clock::now() >= deadline) {
      return UnavailableError("topic " + folder + ": its writer has been recovering it for 30 seconds; try again");
    }
    std::this_thread::sleep_for(kPause);
  }
}

}  // namespace

StatusOr<std::unique_ptr<LogReader>> LogReader::Open(base::FileSystem& files, const std::string& log_folder,
                                                     const std::string& topic) {
  MILLRACE_ASSIGN_OR_RETURN(TopicMetadata metadata, ReadTopic(files, log_folder, topic));
  MILLRACE_RETURN_IF_ERROR(WaitForValidEnds(files, log_folder, metadata));
  const std::string folder = TopicFolder(log_folder, topic);
  MILLRACE_ASSIGN_OR_RETURN(EndsFile ends, EndsFile::OpenForReading(files, folder, metadata));
  return std::unique_ptr<LogReader>(std::make_unique<TopicReader>(files, folder, std::move(metadata), std::move(ends)));
}

Status TopicReader::CheckPartition(std::int32_t partition) const {
  if (partition >= 0 && partition < topic_->partitions) return OkStatus();
  return InvalidArgumentError("topic " + topic_->topic + " has no partition " + std::to_string(partition) +
                              "; it has " + std::to_string(topic_->partitions));
}

StatusOr<PartitionRange> TopicReader::Range(std::int32_t partition) const {
  MILLRACE_RETURN_IF_ERROR(CheckPartition(partition));
  MILLRACE_ASSIGN_OR_RETURN(const PartitionEnd end, ends_->Read(partition));
  MILLRACE_ASSIGN_OR_RETURN(const std::vector<std::int64_t> segments,
                            ListSegments(files_, PartitionFolder(topic_folder_, partition)));
  return PartitionRange{
      .start = segments.empty() ? 0 : segments.front(), .end = end.visible, .watermark = end.watermark};
}

StatusOr<Cut> TopicReader::End() const {
  Cut cut;
  for (std::int32_t p = 0; p < topic_->partitions; ++p) {
    MILLRACE_ASSIGN_OR_RETURN(const PartitionEnd end, ends_->Read(p));
    cut.push_back(end.visible);
  }
  return cut;
}

StatusOr<std::unique_ptr<PartitionCursor>> TopicReader::Read(std::int32_t partition, std::int64_t offset) const {
  MILLRACE_ASSIGN_OR_RETURN(const PartitionRange range, Range(partition));
  const std::string where =
      "topic " + topic_->topic + ", partition " + std::to_string(partition) + ": offset " + std::to_string(offset);
  if (offset < range.start) {
    return OutOfRangeError(where + " has been removed by retention; the log begins at " + std::to_string(range.start) +
                           ". A hold keeps what is still needed");
  }
  if (offset > range.end) {
    return OutOfRangeError(where + " is beyond the end, " + std::to_string(range.end) +
                           ": the log has lost what was read before. Only the sync policies always and interval keep "
                           "it over a power cut");
  }
  return std::unique_ptr<PartitionCursor>(
      std::make_unique<SegmentCursor>(files_, topic_folder_, topic_, ends_, partition, offset));
}

StatusOr<std::int64_t> TopicReader::OffsetOfEventTime(std::int32_t partition, Timestamp time) const {
  MILLRACE_ASSIGN_OR_RETURN(const PartitionRange range, Range(partition));
  return FindTime(files_, topic_folder_, *topic_, partition, time, TimeOf::kEvent, range.end);
}

StatusOr<std::int64_t> TopicReader::OffsetOfPublishTime(std::int32_t partition, Timestamp time) const {
  MILLRACE_ASSIGN_OR_RETURN(const PartitionRange range, Range(partition));
  return FindTime(files_, topic_folder_, *topic_, partition, time, TimeOf::kPublish, range.end);
}

}  // namespace millrace::log
