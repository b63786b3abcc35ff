#include "log/segment_format.h"

#include <xxhash.h>

#include <charconv>
#include <cstring>

#include "log/byte_buffer.h"
#include "millrace/detail/hash.h"

namespace millrace::log {

namespace {

constexpr std::string_view kSegmentMagic = "MRSEGMT1";
constexpr std::string_view kBatchMagic = "MRB1";
constexpr std::string_view kSegmentSuffix = ".segment";
constexpr std::string_view kIndexSuffix = ".index";
constexpr std::size_t kNameDigits = 20;
constexpr std::uint32_t kPreviousSynced = 1;

void StoreTime(char* at, Timestamp time) { Store(at, time.micros()); }
Timestamp LoadTime(const char* at) { return Timestamp::FromMicros(Load<std::int64_t>(at)); }

// Half of the range, so that what is counted on from one is a number.
bool IsOffset(std::int64_t offset) { return offset >= 0 && offset <= std::numeric_limits<std::int64_t>::max() / 2; }
bool IsTime(Timestamp time) { return time >= Timestamp::Min() && time <= Timestamp::Max(); }

std::string Name(std::int64_t first_offset, std::string_view suffix) {
  const std::string digits = std::to_string(first_offset);
  return std::string(kNameDigits - digits.size(), '0').append(digits).append(suffix);
}

std::optional<std::int64_t> OffsetOfName(std::string_view name, std::string_view suffix) {
  if (name.size() != kNameDigits + suffix.size() || !name.ends_with(suffix)) return std::nullopt;
  std::int64_t offset = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + kNameDigits, offset);
  if (error != std::errc() || end != name.data() + kNameDigits || offset < 0) return std::nullopt;
  return offset;
}

std::uint64_t BatchSeed(std::uint64_t segment_seed, std::uint64_t position) {
  return detail::HashCombine(segment_seed, position);
}

}  // namespace

std::uint64_t Checksum(std::string_view bytes, std::uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

void EncodeSegmentHeader(const SegmentHeader& header, char* at) {
  std::memset(at, 0, kSegmentHeaderBytes);
  std::memcpy(at, kSegmentMagic.data(), kSegmentMagic.size());
  Store(at + 8, header.topic_id);
  Store(at + 16, header.first_offset);
  Store(at + 24, header.partition);
  Store<std::uint32_t>(at + 28, header.previous_synced ? kPreviousSynced : 0);
  StoreTime(at + 32, header.created_at);
  StoreTime(at + 40, header.watermark);
  Store(at + 56, Checksum({at, 56}, 0));
}

std::optional<SegmentHeader> DecodeSegmentHeader(std::string_view bytes) {
  if (bytes.size() < kSegmentHeaderBytes || !bytes.starts_with(kSegmentMagic)) return std::nullopt;
  const char* at = bytes.data();
  if (Load<std::uint64_t>(at + 56) != Checksum({at, 56}, 0)) return std::nullopt;
  SegmentHeader header;
  header.topic_id = Load<std::uint64_t>(at + 8);
  header.first_offset = Load<std::int64_t>(at + 16);
  header.partition = Load<std::int32_t>(at + 24);
  header.previous_synced = (Load<std::uint32_t>(at + 28) & kPreviousSynced) != 0;
  header.created_at = LoadTime(at + 32);
  header.watermark = LoadTime(at + 40);
  if (!IsOffset(header.first_offset) || !IsTime(header.created_at) || !IsTime(header.watermark)) return std::nullopt;
  return header;
}

std::uint64_t SegmentSeed(std::uint64_t topic_id, std::int32_t partition, std::int64_t first_offset) {
  const std::uint64_t topic = detail::HashWord(topic_id);
  const std::uint64_t of_partition = detail::HashCombine(topic, static_cast<std::uint64_t>(partition));
  return detail::HashCombine(of_partition, static_cast<std::uint64_t>(first_offset));
}

void SealBatch(const BatchHeader& header, std::uint64_t segment_seed, std::uint64_t position, char* batch) {
  std::memcpy(batch + 8, kBatchMagic.data(), kBatchMagic.size());
  Store(batch + 12, header.body_bytes);
  Store(batch + 16, header.first_offset);
  Store(batch + 24, header.records);
  Store(batch + 28, header.sequence_span);
  Store(batch + 32, header.first_sequence);
  StoreTime(batch + 40, header.publish_time);
  StoreTime(batch + 48, header.least_event_time);
  StoreTime(batch + 56, header.greatest_event_time);
  Store(batch + 64, static_cast<std::uint8_t>(header.kind));
  Store(batch + 65, header.producer_bytes);
  Store<std::uint16_t>(batch + 66, 0);
  Store(batch + 68, header.synced_position);
  Store(batch, Checksum({batch + 8, header.total_bytes() - 8}, BatchSeed(segment_seed, position)));
}

std::optional<BatchHeader> DecodeBatchHeader(const char* bytes) {
  if (std::string_view(bytes + 8, kBatchMagic.size()) != kBatchMagic) return std::nullopt;
  BatchHeader header;
  header.body_bytes = Load<std::uint32_t>(bytes + 12);
  header.first_offset = Load<std::int64_t>(bytes + 16);
  header.records = Load<std::uint32_t>(bytes + 24);
  header.sequence_span = Load<std::uint32_t>(bytes + 28);
  header.first_sequence = Load<std::int64_t>(bytes + 32);
  header.publish_time = LoadTime(bytes + 40);
  header.least_event_time = LoadTime(bytes + 48);
  header.greatest_event_time = LoadTime(bytes + 56);
  const auto kind = Load<std::uint8_t>(bytes + 64);
  header.kind = static_cast<BatchKind>(kind);
  header.producer_bytes = Load<std::uint8_t>(bytes + 65);
  header.synced_position = Load<std::uint32_t>(bytes + 68);
  const bool possible = header.body_bytes <= kBatchBytesMax && IsOffset(header.first_offset) && header.records > 0 &&
                        AreSequences(header.first_sequence, header.sequence_span) && kind <= 1 &&
                        header.producer_bytes <= kProducerIdBytesMax && header.producer_bytes <= header.body_bytes &&
                        IsTime(header.publish_time) && IsTime(header.least_event_time) &&
                        IsTime(header.greatest_event_time);
  if (!possible) return std::nullopt;
  return header;
}

bool BatchIsWhole(const BatchHeader& header, std::uint64_t segment_seed, std::uint64_t position, const char* batch) {
  return Load<std::uint64_t>(batch) ==
         Checksum({batch + 8, header.total_bytes() - 8}, BatchSeed(segment_seed, position));
}

std::string SegmentName(std::int64_t first_offset) { return Name(first_offset, kSegmentSuffix); }
std::string IndexName(std::int64_t first_offset) { return Name(first_offset, kIndexSuffix); }
std::optional<std::int64_t> OffsetOfSegmentName(std::string_view name) { return OffsetOfName(name, kSegmentSuffix); }
std::optional<std::int64_t> OffsetOfIndexName(std::string_view name) { return OffsetOfName(name, kIndexSuffix); }

}  // namespace millrace::log
