// A topic of the log: its name, its folder and what is fixed when it is made. Format: docs/formats/log.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_system.h"
#include "millrace/core/status.h"
#include "millrace/core/timestamp.h"

namespace millrace::log {

inline constexpr std::int32_t kPartitionsDefault = 4;
inline constexpr std::int32_t kPartitionsMax = 256;

/// The next offset of each partition: where a reader, an archive or a checkpoint stands.
using Cut = std::vector<std::int64_t>;

/// What topic.json holds. Never changes.
struct TopicMetadata {
  std::int32_t format = 1;
  std::string topic = {};
  std::uint64_t id = 0;  // random; the checksums depend on it, so files of different topics cannot be mixed up
  std::int32_t partitions = kPartitionsDefault;
  Timestamp created_at = {};
};

/// 1 to 200 letters, digits, and "-_.~+%" behind the first one. INVALID_ARGUMENT names the name.
Status CheckTopicName(std::string_view topic);

/// "<log folder>/<topic>".
std::string TopicFolder(const std::string& log_folder, std::string_view topic);
/// "<topic folder>/<partition>".
std::string PartitionFolder(const std::string& topic_folder, std::int32_t partition);

/// The topics in a log's folder, sorted; none when the folder is missing.
StatusOr<std::vector<std::string>> ListTopics(base::FileSystem& files, const std::string& log_folder);

/// NOT_FOUND when there is no such topic, DATA_LOSS when its topic.json is damaged or missing beside segments.
StatusOr<TopicMetadata> ReadTopic(base::FileSystem& files, const std::string& log_folder, std::string_view topic);

/// The partition of a record with that key, which is not empty.
std::int32_t PartitionOfKey(std::string_view key, std::int32_t partitions);

}  // namespace millrace::log
