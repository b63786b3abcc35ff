#include "log/partition_queue.h"

#include <algorithm>
#include <utility>

#include "log/record_format.h"

namespace millrace::log {

namespace {

constexpr std::size_t kSpareBuffersMax = 2;
constexpr std::size_t kSpareBytesMax = std::size_t{8} << 20;

}  // namespace

std::int64_t PartitionQueue::Add(const AppendRecord& record, const QueueProducer* producer, std::int64_t sequence,
                                 Timestamp now) {
  const std::size_t bytes = EncodedBytesMax(record);
  if (open_ && chunks_.back().bytes.size() - batch_begin_ + bytes > kBatchHeaderBytes + kBatchBytes) FinishBatch();
  if (!open_) {
    BeginBatch(bytes, producer, now);
    batch_.first_sequence = producer == nullptr ? 0 : sequence;
    last_sequence_ = sequence;
    batch_.least_event_time = batch_.greatest_event_time = record.event_time;
  }
  EncodeRecord(record, last_time_, producer == nullptr ? nullptr : &sequence, last_sequence_, &chunks_.back().bytes);
  last_time_ = record.event_time.micros();
  last_sequence_ = sequence;
  batch_.least_event_time = std::min(batch_.least_event_time, record.event_time);
  batch_.greatest_event_time = std::max(batch_.greatest_event_time, record.event_time);
  return batch_.first_offset + batch_.records++;
}

void PartitionQueue::AddControl(Timestamp watermark, Timestamp now) {
  FinishBatch();
  BeginBatch(0, nullptr, now);
  batch_.kind = BatchKind::kControl;
  batch_.records = 1;
  batch_.least_event_time = batch_.greatest_event_time = watermark;
  FinishBatch();
}

void PartitionQueue::BeginBatch(std::size_t bytes, const QueueProducer* producer, Timestamp now) {
  const Timestamp publish_time = std::max(now, tail_.last_publish);
  Chunk& chunk = ChunkFor(kBatchHeaderBytes + kProducerIdBytesMax + bytes, publish_time);
  open_ = true;
  batch_begin_ = chunk.bytes.size();
  batch_ = {};
  batch_.first_offset = tail_.next_offset;
  batch_.publish_time = publish_time;
  batch_producer_ = producer == nullptr ? nullptr : producer->state;
  last_time_ = 0;
  chunk.bytes.Reserve(kBatchHeaderBytes);
  chunk.bytes.Advance(kBatchHeaderBytes);
  if (producer != nullptr) {
    batch_.producer_bytes = static_cast<std::uint8_t>(producer->id.size());
    chunk.bytes.Append(producer->id);
  }
}

// The chunk for a batch of about `bytes`; a new one where a new segment begins.
Chunk& PartitionQueue::ChunkFor(std::size_t bytes, Timestamp now) {
  const bool full = tail_.position + bytes > static_cast<std::uint64_t>(options_.segment_bytes) &&
                    tail_.position > kSegmentHeaderBytes;
  const bool old = tail_.position > kSegmentHeaderBytes && now - tail_.segment_created >= options_.segment_age;
  const bool begins = tail_.segment_first < 0 || full || old;
  if (!begins && !chunks_.empty()) return chunks_.back();
  Chunk& chunk = chunks_.emplace_back();
  if (!spare_.empty()) {
    chunk.bytes = std::move(spare_.back());
    spare_.pop_back();
  }
  if (begins) {
    chunk.new_segment = SegmentHeader{.topic_id = topic_.id,
                                      .first_offset = tail_.next_offset,
                                      .partition = partition_,
                                      .previous_synced = options_.sync != SyncPolicy::kOs,
                                      .created_at = now,
                                      .watermark = tail_.watermark()};
    tail_.segment_first = tail_.next_offset;
    tail_.position = kSegmentHeaderBytes;
    tail_.segment_created = now;
    tail_.index = IndexBuilder(*chunk.new_segment);
  }
  chunk.position = tail_.position;
  return chunk;
}

void PartitionQueue::FinishBatch() {
  if (!open_) return;
  open_ = false;
  Chunk& chunk = chunks_.back();
  batch_.body_bytes = static_cast<std::uint32_t>(chunk.bytes.size() - batch_begin_ - kBatchHeaderBytes);
  batch_.sequence_span =
      batch_producer_ == nullptr ? 0 : static_cast<std::uint32_t>(last_sequence_ - batch_.first_sequence);
  if (tail_.segment_first == synced_segment_) batch_.synced_position = static_cast<std::uint32_t>(synced_position_);
  const std::uint64_t seed = SegmentSeed(topic_.id, partition_, tail_.segment_first);
  SealBatch(batch_, seed, tail_.position, chunk.bytes.data() + batch_begin_);
  tail_.index.Add(batch_, tail_.position, &chunk.index);
  tail_.position += batch_.total_bytes();
  tail_.next_offset = batch_.end_offset();
  tail_.last_publish = batch_.publish_time;
  if (batch_producer_ != nullptr) {
    producers_.push_back({.producer = batch_producer_,
                          .batch = {.first_sequence = batch_.first_sequence,
                                    .span = batch_.sequence_span,
                                    .first_offset = batch_.first_offset,
                                    .records = batch_.records},
                          .publish_time = batch_.publish_time});
  }
}

QueuedWork PartitionQueue::Take() {
  QueuedWork work{.chunks = std::move(chunks_), .producers = std::move(producers_), .tail = tail_};
  chunks_.clear();
  producers_.clear();
  return work;
}

void PartitionQueue::Reuse(ByteBuffer buffer) {
  if (spare_.size() >= kSpareBuffersMax || buffer.capacity() > kSpareBytesMax) return;
  buffer.Clear();
  spare_.push_back(std::move(buffer));
}

std::vector<QueuedProducerBatch> PartitionQueue::Reset(const Tail& tail) {
  open_ = false;
  chunks_.clear();
  tail_ = tail;
  return std::exchange(producers_, {});
}

}  // namespace millrace::log
