#include "log/topic.h"

#include <algorithm>
#include <optional>

#include "base/status_macros.h"
#include "log/topic_files.h"
#include "millrace/core/json.h"
#include "millrace/detail/hash.h"

namespace millrace::log {

namespace {

constexpr std::size_t kTopicNameBytesMax = 200;
constexpr std::uint64_t kSmallFileBytesMax = std::uint64_t{1} << 16;

bool IsLetterOrDigit(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

}  // namespace

bool IsName(std::string_view name, std::string_view marks, std::size_t bytes_max) {
  if (name.empty() || name.size() > bytes_max || !IsLetterOrDigit(name[0])) return false;
  return std::all_of(name.begin(), name.end(),
                     [marks](char c) { return IsLetterOrDigit(c) || marks.find(c) != std::string_view::npos; });
}

Status CheckTopicName(std::string_view topic) {
  if (IsName(topic, "-_.~+%", kTopicNameBytesMax)) return OkStatus();
  return InvalidArgumentError("the topic name \"" + std::string(topic.substr(0, kTopicNameBytesMax)) +
                              "\" must have 1 to 200 letters, digits and -_.~+% and begin with a letter or digit");
}

std::string TopicFolder(const std::string& log_folder, std::string_view topic) {
  return log_folder + "/" + std::string(topic);
}

std::string PartitionFolder(const std::string& topic_folder, std::int32_t partition) {
  return topic_folder + "/" + std::to_string(partition);
}

StatusOr<std::vector<std::string>> ListTopics(base::FileSystem& files, const std::string& log_folder) {
  MILLRACE_ASSIGN_OR_RETURN(const bool exists, files.Exists(log_folder));
  if (!exists) return std::vector<std::string>();
  MILLRACE_ASSIGN_OR_RETURN(const std::vector<std::string> names, files.List(log_folder));
  std::vector<std::string> topics;
  for (const std::string& name : names) {
    if (!CheckTopicName(name).ok()) continue;
    MILLRACE_ASSIGN_OR_RETURN(const bool is_topic, files.Exists(TopicFolder(log_folder, name) + kTopicFileName));
    if (is_topic) topics.push_back(name);
  }
  return topics;
}

StatusOr<TopicMetadata> ReadTopic(base::FileSystem& files, const std::string& log_folder, std::string_view topic) {
  MILLRACE_RETURN_IF_ERROR(CheckTopicName(topic));
  const std::string folder = TopicFolder(log_folder, topic);
  const std::string path = folder + kTopicFileName;
  MILLRACE_ASSIGN_OR_RETURN(bool exists, files.Exists(path));
  if (!exists) {
    MILLRACE_ASSIGN_OR_RETURN(const bool has_partition, files.Exists(PartitionFolder(folder, 0)));
    // A writer that makes the topic just now makes the file first.
    if (has_partition) {
      MILLRACE_ASSIGN_OR_RETURN(exists, files.Exists(path));
    }
    if (!exists && has_partition) {
      return DataLossError(path + " is missing, but the topic has records; restore it from a copy");
    }
    if (!exists) return NotFoundError("the log " + log_folder + " has no topic " + std::string(topic));
  }
  MILLRACE_ASSIGN_OR_RETURN(const std::string text, base::ReadFile(files, path, kSmallFileBytesMax));
  StatusOr<TopicMetadata> metadata = json::Parse<TopicMetadata>(text);
  if (!metadata.ok()) return DataLossError(path + " is damaged: " + metadata.status().message());
  if (metadata->format != 1) {
    return FailedPreconditionError(path + " has format " + std::to_string(metadata->format) +
                                   ", this program reads format 1; use the program that wrote it");
  }
  if (metadata->topic != topic || metadata->partitions < 1 || metadata->partitions > kPartitionsMax) {
    return DataLossError(path + " is damaged: its topic or its number of partitions is wrong");
  }
  return metadata;
}

StatusOr<TopicMetadata> ReadOrCreateTopic(base::FileSystem& files, const std::string& log_folder,
                                          std::string_view topic, std::int32_t partitions, Timestamp now,
                                          std::uint64_t random) {
  StatusOr<TopicMetadata> existing = ReadTopic(files, log_folder, topic);
  if (existing.ok() || existing.status().code() != StatusCode::kNotFound) return existing;
  if (partitions < 1 || partitions > kPartitionsMax) {
    return InvalidArgumentError("a topic has 1 to " + std::to_string(kPartitionsMax) + " partitions, not " +
                                std::to_string(partitions));
  }
  TopicMetadata made{.topic = std::string(topic), .id = random, .partitions = partitions, .created_at = now};
  const std::string folder = TopicFolder(log_folder, topic);
  MILLRACE_RETURN_IF_ERROR(files.SyncFolder(log_folder));
  MILLRACE_RETURN_IF_ERROR(base::ReplaceFile(files, folder + kTopicFileName, json::Write(made) + "\n"));
  return made;
}

std::int32_t PartitionOfKey(std::string_view key, std::int32_t partitions) {
  return static_cast<std::int32_t>(detail::KeyHash(key) % static_cast<std::uint64_t>(partitions));
}

StatusOr<std::vector<std::int64_t>> ListSegments(base::FileSystem& files, const std::string& partition_folder) {
  std::vector<std::int64_t> offsets;
  MILLRACE_ASSIGN_OR_RETURN(const bool exists, files.Exists(partition_folder));
  if (!exists) return offsets;
  MILLRACE_ASSIGN_OR_RETURN(const std::vector<std::string> names, files.List(partition_folder));
  for (const std::string& name : names) {
    if (const std::optional<std::int64_t> offset = OffsetOfSegmentName(name)) offsets.push_back(*offset);
  }
  return offsets;  // the names are sorted, and so are the numbers in them
}

}  // namespace millrace::log
