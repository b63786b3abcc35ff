// How sources of a topic name its partitions: "clicks/3" is partition 3 of the topic clicks.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

namespace millrace::detail {

inline std::string PartitionName(const std::string& topic, std::int32_t partition) {
  return topic + "/" + std::to_string(partition);
}

/// The partition that a restriction of the topic names; nothing when it names none.
inline std::optional<std::int32_t> PartitionOf(std::string_view restriction, std::string_view topic) {
  if (!restriction.starts_with(topic)) return std::nullopt;
  restriction.remove_prefix(topic.size());
  if (!restriction.starts_with('/')) return std::nullopt;
  restriction.remove_prefix(1);
  std::int32_t partition = -1;
  const auto [end, error] = std::from_chars(restriction.data(), restriction.data() + restriction.size(), partition);
  if (error != std::errc() || end != restriction.data() + restriction.size()) return std::nullopt;
  return partition;
}

}  // namespace millrace::detail
