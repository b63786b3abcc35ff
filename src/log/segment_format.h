// The headers of segments and batches as bytes. Format: docs/formats/log.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "millrace/core/timestamp.h"

namespace millrace::log {

inline constexpr std::size_t kSegmentHeaderBytes = 64;
inline constexpr std::size_t kBatchHeaderBytes = 72;
inline constexpr std::uint64_t kSegmentBytesMax = std::uint64_t{1} << 30;
inline constexpr std::size_t kRecordBytesMax = std::size_t{64} << 20;
/// A batch takes no further record when its body has this many bytes.
inline constexpr std::size_t kBatchBytes = std::size_t{256} << 10;
/// Of a body: a record of the greatest size, its numbers, and what was there before it.
inline constexpr std::size_t kBatchBytesMax = kRecordBytesMax + kBatchBytes + (std::size_t{64} << 10);
inline constexpr std::size_t kProducerIdBytesMax = 200;
inline constexpr std::size_t kAttributesMax = 1'000;

struct SegmentHeader {
  std::uint64_t topic_id = 0;
  std::int64_t first_offset = 0;
  std::int32_t partition = 0;
  bool previous_synced = true;
  Timestamp created_at;
  Timestamp watermark = Timestamp::Min();
};

/// Writes `kSegmentHeaderBytes` at `at`.
void EncodeSegmentHeader(const SegmentHeader& header, char* at);
/// Nothing when the bytes are no whole header.
std::optional<SegmentHeader> DecodeSegmentHeader(std::string_view bytes);

enum class BatchKind : std::uint8_t { kRecords = 0, kControl = 1 };

struct BatchHeader {
  std::uint32_t body_bytes = 0;
  std::int64_t first_offset = 0;
  std::uint32_t records = 0;
  std::uint32_t sequence_span = 0;
  std::int64_t first_sequence = 0;
  Timestamp publish_time;
  Timestamp least_event_time;
  Timestamp greatest_event_time;
  BatchKind kind = BatchKind::kRecords;
  std::uint8_t producer_bytes = 0;
  std::uint32_t synced_position = 0;

  std::size_t total_bytes() const { return kBatchHeaderBytes + body_bytes; }
  std::int64_t end_offset() const { return first_offset + records; }
  std::int64_t last_sequence() const { return first_sequence + sequence_span; }
};

/// Whether `first` and `first` + `span` can be sequences: another one can follow.
inline bool AreSequences(std::int64_t first, std::uint32_t span) {
  return first >= 0 && first < std::numeric_limits<std::int64_t>::max() - span;
}

/// What every checksum of a segment's batches depends on.
std::uint64_t SegmentSeed(std::uint64_t topic_id, std::int32_t partition, std::int64_t first_offset);

/// Writes the header at `batch`, whose body follows it already, with the checksum for that position in its segment.
void SealBatch(const BatchHeader& header, std::uint64_t segment_seed, std::uint64_t position, char* batch);
/// The header of a batch whose first `kBatchHeaderBytes` are at `bytes`; nothing when the magic is wrong or a number
/// is impossible. The checksum is not looked at.
std::optional<BatchHeader> DecodeBatchHeader(const char* bytes);
/// Whether the whole batch is at `batch` as it was written for that position.
bool BatchIsWhole(const BatchHeader& header, std::uint64_t segment_seed, std::uint64_t position, const char* batch);

/// XXH3 with 64 bits.
std::uint64_t Checksum(std::string_view bytes, std::uint64_t seed);

/// "00000000000000000042.segment", and back; nothing for other names.
std::string SegmentName(std::int64_t first_offset);
std::string IndexName(std::int64_t first_offset);
std::optional<std::int64_t> OffsetOfSegmentName(std::string_view name);
std::optional<std::int64_t> OffsetOfIndexName(std::string_view name);

}  // namespace millrace::log
