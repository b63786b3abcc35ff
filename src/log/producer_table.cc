#include "log/producer_table.h"

#include <algorithm>

namespace millrace::log {

namespace {

constexpr std::size_t kBatchesKept = 16;
constexpr Duration kExpireEvery = std::chrono::minutes(1);

}  // namespace

const ProducerState::InPartition* ProducerState::FindIn(std::int32_t partition) const {
  for (const InPartition& in : partitions_) {
    if (in.partition == partition) return &in;
  }
  return nullptr;
}

ProducerState::InPartition& ProducerState::In(std::int32_t partition) {
  for (InPartition& in : partitions_) {
    if (in.partition == partition) return in;
  }
  partitions_.push_back({.partition = partition, .queued = kNone, .batches = {}});
  return partitions_.back();
}

std::int64_t ProducerState::LastSequence(std::int32_t partition) const {
  const InPartition* in = FindIn(partition);
  return in == nullptr ? kNone : in->queued;
}

std::int64_t ProducerState::GreatestSequence() const {
  std::int64_t greatest = kNone;
  for (const InPartition& in : partitions_) greatest = std::max(greatest, in.queued);
  return greatest;
}

std::optional<ProducerBatch> ProducerState::Find(std::int32_t partition, std::int64_t sequence) const {
  const InPartition* in = FindIn(partition);
  if (in == nullptr) return std::nullopt;
  for (const ProducerBatch& batch : in->batches) {
    if (sequence >= batch.first_sequence && sequence <= batch.last_sequence()) return batch;
  }
  return std::nullopt;
}

ProducerState* ProducerTable::Find(std::string_view id) {
  const auto found = producers_.find(id);
  return found == producers_.end() ? nullptr : found->second.get();
}

StatusOr<ProducerState*> ProducerTable::Admit(std::string_view id, std::int64_t first_sequence, Timestamp now) {
  if (now - expired_at_ >= kExpireEvery || static_cast<std::int64_t>(producers_.size()) >= producers_max_) Expire(now);
  ProducerState* known = Find(id);
  if (known != nullptr && known->GreatestSequence() == ProducerState::kNone) known->first_sequence_ = first_sequence;
  if (known == nullptr) {
    if (static_cast<std::int64_t>(producers_.size()) >= producers_max_) {
      return ResourceExhaustedError("the topic knows " + std::to_string(producers_max_) +
                                    " producers, which is the most; use fewer producer ids, or a shorter expiry");
    }
    known = producers_.emplace(id, std::make_unique<ProducerState>()).first->second.get();
    known->first_sequence_ = first_sequence;
    known->last_publish_ = now;
    return known;
  }
  const std::int64_t greatest = known->GreatestSequence();
  const std::string who = "producer \"" + std::string(id) + "\": sequence " + std::to_string(first_sequence);
  if (greatest != ProducerState::kNone && first_sequence > greatest + 1) {
    return FailedPreconditionError(who + " leaves a gap behind " + std::to_string(greatest) +
                                   "; begin at or before the first record that was not acknowledged");
  }
  if (first_sequence < known->first_sequence_) {
    return FailedPreconditionError(who + " is below the first one of that producer, " +
                                   std::to_string(known->first_sequence_) +
                                   "; append in the order of sequences, or use a new producer id");
  }
  return known;
}

void ProducerTable::Queue(ProducerState* producer, std::int32_t partition, std::int64_t last_sequence) {
  producer->In(partition).queued = last_sequence;
}

void ProducerTable::Written(ProducerState* producer, std::int32_t partition, const ProducerBatch& batch,
                            Timestamp publish_time) {
  ProducerState::InPartition& in = producer->In(partition);
  if (in.batches.size() >= kBatchesKept) in.batches.erase(in.batches.begin());
  in.batches.push_back(batch);
  in.queued = std::max(in.queued, batch.last_sequence());
  producer->last_publish_ = std::max(producer->last_publish_, publish_time);
}

void ProducerTable::Discard(ProducerState* producer, std::int32_t partition) {
  ProducerState::InPartition& in = producer->In(partition);
  in.queued = in.written();
}

void ProducerTable::Replay(std::int32_t partition, const BatchView& batch) {
  if (batch.header.producer_bytes == 0) return;
  const ProducerBatch added{.first_sequence = batch.header.first_sequence,
                            .span = batch.header.sequence_span,
                            .first_offset = batch.header.first_offset,
                            .records = batch.header.records};
  std::unique_ptr<ProducerState>& state = producers_[std::string(batch.producer())];
  if (state == nullptr) state = std::make_unique<ProducerState>();
  Written(state.get(), partition, added, batch.header.publish_time);
}

// Forgets producers that have appended nothing for long and have nothing queued.
void ProducerTable::Expire(Timestamp now) {
  expired_at_ = now;
  std::erase_if(producers_, [&](const auto& entry) {
    const ProducerState& state = *entry.second;
    if (state.last_publish_ + expiry_ >= now) return false;
    return std::all_of(state.partitions_.begin(), state.partitions_.end(),
                       [](const auto& in) { return in.queued == in.written(); });
  });
}

}  // namespace millrace::log
