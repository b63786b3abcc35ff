// What is appended to one partition and not yet written: batches, encoded where they will lie in their segments.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "log/byte_buffer.h"
#include "log/log_writer.h"
#include "log/producer_table.h"
#include "log/segment_format.h"
#include "log/segment_index.h"
#include "log/topic.h"
#include "millrace/core/timestamp.h"

namespace millrace::log {

/// Where a partition ends, and what must be known there to append.
struct Tail {
  std::int64_t segment_first = -1;  // first offset of the last segment; -1: there is none
  std::uint64_t position = 0;       // its end, in bytes
  std::int64_t next_offset = 0;
  Timestamp segment_created = Timestamp::Min();
  Timestamp last_publish = Timestamp::Min();
  IndexBuilder index;

  Timestamp watermark() const { return index.watermark(); }
};

/// Bytes for one segment.
struct Chunk {
  std::optional<SegmentHeader> new_segment;  // they begin one, behind this header
  std::uint64_t position = 0;                // of the first one
  ByteBuffer bytes;
  std::vector<IndexEntry> index;
};

/// A batch of a producer in the chunks.
struct QueuedProducerBatch {
  ProducerState* producer = nullptr;
  ProducerBatch batch;
  Timestamp publish_time;
};

/// All that was queued up to a moment.
struct QueuedWork {
  std::vector<Chunk> chunks;
  std::vector<QueuedProducerBatch> producers;
  Tail tail;  // after it
};

/// Who appends, as the queue needs it.
struct QueueProducer {
  std::string_view id;
  ProducerState* state = nullptr;
};

/// Needs exclusion.
class PartitionQueue {
 public:
  PartitionQueue(const TopicMetadata& topic, std::int32_t partition, const WriterOptions& options, Tail tail)
      : topic_(topic), partition_(partition), options_(options), tail_(tail) {}

  const Tail& tail() const { return tail_; }
  bool empty() const { return chunks_.empty(); }

  /// So much of the last written segment is synced, in bytes: batches say so.
  void SetSynced(std::int64_t segment_first, std::uint64_t position) {
    synced_segment_ = segment_first;
    synced_position_ = position;
  }

  /// Adds a record to the open batch, or to a new one, and gives its offset. `producer` is null without one, and is the
  /// same for all records until `FinishBatch`.
  std::int64_t Add(const AppendRecord& record, const QueueProducer* producer, std::int64_t sequence, Timestamp now);
  void AddControl(Timestamp watermark, Timestamp now);
  /// Closes the open batch, if there is one.
  void FinishBatch();

  /// Hands everything over. No batch is open.
  QueuedWork Take();
  /// Takes a buffer back to use it again.
  void Reuse(ByteBuffer buffer);
  /// Drops everything and goes on at `tail`; gives what was dropped.
  std::vector<QueuedProducerBatch> Reset(const Tail& tail);

 private:
  void BeginBatch(std::size_t bytes, const QueueProducer* producer, Timestamp now);
  Chunk& ChunkFor(std::size_t bytes, Timestamp now);

  const TopicMetadata& topic_;
  const std::int32_t partition_;
  const WriterOptions& options_;
  Tail tail_;
  std::int64_t synced_segment_ = -1;
  std::uint64_t synced_position_ = 0;
  std::vector<Chunk> chunks_;
  std::vector<QueuedProducerBatch> producers_;
  std::vector<ByteBuffer> spare_;

  bool open_ = false;  // a batch is, at batch_begin_ of the last chunk
  std::size_t batch_begin_ = 0;
  BatchHeader batch_;
  ProducerState* batch_producer_ = nullptr;
  std::int64_t last_time_ = 0;
  std::int64_t last_sequence_ = 0;
};

}  // namespace millrace::log
