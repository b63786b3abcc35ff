#include "log/topic_writer.h"

#include <limits>
#include <utility>

#include "base/status_macros.h"
#include "log/old_offsets.h"
#include "log/record_format.h"

namespace millrace::log {

Status TopicWriter::CheckRecord(const AppendRecord& record) const {
  const std::size_t bytes = ContentBytes(record);
  if (bytes > static_cast<std::size_t>(options_.record_bytes_max)) {
    return InvalidArgumentError("the record has " + std::to_string(bytes) + " bytes; at most " +
                                std::to_string(options_.record_bytes_max) + " are taken (record_bytes_max)");
  }
  if (record.attributes != nullptr && record.attributes->size() > kAttributesMax) {
    return InvalidArgumentError("the record has " + std::to_string(record.attributes->size()) +
                                " attributes; at most " + std::to_string(kAttributesMax) + " are taken");
  }
  if (record.partition < -1 || record.partition >= topic_.partitions) {
    return InvalidArgumentError("there is no partition " + std::to_string(record.partition) + "; the topic has " +
                                std::to_string(topic_.partitions));
  }
  if (record.event_time < Timestamp::Min() || record.event_time > Timestamp::Max()) {
    return InvalidArgumentError("the event time is outside the range of times");
  }
  return OkStatus();
}

// Also says which partition each record goes to; -1: it is up to the turn.
Status TopicWriter::CheckRecords(std::span<const AppendRecord> records, const std::optional<Producer>& producer,
                                 std::vector<Appended>* appended, std::size_t* bytes) const {
  const auto partitions = static_cast<std::uint64_t>(topic_.partitions);
  if (producer && (producer->id.empty() || producer->id.size() > kProducerIdBytesMax || producer->first_sequence < 0 ||
                   producer->first_sequence > std::numeric_limits<std::int64_t>::max() / 2)) {
    return InvalidArgumentError("a producer has an id of 1 to 200 bytes and sequences from 0 to 2^62");
  }
  for (std::size_t i = 0; i < records.size(); ++i) {
    const AppendRecord& record = records[i];
    if (Status checked = CheckRecord(record); !checked.ok()) {
      return checked.WithContext("topic " + topic_.topic + ", record " + std::to_string(i) + " of the append");
    }
    *bytes += EncodedBytesMax(record) + kBatchHeaderBytes;
    std::int32_t& partition = (*appended)[i].partition;
    partition = record.partition;
    if (partition >= 0) continue;
    if (!record.key.empty()) {
      partition = PartitionOfKey(record.key, topic_.partitions);
    } else if (producer) {
      partition = static_cast<std::int32_t>((static_cast<std::uint64_t>(producer->first_sequence) + i) % partitions);
    }
  }
  if (*bytes > static_cast<std::size_t>(options_.append_bytes_max)) {
    return InvalidArgumentError("topic " + topic_.topic + ": the append has about " + std::to_string(*bytes) +
                                " bytes; at most " + std::to_string(options_.append_bytes_max) +
                                " are taken at once (append_bytes_max); append in parts");
  }
  return OkStatus();
}

StatusOr<std::vector<Appended>> TopicWriter::Append(std::span<const AppendRecord> records,
                                                    std::optional<Producer> producer) {
  std::vector<Appended> appended(records.size());
  if (records.empty()) return appended;
  std::size_t bytes = 0;
  MILLRACE_RETURN_IF_ERROR(CheckRecords(records, producer, &appended, &bytes));
  const Timestamp now = clock_.Now();
  Lock lock(mutex_);
  MILLRACE_RETURN_IF_ERROR(Ready(lock, bytes));
  MILLRACE_RETURN_IF_ERROR(Enqueue(records, producer, now, &appended));
  queued_bytes_ += bytes;
  const std::shared_ptr<Group> group = collecting_;
  Await(lock, group);
  bool duplicates = false;
  for (const Appended& one : appended) {
    const Status& outcome = group->outcomes[static_cast<std::size_t>(one.partition)];
    if (!outcome.ok()) {
      return outcome.WithContext("topic " + topic_.topic + ", partition " + std::to_string(one.partition));
    }
    duplicates = duplicates || one.duplicate;
  }
  if (!duplicates) return appended;
  return WithOldOffsets(lock, *producer, std::move(appended));
}

Status TopicWriter::CheckNotClosed(const std::vector<Appended>& appended) const {
  for (const Appended& one : appended) {
    const Tail& tail = partitions_[static_cast<std::size_t>(one.partition)]->queue.tail();
    if (!one.duplicate && tail.watermark() == Timestamp::Max()) {
      return FailedPreconditionError("topic " + topic_.topic +
                                     " is closed: its time has come to an end; use another topic for new records");
    }
  }
  return OkStatus();
}

// Puts the records that are new into the queues. Nothing is queued when it fails.
Status TopicWriter::Enqueue(std::span<const AppendRecord> records, const std::optional<Producer>& producer,
                            Timestamp now, std::vector<Appended>* appended) {
  QueueProducer queue_producer;
  std::vector<std::int64_t> last(partitions_.size(), ProducerState::kNone);
  if (producer) {
    StatusOr<ProducerState*> state = producers_->Admit(producer->id, producer->first_sequence, now);
    if (!state.ok()) return state.status().WithContext("topic " + topic_.topic);
    queue_producer = {.id = producer->id, .state = *state};
    for (std::size_t p = 0; p < last.size(); ++p) last[p] = (*state)->LastSequence(static_cast<std::int32_t>(p));
  }
  for (std::size_t i = 0; i < records.size(); ++i) {
    Appended& one = (*appended)[i];
    if (one.partition < 0) one.partition = static_cast<std::int32_t>(turn_++ % partitions_.size());
    if (!producer) continue;
    const std::int64_t sequence = producer->first_sequence + static_cast<std::int64_t>(i);
    one.duplicate = sequence <= last[static_cast<std::size_t>(one.partition)];
  }
  MILLRACE_RETURN_IF_ERROR(CheckNotClosed(*appended));
  const QueueProducer* with = producer ? &queue_producer : nullptr;
  const std::int64_t first_sequence = producer ? producer->first_sequence : 0;
  for (std::size_t i = 0; i < records.size(); ++i) {
    Appended& one = (*appended)[i];
    one.offset = -1;
    if (one.duplicate) continue;
    const auto p = static_cast<std::size_t>(one.partition);
    last[p] = first_sequence + static_cast<std::int64_t>(i);
    one.offset = partitions_[p]->queue.Add(records[i], with, last[p], now);
  }
  for (std::size_t p = 0; p < partitions_.size(); ++p) {
    partitions_[p]->queue.FinishBatch();
    if (with != nullptr && last[p] != ProducerState::kNone) {
      producers_->Queue(with->state, static_cast<std::int32_t>(p), last[p]);
    }
  }
  return OkStatus();
}

// Waits until files are in order and there is room for `bytes` in the queues.
Status TopicWriter::Ready(Lock& lock, std::size_t bytes) {
  while (true) {
    if (closed_) return FailedPreconditionError("topic " + topic_.topic + ": the writer is closed");
    if (broken_) {
      if (committing_) {
        changed_.wait(lock);
        continue;
      }
      MILLRACE_RETURN_IF_ERROR(Recover().WithContext("topic " + topic_.topic));
    }
    if (queued_bytes_ == 0 || queued_bytes_ + bytes <= static_cast<std::size_t>(options_.queue_bytes_max)) {
      return OkStatus();
    }
    if (committing_) {
      changed_.wait(lock);
    } else {
      Commit(lock);
    }
  }
}

void TopicWriter::Await(Lock& lock, const std::shared_ptr<Group>& group) {
  while (!group->done) {
    if (committing_) {
      changed_.wait(lock);
    } else {
      Commit(lock);
    }
  }
}

std::vector<Appended> TopicWriter::WithOldOffsets(Lock& lock, const Producer& producer,
                                                  std::vector<Appended> appended) {
  const ProducerState* state = producers_->Find(producer.id);
  std::vector<std::optional<ProducerBatch>> batches(appended.size());
  for (std::size_t i = 0; i < appended.size() && state != nullptr; ++i) {
    if (!appended[i].duplicate) continue;
    batches[i] = state->Find(appended[i].partition, producer.first_sequence + static_cast<std::int64_t>(i));
  }
  lock.unlock();
  OldOffsets old(files_, topic_folder_, topic_);
  for (std::size_t i = 0; i < appended.size(); ++i) {
    if (!batches[i]) continue;
    const std::int64_t sequence = producer.first_sequence + static_cast<std::int64_t>(i);
    appended[i].offset = old.Find(appended[i].partition, *batches[i], sequence);
  }
  return appended;
}

Status TopicWriter::AdvanceWatermark(Timestamp watermark) {
  if (watermark < Timestamp::Min() || watermark > Timestamp::Max()) {
    return InvalidArgumentError("the watermark is outside the range of times");
  }
  Lock lock(mutex_);
  MILLRACE_RETURN_IF_ERROR(Ready(lock, 0));
  for (const auto& partition : partitions_) {
    PartitionQueue& queue = partition->queue;
    if (queue.tail().watermark() < watermark) queue.AddControl(watermark, clock_.Now());
  }
  const std::shared_ptr<Group> group = collecting_;
  Await(lock, group);
  for (const Status& outcome : group->outcomes) {
    if (!outcome.ok()) return outcome.WithContext("topic " + topic_.topic);
  }
  return OkStatus();
}

Status TopicWriter::Sync() {
  Lock lock(mutex_);
  MILLRACE_RETURN_IF_ERROR(Ready(lock, 0));
  const std::shared_ptr<Group> group = collecting_;
  group->sync = true;
  Await(lock, group);
  for (const Status& outcome : group->outcomes) {
    if (!outcome.ok()) return outcome.WithContext("topic " + topic_.topic);
  }
  return OkStatus();
}

Cut TopicWriter::End() const {
  const Lock lock(mutex_);
  Cut cut;
  for (const auto& partition : partitions_) cut.push_back(partition->committed.next_offset);
  return cut;
}

std::int64_t TopicWriter::LastSequence(std::string_view producer) const {
  const Lock lock(mutex_);
  const ProducerState* state = producers_->Find(producer);
  return state == nullptr ? ProducerState::kNone : state->GreatestSequence();
}

Cut TopicWriter::Start() const {
  Lock lock(mutex_);
  changed_.wait(lock, [this] { return !committing_; });
  Cut cut;
  for (const auto& partition : partitions_) {
    const auto& segments = partition->files.segments();
    cut.push_back(segments.empty() ? 0 : segments.front().first_offset);
  }
  return cut;
}

}  // namespace millrace::log
