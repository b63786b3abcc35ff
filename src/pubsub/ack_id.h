// What a delivered message is acknowledged by: "EPOCH-PARTITION-OFFSET-LEASE" in hexadecimal digits; and its message
// id, "PARTITION-OFFSET" in decimal ones.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace millrace::pubsub {

/// Where a message is in its topic.
struct MessagePlace {
  std::int32_t partition = 0;
  std::int64_t offset = 0;

  friend auto operator<=>(const MessagePlace&, const MessagePlace&) = default;
  template <class H>
  friend H AbslHashValue(H hash, const MessagePlace& place) {
    return H::combine(std::move(hash), place.partition, place.offset);
  }
};

struct AckId {
  std::uint64_t epoch = 0;  // of the subscription: seeks so far
  MessagePlace place = {};
  std::uint64_t lease = 0;  // of the delivery

  std::string ToString() const;
  /// Nothing for what is no such id.
  static std::optional<AckId> Parse(std::string_view text);
};

/// An offset of -1 is that of a duplicate whose place is no longer known: "2-duplicate".
std::string MessageIdOf(const MessagePlace& place);

}  // namespace millrace::pubsub
