#include "pubsub/ack_id.h"

#include <charconv>
#include <limits>
#include <system_error>

namespace millrace::pubsub {

namespace {

constexpr int kBase = 16;

bool TakeNumber(std::string_view* text, bool is_last, std::uint64_t* number) {
  const auto [rest, error] = std::from_chars(text->data(), text->data() + text->size(), *number, kBase);
  if (error != std::errc() || rest == text->data()) return false;
  text->remove_prefix(static_cast<std::size_t>(rest - text->data()));
  if (is_last) return text->empty();
  if (!text->starts_with('-')) return false;
  text->remove_prefix(1);
  return true;
}

}  // namespace

std::string AckId::ToString() const {
  char bytes[4 * 17];
  char* at = bytes;
  for (const std::uint64_t number :
       {epoch, static_cast<std::uint64_t>(place.partition), static_cast<std::uint64_t>(place.offset), lease}) {
    at = std::to_chars(at, bytes + sizeof(bytes), number, kBase).ptr;
    *at++ = '-';
  }
  return {bytes, static_cast<std::size_t>(at - bytes) - 1};
}

std::optional<AckId> AckId::Parse(std::string_view text) {
  AckId id;
  std::uint64_t partition = 0;
  std::uint64_t offset = 0;
  if (!TakeNumber(&text, false, &id.epoch) || !TakeNumber(&text, false, &partition) ||
      !TakeNumber(&text, false, &offset) || !TakeNumber(&text, true, &id.lease) ||
      partition > static_cast<std::uint64_t>(std::numeric_limits<std::int32_t>::max()) ||
      offset > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max() / 2)) {
    return std::nullopt;
  }
  id.place = {.partition = static_cast<std::int32_t>(partition), .offset = static_cast<std::int64_t>(offset)};
  return id;
}

std::string MessageIdOf(const MessagePlace& place) {
  const std::string partition = std::to_string(place.partition);
  return partition + (place.offset < 0 ? "-duplicate" : "-" + std::to_string(place.offset));
}

}  // namespace millrace::pubsub
