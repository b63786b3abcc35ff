// The names of a topic's files, and what the writer needs of them beyond topic.h.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_system.h"
#include "log/segment_format.h"
#include "log/topic.h"
#include "millrace/core/status.h"

namespace millrace::log {

inline constexpr const char* kTopicFileName = "/topic.json";
inline constexpr const char* kLockName = "/lock";
inline constexpr const char* kStartLockName = "/start.lock";  // of a writer until it has recovered the topic
inline constexpr const char* kWriterFileName = "/writer.json";
inline constexpr const char* kEndsFileName = "/ends";
inline constexpr const char* kProducersFileName = "/producers";
inline constexpr const char* kHoldsFolderName = "/holds";
inline constexpr const char* kHoldsLockName = "/holds.lock";

/// Letters, digits and `marks`, the first a letter or a digit.
bool IsName(std::string_view name, std::string_view marks, std::size_t bytes_max);

/// What ReadTopic gives, or a new topic, durably. The topic's folder is there and this process has its lock.
StatusOr<TopicMetadata> ReadOrCreateTopic(base::FileSystem& files, const std::string& log_folder,
                                          std::string_view topic, std::int32_t partitions, Timestamp now,
                                          std::uint64_t random);

/// The first offsets of a partition's segments, in order; none when its folder is missing.
StatusOr<std::vector<std::int64_t>> ListSegments(base::FileSystem& files, const std::string& partition_folder);

}  // namespace millrace::log
