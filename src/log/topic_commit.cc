// How a group is committed: written, synced, published, settled.
#include <chrono>
#include <utility>

#include "base/status_macros.h"
#include "log/topic_files.h"
#include "log/topic_writer.h"

namespace millrace::log {

namespace {

constexpr std::size_t kSnapshotEveryBytes = std::size_t{256} << 20;

}  // namespace

// The caller becomes the leader of the group that collects. Nobody else is one.
void TopicWriter::Commit(Lock& lock) {
  committing_ = true;
  const std::shared_ptr<Group> group = std::exchange(collecting_, std::make_shared<Group>(partitions_.size()));
  bytes_since_snapshot_ += std::exchange(queued_bytes_, 0);
  std::vector<QueuedWork> works;
  works.reserve(partitions_.size());
  for (const auto& partition : partitions_) works.push_back(partition->queue.Take());
  lock.unlock();
  WriteWorks(works, group.get());
  lock.lock();
  Settle(&works, group.get());
  Finish(group.get());
  const bool snapshot_due = bytes_since_snapshot_ >= kSnapshotEveryBytes && !broken_;
  if (snapshot_due) {
    bytes_since_snapshot_ = 0;
    const std::string snapshot = Snapshot();
    changed_.notify_all();
    lock.unlock();
    if (Status written = WriteSnapshot(snapshot); !written.ok()) {
      options_.report("topic " + topic_.topic +
                      ": no snapshot of the producers, so the next start takes longer: " + written.message());
    }
    lock.lock();
  }
  committing_ = false;
  changed_.notify_all();
}

// Without the mutex.
void TopicWriter::WriteWorks(const std::vector<QueuedWork>& works, Group* group) {
  for (std::size_t p = 0; p < works.size(); ++p) {
    if (works[p].chunks.empty()) continue;
    group->outcomes[p] = partitions_[p]->files.Write(works[p].chunks, works[p].tail);
  }
  if (options_.sync == SyncPolicy::kAlways || group->sync) {
    for (std::size_t p = 0; p < works.size(); ++p) {
      if (group->outcomes[p].ok()) group->outcomes[p] = partitions_[p]->files.Sync();
    }
  }
  if (Status published = PublishEnds(); !published.ok()) {  // the next commit tries again
    options_.report("topic " + topic_.topic + ": readers do not see the newest records yet: " + published.message());
  }
}

Status TopicWriter::PublishEnds() {
  std::vector<PartitionEnd> ends;
  for (const auto& partition : partitions_) {
    const Tail& synced = partition->files.synced();
    const Tail& visible = options_.sync == SyncPolicy::kOs ? partition->files.written() : synced;
    ends.push_back({.visible = visible.next_offset, .synced = synced.next_offset, .watermark = visible.watermark()});
  }
  return ends_->Write(ends);
}

// With the mutex: what the outcomes mean for queues and producers.
void TopicWriter::Settle(std::vector<QueuedWork>* works, Group* group) {
  bool failed = false;
  Status broken;
  for (std::size_t p = 0; p < works->size(); ++p) {
    QueuedWork& work = (*works)[p];
    Partition& partition = *partitions_[p];
    const Status& outcome = group->outcomes[p];
    if (partition.files.broken() && broken.ok()) broken = outcome;
    if (!outcome.ok()) {
      failed = true;
      Discard(p, work.producers);
      continue;
    }
    for (const QueuedProducerBatch& batch : work.producers) {
      producers_->Written(batch.producer, static_cast<std::int32_t>(p), batch.batch, batch.publish_time);
    }
    if (!work.chunks.empty()) partition.committed = work.tail;
    partition.queue.SetSynced(partition.files.synced().segment_first, partition.files.synced().position);
    for (Chunk& chunk : work.chunks) partition.queue.Reuse(std::move(chunk.bytes));
  }
  if (failed) FailCollecting(group->outcomes);
  if (!broken.ok()) GiveUp(broken);
}

// What was queued for the partition is not there: neither `batches`, which the leader has had, nor what came after.
void TopicWriter::Discard(std::size_t partition, const std::vector<QueuedProducerBatch>& batches) {
  const auto number = static_cast<std::int32_t>(partition);
  Partition& owner = *partitions_[partition];
  for (const QueuedProducerBatch& batch : owner.queue.Reset(owner.committed)) {
    producers_->Discard(batch.producer, number);
  }
  for (const QueuedProducerBatch& batch : batches) producers_->Discard(batch.producer, number);
}

// The group that collects has lost what it had queued for the failed partitions. It goes on in another one, so that
// those who come later are not told of it.
void TopicWriter::FailCollecting(const std::vector<Status>& outcomes) {
  std::shared_ptr<Group> old = std::exchange(collecting_, std::make_shared<Group>(partitions_.size()));
  collecting_->sync = old->sync;
  collecting_->absorbed = std::move(old->absorbed);
  old->absorbed.clear();
  collecting_->absorbed.push_back(std::move(old));
  for (const auto& group : collecting_->absorbed) {
    for (std::size_t p = 0; p < outcomes.size(); ++p) {
      if (group->outcomes[p].ok()) group->outcomes[p] = outcomes[p];
    }
  }
}

// The files must be recovered first: everything that is queued has failed.
void TopicWriter::GiveUp(const Status& status) {
  broken_ = true;
  for (std::size_t p = 0; p < partitions_.size(); ++p) Discard(p, {});
  const std::shared_ptr<Group> group = std::exchange(collecting_, std::make_shared<Group>(partitions_.size()));
  queued_bytes_ = 0;
  group->outcomes.assign(partitions_.size(), status);
  Finish(group.get());
}

void TopicWriter::Finish(Group* group) {
  for (const auto& absorbed : group->absorbed) {
    for (std::size_t p = 0; p < group->outcomes.size(); ++p) {
      if (absorbed->outcomes[p].ok()) absorbed->outcomes[p] = group->outcomes[p];
    }
    absorbed->done = true;
  }
  group->absorbed.clear();
  group->done = true;
}

std::string TopicWriter::Snapshot() const {
  Cut cut;
  for (const auto& partition : partitions_) cut.push_back(partition->committed.next_offset);
  return producers_->Snapshot(topic_, cut);
}

Status TopicWriter::WriteSnapshot(const std::string& snapshot) {
  return base::ReplaceFile(files_, topic_folder_ + kProducersFileName, snapshot);
}

void TopicWriter::SyncFromTimeToTime(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any stopped;
  std::unique_lock waiting(mutex);
  while (!stopped.wait_for(waiting, stop, options_.sync_interval, [&stop] { return stop.stop_requested(); })) {
    Lock lock(mutex_);
    changed_.wait(lock, [this] { return !committing_; });
    if (broken_) continue;  // the next Append recovers
    collecting_->sync = true;
    Commit(lock);
  }
}

}  // namespace millrace::log
