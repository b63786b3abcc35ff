// How a topic's writer starts and ends, and retention.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <random>
#include <thread>
#include <utility>

#include "base/status_macros.h"
#include "log/holds_lock.h"
#include "log/recovery.h"
#include "log/topic_files.h"
#include "log/topic_writer.h"
#include "millrace/core/json.h"

namespace millrace::log {

namespace {

constexpr std::uint64_t kWriterFileBytesMax = std::uint64_t{1} << 16;
constexpr auto kStartPatience = std::chrono::seconds(1);  // a reader that recovers holds the lock for a moment
constexpr auto kStartPause = std::chrono::milliseconds(10);

/// What writer.json holds.
struct WriterHolder {
  std::int64_t pid = 0;
  std::string program;
  Timestamp since;
};

Status CheckOptions(const WriterOptions& options) {
  const auto segment_max = static_cast<std::int64_t>(kSegmentBytesMax);
  const auto record_max = static_cast<std::int64_t>(kRecordBytesMax);
  if (options.segment_bytes < 1 || options.segment_bytes > segment_max) {
    return InvalidArgumentError("segment_bytes must be 1 to 1 GiB");
  }
  if (options.record_bytes_max < 1 || options.record_bytes_max > record_max) {
    return InvalidArgumentError("record_bytes_max must be 1 to 64 MiB");
  }
  if (options.append_bytes_max < 1 || options.append_bytes_max > segment_max || options.queue_bytes_max < 1 ||
      options.producers_max < 1 || options.sync_interval <= Duration(0)) {
    return InvalidArgumentError(
        "append_bytes_max (up to 1 GiB), queue_bytes_max, producers_max and sync_interval must "
        "be positive");
  }
  return OkStatus();
}

Status HeldError(base::FileSystem& files, const std::string& topic_folder) {
  std::string who = "another process";
  const StatusOr<std::string> text = base::ReadFile(files, topic_folder + kWriterFileName, kWriterFileBytesMax);
  if (text.ok()) {
    const StatusOr<WriterHolder> holder = json::Parse<WriterHolder>(*text);
    if (holder.ok()) {
      who = holder->program + " (pid " + std::to_string(holder->pid) + ", since " + holder->since.ToString() + ")";
    }
  }
  return FailedPreconditionError("the topic " + topic_folder + " is written by " + who +
                                 "; one process writes a topic: stop it, or publish through it");
}

struct WriterLocks {
  std::unique_ptr<base::FileLock> start;
  std::unique_ptr<base::FileLock> topic;
};

// A reader that holds the start lock knows that whoever holds the topic has recovered it: what `ends` says is not of a
// writer before that one.
StatusOr<WriterLocks> LockTopic(base::FileSystem& files, const std::string& topic_folder) {
  const auto deadline = std::chrono::steady_clock::now() + kStartPatience;
  while (true) {
    StatusOr<std::unique_ptr<base::FileLock>> start = files.Lock(topic_folder + kStartLockName);
    if (start.ok()) {
      StatusOr<std::unique_ptr<base::FileLock>> topic = files.Lock(topic_folder + kLockName);
      if (topic.ok()) return WriterLocks{*std::move(start), *std::move(topic)};
      if (topic.status().code() != StatusCode::kFailedPrecondition) return topic.status();
      start->reset();
    } else if (start.status().code() != StatusCode::kFailedPrecondition) {
      return start.status();
    }
    if (std::chrono::steady_clock::now() >= deadline) return HeldError(files, topic_folder);
    std::this_thread::sleep_for(kStartPause);
  }
}

// Only for messages, so it need not last, and an error does not matter.
void WriteHolder(base::FileSystem& files, const std::string& topic_folder, const WriterHolder& holder) {
  StatusOr<std::unique_ptr<base::File>> file = files.Open(topic_folder + kWriterFileName, base::OpenMode::kReadWrite);
  if (!file.ok() || !(*file)->Truncate(0).ok()) return;
  const std::string text = json::Write(holder) + "\n";
  static_cast<void>((*file)->WriteAt(0, std::as_bytes(std::span(text))));
}

std::uint64_t RandomNumber() {
  std::random_device device;
  return (std::uint64_t{device()} << 32) | device();
}

}  // namespace

StatusOr<std::unique_ptr<LogWriter>> LogWriter::Open(base::FileSystem& files, const std::string& log_folder,
                                                     const std::string& topic, WriterOptions options) {
  MILLRACE_RETURN_IF_ERROR(CheckTopicName(topic));
  MILLRACE_RETURN_IF_ERROR(CheckOptions(options).WithContext("topic " + topic));
  if (options.clock == nullptr) options.clock = &base::SystemClock();
  if (!options.report)
    options.report = [](const std::string& message) { std::fprintf(stderr, "log: %s\n", message.c_str()); };
  const std::string folder = TopicFolder(log_folder, topic);
  MILLRACE_RETURN_IF_ERROR(base::CreateDurableFolders(files, log_folder));
  MILLRACE_RETURN_IF_ERROR(base::CreateDurableFolders(files, folder));
  MILLRACE_ASSIGN_OR_RETURN(WriterLocks locks, LockTopic(files, folder));
  WriteHolder(files, folder, {.pid = ::getpid(), .program = options.holder, .since = options.clock->Now()});
  MILLRACE_ASSIGN_OR_RETURN(TopicMetadata metadata, ReadOrCreateTopic(files, log_folder, topic, options.partitions,
                                                                      options.clock->Now(), RandomNumber()));
  auto writer =
      std::make_unique<TopicWriter>(files, folder, std::move(metadata), std::move(options), std::move(locks.topic));
  MILLRACE_RETURN_IF_ERROR(writer->Start());
  return std::unique_ptr<LogWriter>(std::move(writer));
}

TopicWriter::TopicWriter(base::FileSystem& files, std::string topic_folder, TopicMetadata topic, WriterOptions options,
                         std::unique_ptr<base::FileLock> lock)
    : files_(files),
      topic_folder_(std::move(topic_folder)),
      topic_(std::move(topic)),
      options_(std::move(options)),
      clock_(*options_.clock),
      lock_(std::move(lock)) {}

TopicWriter::~TopicWriter() { static_cast<void>(Close()); }

Status TopicWriter::Start() {
  MILLRACE_ASSIGN_OR_RETURN(EndsFile ends, EndsFile::OpenForWriting(files_, topic_folder_, topic_));
  ends_ = std::move(ends);
  MILLRACE_RETURN_IF_ERROR(Recover());
  closed_ = false;
  if (options_.sync == SyncPolicy::kInterval) {
    syncing_ = std::jthread([this](const std::stop_token& stop) { SyncFromTimeToTime(stop); });
  }
  return OkStatus();
}

std::vector<std::optional<PartitionEnd>> TopicWriter::ReadEnds() const {
  std::vector<std::optional<PartitionEnd>> ends(static_cast<std::size_t>(topic_.partitions));
  if (!ends_->ReadState().ok()) return ends;
  for (std::size_t p = 0; p < ends.size(); ++p) {
    const StatusOr<PartitionEnd> end = ends_->Read(static_cast<std::int32_t>(p));
    if (end.ok()) ends[p] = *end;
  }
  return ends;
}

// With the mutex, or before there are other threads. Nothing is queued and nobody commits.
Status TopicWriter::Recover() {
  const std::vector<std::optional<PartitionEnd>> ends = ReadEnds();
  const StatusOr<WriterState> state = ends_->ReadState();
  // What a writer closed in order can be read all the while.
  if (!state.ok() || *state != WriterState::kClosed) {
    MILLRACE_RETURN_IF_ERROR(ends_->WriteState(WriterState::kRecovering));
  }
  std::vector<RecoveredPartition> recovered;
  for (std::int32_t p = 0; p < topic_.partitions; ++p) {
    MILLRACE_ASSIGN_OR_RETURN(
        RecoveredPartition partition,
        RecoverPartition(files_, topic_folder_, topic_, p, ends[static_cast<std::size_t>(p)], options_.report));
    recovered.push_back(std::move(partition));
  }
  auto producers = std::make_unique<ProducerTable>(options_.producers_max, options_.producer_expiry);
  MILLRACE_RETURN_IF_ERROR(
      RecoverProducers(files_, topic_folder_, topic_, recovered, options_.report, producers.get()));
  producers_ = std::move(producers);
  partitions_.clear();
  for (std::size_t p = 0; p < recovered.size(); ++p) {
    const auto number = static_cast<std::int32_t>(p);
    const Tail& tail = recovered[p].tail;
    auto partition = std::make_unique<Partition>(PartitionQueue(topic_, number, options_, tail),
                                                 PartitionFiles(files_, topic_folder_, topic_, number, options_.sync));
    partition->files.Take(std::move(recovered[p].segments), std::move(recovered[p].last), tail);
    partition->committed = tail;
    partition->queue.SetSynced(tail.segment_first, tail.position);
    partitions_.push_back(std::move(partition));
  }
  if (collecting_ == nullptr) collecting_ = std::make_shared<Group>(partitions_.size());
  MILLRACE_RETURN_IF_ERROR(PublishEnds());
  MILLRACE_RETURN_IF_ERROR(ends_->WriteState(WriterState::kOpen));
  MILLRACE_RETURN_IF_ERROR(ends_->Sync());
  MILLRACE_RETURN_IF_ERROR(files_.SyncFolder(topic_folder_));
  broken_ = false;
  return OkStatus();
}

Status TopicWriter::Close() {
  if (syncing_.joinable()) {
    syncing_.request_stop();
    syncing_.join();
  }
  Lock lock(mutex_);
  if (std::exchange(closed_, true)) {
    lock_.reset();
    return OkStatus();
  }
  changed_.wait(lock, [this] { return !committing_; });
  const std::shared_ptr<Group> group = collecting_;
  group->sync = true;
  Commit(lock);
  changed_.notify_all();
  Status status;
  if (broken_) status = UnavailableError("topic " + topic_.topic + ": its files were given up and not recovered since");
  for (const Status& outcome : group->outcomes) {
    if (status.ok()) status = outcome;
  }
  if (status.ok()) {
    if (Status written = WriteSnapshot(Snapshot()); !written.ok()) {
      options_.report("topic " + topic_.topic + ": no snapshot of the producers: " + written.message());
    }
    status = ends_->WriteState(WriterState::kClosed);
    if (status.ok()) status = ends_->Sync();
  }
  lock_.reset();
  return status;
}

// Whether retention wants the oldest segment of a partition gone, and nobody holds it.
bool TopicWriter::Removable(const Partition& partition, std::int64_t bytes, std::int64_t floor) const {
  const std::deque<SegmentInfo>& segments = partition.files.segments();
  // What stays must be on the device itself.
  if (segments.size() < 2 || segments[1].first_offset > floor) return false;
  if (segments[1].first_offset > partition.files.synced().segment_first) return false;
  const Timestamp newer = segments[1].created_at;
  if (options_.retention_age && newer != Timestamp::Max() && newer + *options_.retention_age < clock_.Now()) {
    return true;
  }
  return options_.retention_bytes && bytes > *options_.retention_bytes;
}

StatusOr<std::int64_t> TopicWriter::ApplyRetention() {
  MILLRACE_ASSIGN_OR_RETURN(const std::unique_ptr<base::FileLock> holds_lock, LockHolds(files_, topic_folder_));
  MILLRACE_ASSIGN_OR_RETURN(const std::vector<Hold> holds,
                            ListHolds(files_, base::FolderOf(topic_folder_), topic_.topic));
  Lock lock(mutex_);
  MILLRACE_RETURN_IF_ERROR(Ready(lock, 0));
  changed_.wait(lock, [this] { return !committing_; });
  committing_ = true;
  lock.unlock();
  std::int64_t removed = 0;
  Status status;
  for (std::size_t p = 0; p < partitions_.size() && status.ok(); ++p) {
    Partition& partition = *partitions_[p];
    std::int64_t floor = partition.files.synced().next_offset;
    for (const Hold& hold : holds) floor = std::min(floor, hold.next_offsets[p]);
    std::int64_t bytes = 0;
    for (const SegmentInfo& segment : partition.files.segments()) bytes += static_cast<std::int64_t>(segment.bytes);
    while (status.ok() && Removable(partition, bytes, floor)) {
      bytes -= static_cast<std::int64_t>(partition.files.segments().front().bytes);
      status = partition.files.RemoveOldest();
      if (status.ok()) ++removed;
    }
  }
  lock.lock();
  committing_ = false;
  changed_.notify_all();
  if (!status.ok()) return status;
  return removed;
}

}  // namespace millrace::log
