// Which sequences of which producers a topic holds: exactly once per (producer, sequence). Format of the snapshot:
// docs/formats/log.md, "Producers".
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_system.h"
#include "log/segment_reader.h"
#include "log/topic.h"
#include "millrace/core/status.h"
#include "millrace/core/timestamp.h"

namespace millrace::log {

/// The sequences that one batch holds.
struct ProducerBatch {
  std::int64_t first_sequence = 0;
  std::uint32_t span = 0;  // the last sequence less the first
  std::int64_t first_offset = 0;
  std::uint32_t records = 0;

  std::int64_t last_sequence() const { return first_sequence + span; }
};

/// What is known of one producer.
class ProducerState {
 public:
  static constexpr std::int64_t kNone = -1;

  /// The greatest sequence in that partition, counting what is queued but not yet written; kNone if there is none.
  std::int64_t LastSequence(std::int32_t partition) const;
  /// The same over all partitions.
  std::int64_t GreatestSequence() const;
  /// The batch in that partition that may hold the sequence, if it is one of the last ones.
  std::optional<ProducerBatch> Find(std::int32_t partition, std::int64_t sequence) const;

 private:
  friend class ProducerTable;
  struct InPartition {
    std::int32_t partition = 0;
    std::int64_t queued = kNone;
    std::vector<ProducerBatch> batches;  // written; the last ones, oldest first
    std::int64_t written() const { return batches.empty() ? kNone : batches.back().last_sequence(); }
  };
  InPartition& In(std::int32_t partition);
  const InPartition* FindIn(std::int32_t partition) const;

  // The first of all, of a producer that is new here; 0 of one that was recovered: a crash may have left the later
  // records of its first Append and not the earlier ones.
  std::int64_t first_sequence_ = 0;
  Timestamp last_publish_ = Timestamp::Min();
  std::vector<InPartition> partitions_;
};

/// All producers of a topic. Needs exclusion.
class ProducerTable {
 public:
  ProducerTable(std::int64_t producers_max, Duration expiry) : producers_max_(producers_max), expiry_(expiry) {}

  /// The producer, made when it is not known. FAILED_PRECONDITION when its sequence leaves a gap, or is below the one
  /// that it began with here; RESOURCE_EXHAUSTED when there are too many.
  StatusOr<ProducerState*> Admit(std::string_view id, std::int64_t first_sequence, Timestamp now);
  ProducerState* Find(std::string_view id);

  /// A batch is queued, then written, or everything of the partition that was queued is discarded.
  void Queue(ProducerState* producer, std::int32_t partition, std::int64_t last_sequence);
  void Written(ProducerState* producer, std::int32_t partition, const ProducerBatch& batch, Timestamp publish_time);
  void Discard(ProducerState* producer, std::int32_t partition);

  /// Takes a batch that was read from a segment.
  void Replay(std::int32_t partition, const BatchView& batch);

  std::size_t size() const { return producers_.size(); }

  /// The snapshot of what is written, which ends at `cut`.
  std::string Snapshot(const TopicMetadata& topic, const Cut& cut) const;
  /// Takes a snapshot and gives its cut; nothing when it is damaged or of another topic: then the table is empty.
  std::optional<Cut> Restore(const TopicMetadata& topic, std::string_view snapshot);

 private:
  void Expire(Timestamp now);

  std::int64_t producers_max_;
  Duration expiry_;
  Timestamp expired_at_ = Timestamp::Min();
  std::map<std::string, std::unique_ptr<ProducerState>, std::less<>> producers_;
};

}  // namespace millrace::log
