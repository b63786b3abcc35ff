#include "log/old_offsets.h"

#include <algorithm>

#include "log/record_format.h"
#include "log/segment_search.h"

namespace millrace::log {

std::int64_t OldOffsets::Find(std::int32_t partition, const ProducerBatch& batch, std::int64_t sequence) {
  if (batch.records == batch.span + 1) return batch.first_offset + (sequence - batch.first_sequence);
  const auto [at, is_new] = read_.try_emplace({partition, batch.first_offset});
  if (is_new) at->second = ReadSequences(partition, batch);
  const std::vector<std::int64_t>& sequences = at->second;
  const auto found = std::lower_bound(sequences.begin(), sequences.end(), sequence);
  if (found == sequences.end() || *found != sequence) return -1;
  return batch.first_offset + (found - sequences.begin());
}

std::vector<std::int64_t> OldOffsets::ReadSequences(std::int32_t partition, const ProducerBatch& batch) {
  std::vector<std::int64_t> sequences;
  StatusOr<FoundBatch> found = FindBatch(files_, topic_folder_, topic_, partition, batch.first_offset);
  if (!found.ok()) return sequences;
  BatchView view;
  const StatusOr<BatchFound> read = found->reader.ReadBatch(found->position, found->first_offset, &view);
  if (!read.ok() || *read != BatchFound::kBatch || view.header.first_offset != batch.first_offset) return sequences;
  RecordParser records(view.header, view.body);
  RecordView record;
  while (records.left() > 0 && records.Next(&record)) sequences.push_back(records.sequence());
  return sequences;
}

}  // namespace millrace::log
