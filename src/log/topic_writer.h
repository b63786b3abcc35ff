// The LogWriter: queues of encoded batches, and groups that are written and synced together.
//
// One mutex guards the queues and the producers. Appenders encode into the queues under it; the first one that has to
// wait while nobody commits becomes the leader of the group: it takes what all have queued, writes, syncs and publishes
// it without the mutex, and wakes the others. Meanwhile the next group collects.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/file_system.h"
#include "log/ends_file.h"
#include "log/log_writer.h"
#include "log/partition_files.h"
#include "log/partition_queue.h"
#include "log/producer_table.h"
#include "log/topic.h"

namespace millrace::log {

class TopicWriter final : public LogWriter {
 public:
  /// The topic's folder is there, and `lock` is the topic's.
  TopicWriter(base::FileSystem& files, std::string topic_folder, TopicMetadata topic, WriterOptions options,
              std::unique_ptr<base::FileLock> lock);
  ~TopicWriter() override;

  /// Recovers the topic; before anything else.
  Status Start();

  const TopicMetadata& topic() const override { return topic_; }
  StatusOr<std::vector<Appended>> Append(std::span<const AppendRecord> records,
                                         std::optional<Producer> producer) override;
  Status AdvanceWatermark(Timestamp watermark) override;
  Cut End() const override;
  Cut Start() const override;
  std::int64_t LastSequence(std::string_view producer) const override;
  Status Sync() override;
  StatusOr<std::int64_t> ApplyRetention() override;
  Status Close() override;

 private:
  using Lock = std::unique_lock<std::mutex>;

  // What is written and synced together, with the outcome for each partition.
  struct Group {
    explicit Group(std::size_t partitions) : outcomes(partitions) {}
    bool done = false;
    bool sync = false;  // somebody asked for it, whatever the policy
    std::vector<Status> outcomes;
    std::vector<std::shared_ptr<Group>> absorbed;  // groups that lost a partition to an error; the rest is done here
  };
  struct Partition {
    Partition(PartitionQueue q, PartitionFiles f) : queue(std::move(q)), files(std::move(f)) {}
    PartitionQueue queue;  // under the mutex
    PartitionFiles files;  // the leader's
    Tail committed;        // under the mutex
  };

  // Appending (topic_writer.cc).
  Status CheckRecords(std::span<const AppendRecord> records, const std::optional<Producer>& producer,
                      std::vector<Appended>* appended, std::size_t* bytes) const;
  Status CheckRecord(const AppendRecord& record) const;
  Status Enqueue(std::span<const AppendRecord> records, const std::optional<Producer>& producer, Timestamp now,
                 std::vector<Appended>* appended);
  Status CheckNotClosed(const std::vector<Appended>& appended) const;
  Status Ready(Lock& lock, std::size_t bytes);
  void Await(Lock& lock, const std::shared_ptr<Group>& group);
  std::vector<Appended> WithOldOffsets(Lock& lock, const Producer& producer, std::vector<Appended> appended);

  // Committing (topic_commit.cc).
  void Commit(Lock& lock);
  void WriteWorks(const std::vector<QueuedWork>& works, Group* group);
  void Settle(std::vector<QueuedWork>* works, Group* group);
  void Discard(std::size_t partition, const std::vector<QueuedProducerBatch>& batches);
  void FailCollecting(const std::vector<Status>& outcomes);
  void GiveUp(const Status& status);
  void Finish(Group* group);
  Status PublishEnds();
  Status WriteSnapshot(const std::string& snapshot);
  std::string Snapshot() const;
  void SyncFromTimeToTime(const std::stop_token& stop);

  // Starting and ending (topic_start.cc).
  Status Recover();
  std::vector<std::optional<PartitionEnd>> ReadEnds() const;
  bool Removable(const Partition& partition, std::int64_t bytes, std::int64_t floor) const;

  base::FileSystem& files_;
  const std::string topic_folder_;
  const TopicMetadata topic_;
  const WriterOptions options_;
  const base::WallClock& clock_;
  std::unique_ptr<base::FileLock> lock_;
  std::optional<EndsFile> ends_;  // the leader's

  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::vector<std::unique_ptr<Partition>> partitions_;
  std::unique_ptr<ProducerTable> producers_;
  std::shared_ptr<Group> collecting_;
  bool committing_ = false;  // somebody is the leader, or has the files for something else
  bool broken_ = false;      // files are: the topic must be recovered
  bool closed_ = true;       // or not started yet
  std::size_t queued_bytes_ = 0;
  std::size_t bytes_since_snapshot_ = 0;
  std::uint64_t turn_ = 0;  // of records without a key
  std::jthread syncing_;    // of kInterval
};

}  // namespace millrace::log
