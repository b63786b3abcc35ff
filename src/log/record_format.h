// Records in the body of a batch: variable-length numbers, then the bytes. Format: docs/formats/log.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <string_view>

#include "log/byte_buffer.h"
#include "log/log_reader.h"
#include "log/log_writer.h"
#include "log/segment_format.h"

namespace millrace::log {

inline constexpr std::size_t kVarintBytesMax = 10;

/// Writes `number` at `at`, which has room for `kVarintBytesMax`; gives the place behind it.
inline char* PutVarint(char* at, std::uint64_t number) {
  while (number >= 0x80) {
    *at++ = static_cast<char>(number | 0x80);
    number >>= 7;
  }
  *at++ = static_cast<char>(number);
  return at;
}

/// Reads a number from [at, end); null when there is no whole one.
inline const char* GetVarint(const char* at, const char* end, std::uint64_t* number) {
  if (at < end && static_cast<signed char>(*at) >= 0) [[likely]] {
    *number = static_cast<std::uint64_t>(*at);
    return at + 1;
  }
  std::uint64_t result = 0;
  for (unsigned shift = 0; shift < 64 && at < end; shift += 7) {
    const auto byte = static_cast<unsigned char>(*at++);
    result |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
    if (byte < 0x80) {
      *number = result;
      return at;
    }
  }
  return nullptr;
}

/// Small numbers for small differences in either direction.
inline std::uint64_t ZigZag(std::int64_t number) {
  return (static_cast<std::uint64_t>(number) << 1) ^ static_cast<std::uint64_t>(number >> 63);
}
inline std::int64_t UnZigZag(std::uint64_t number) {
  return static_cast<std::int64_t>((number >> 1) ^ (0 - (number & 1)));
}

/// The bytes of a record's key, attributes and data together.
inline std::size_t ContentBytes(const AppendRecord& record) {
  std::size_t bytes = record.key.size() + record.data.size();
  if (record.attributes != nullptr) {
    for (const auto& [name, value] : *record.attributes) bytes += name.size() + value.size();
  }
  return bytes;
}

/// At least the bytes that the record takes in a body.
inline std::size_t EncodedBytesMax(const AppendRecord& record) {
  const std::size_t attributes = record.attributes == nullptr ? 0 : record.attributes->size();
  return ContentBytes(record) + (5 + 2 * attributes) * kVarintBytesMax;
}

inline char* PutBytes(char* at, std::string_view bytes) {
  if (!bytes.empty()) std::memcpy(at, bytes.data(), bytes.size());
  return at + bytes.size();
}

/// Appends a record to a body. `time_before` and `sequence_before` are those of the record before in the batch.
inline void EncodeRecord(const AppendRecord& record, std::int64_t time_before, const std::int64_t* sequence,
                         std::int64_t sequence_before, ByteBuffer* body) {
  char* const begin = body->Reserve(EncodedBytesMax(record));
  const auto difference = static_cast<std::uint64_t>(record.event_time.micros()) -
                          static_cast<std::uint64_t>(time_before);  // wraps around, and back
  char* at = PutVarint(begin, ZigZag(static_cast<std::int64_t>(difference)));
  if (sequence != nullptr) at = PutVarint(at, static_cast<std::uint64_t>(*sequence - sequence_before));
  at = PutVarint(at, record.key.size());
  at = PutVarint(at, record.attributes == nullptr ? 0 : record.attributes->size());
  at = PutVarint(at, record.data.size());
  if (record.attributes != nullptr) {
    for (const auto& [name, value] : *record.attributes) {
      at = PutVarint(PutVarint(at, name.size()), value.size());
      at = PutBytes(PutBytes(at, name), value);
    }
  }
  at = PutBytes(PutBytes(at, record.key), record.data);
  body->Advance(static_cast<std::size_t>(at - begin));
}

/// Takes the records of a batch's body one after the other.
class RecordParser {
 public:
  RecordParser() = default;
  RecordParser(const BatchHeader& header, std::string_view body)
      : at_(body.data() + header.producer_bytes),
        end_(body.data() + body.size()),
        sequence_(header.first_sequence),
        has_sequences_(header.producer_bytes > 0),
        left_(header.records) {}

  std::uint32_t left() const { return left_; }
  bool at_end() const { return at_ == end_; }
  /// Of the record taken last, when the batch has a producer.
  std::int64_t sequence() const { return sequence_; }

  /// Sets all of `*view` but partition, offset and publish time. False: the body does not hold what it should. At least
  /// one record is left.
  bool Next(RecordView* view);

 private:
  const char* at_ = nullptr;
  const char* end_ = nullptr;
  std::uint64_t time_ = 0;
  std::int64_t sequence_ = 0;
  bool has_sequences_ = false;
  std::uint32_t left_ = 0;
};

}  // namespace millrace::log
