#include "log/holds.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "base/status_macros.h"
#include "log/holds_lock.h"
#include "log/topic_files.h"
#include "millrace/core/json.h"

namespace millrace::log {

namespace {

constexpr std::string_view kSuffix = ".json";
constexpr std::size_t kNameBytesMax = 100;
constexpr std::size_t kHoldsMax = 1'000;
constexpr std::uint64_t kHoldFileBytesMax = std::uint64_t{1} << 16;
constexpr auto kLockPatience = std::chrono::seconds(5);
constexpr auto kLockPause = std::chrono::milliseconds(2);

std::string HoldPath(const std::string& topic_folder, std::string_view name) {
  return topic_folder + kHoldsFolderName + "/" + std::string(name) + std::string(kSuffix);
}

Status CheckHoldName(std::string_view name) {
  if (IsName(name, "-_.", kNameBytesMax) && !name.ends_with(".new")) return OkStatus();
  return InvalidArgumentError("the name of a hold, \"" + std::string(name.substr(0, kNameBytesMax)) +
                              "\", must have 1 to 100 letters, digits and -_. and begin with a letter or digit");
}

StatusOr<Hold> ReadHold(base::FileSystem& files, const std::string& path, const TopicMetadata& topic) {
  MILLRACE_ASSIGN_OR_RETURN(const std::string text, base::ReadFile(files, path, kHoldFileBytesMax));
  StatusOr<Hold> hold = json::Parse<Hold>(text);
  if (!hold.ok() || hold->next_offsets.size() != static_cast<std::size_t>(topic.partitions)) {
    return DataLossError(path + " is damaged" + (hold.ok() ? "" : ": " + hold.status().message()) +
                         "; nothing of the topic is removed until it is removed or set again");
  }
  return hold;
}

StatusOr<std::vector<std::string>> HoldNames(base::FileSystem& files, const std::string& topic_folder) {
  std::vector<std::string> holds;
  const std::string folder = topic_folder + kHoldsFolderName;
  MILLRACE_ASSIGN_OR_RETURN(const bool exists, files.Exists(folder));
  if (!exists) return holds;
  MILLRACE_ASSIGN_OR_RETURN(const std::vector<std::string> names, files.List(folder));
  for (const std::string& name : names) {
    if (name.ends_with(kSuffix)) holds.push_back(name.substr(0, name.size() - kSuffix.size()));
  }
  return holds;
}

// What is held must be there: a hold on what has been removed would be a promise that is broken already.
Status CheckStillThere(base::FileSystem& files, const std::string& topic_folder, const Hold& hold) {
  for (std::size_t p = 0; p < hold.next_offsets.size(); ++p) {
    const std::string folder = PartitionFolder(topic_folder, static_cast<std::int32_t>(p));
    MILLRACE_ASSIGN_OR_RETURN(const std::vector<std::int64_t> segments, ListSegments(files, folder));
    if (segments.empty() || hold.next_offsets[p] >= segments.front()) continue;
    return OutOfRangeError("hold " + hold.name + ": " + folder + " begins at offset " +
                           std::to_string(segments.front()) + ", so offset " + std::to_string(hold.next_offsets[p]) +
                           " cannot be held");
  }
  return OkStatus();
}

}  // namespace

StatusOr<std::unique_ptr<base::FileLock>> LockHolds(base::FileSystem& files, const std::string& topic_folder) {
  const auto deadline = std::chrono::steady_clock::now() + kLockPatience;
  while (true) {
    StatusOr<std::unique_ptr<base::FileLock>> lock = files.Lock(topic_folder + kHoldsLockName);
    if (lock.ok() || lock.status().code() != StatusCode::kFailedPrecondition) return lock;
    if (std::chrono::steady_clock::now() >= deadline) {
      return UnavailableError(topic_folder + kHoldsLockName + " has been held by somebody else for 5 seconds");
    }
    std::this_thread::sleep_for(kLockPause);
  }
}

Status SetHold(base::FileSystem& files, const std::string& log_folder, std::string_view topic, const Hold& hold) {
  MILLRACE_RETURN_IF_ERROR(CheckHoldName(hold.name));
  MILLRACE_ASSIGN_OR_RETURN(const TopicMetadata metadata, ReadTopic(files, log_folder, topic));
  if (hold.next_offsets.size() != static_cast<std::size_t>(metadata.partitions)) {
    return InvalidArgumentError("hold " + hold.name + " has " + std::to_string(hold.next_offsets.size()) +
                                " offsets; topic " + metadata.topic + " has " + std::to_string(metadata.partitions) +
                                " partitions");
  }
  const std::string folder = TopicFolder(log_folder, topic);
  MILLRACE_ASSIGN_OR_RETURN(const std::unique_ptr<base::FileLock> lock, LockHolds(files, folder));
  MILLRACE_RETURN_IF_ERROR(CheckStillThere(files, folder, hold));
  MILLRACE_ASSIGN_OR_RETURN(const std::vector<std::string> names, HoldNames(files, folder));
  if (names.size() >= kHoldsMax && std::find(names.begin(), names.end(), hold.name) == names.end()) {
    return ResourceExhaustedError("topic " + metadata.topic + " has " + std::to_string(kHoldsMax) +
                                  " holds, which is the most; remove some");
  }
  MILLRACE_RETURN_IF_ERROR(files.CreateFolders(folder + kHoldsFolderName));
  MILLRACE_RETURN_IF_ERROR(files.SyncFolder(folder));
  return base::ReplaceFile(files, HoldPath(folder, hold.name), json::Write(hold) + "\n");
}

Status RemoveHold(base::FileSystem& files, const std::string& log_folder, std::string_view topic,
                  std::string_view name) {
  MILLRACE_RETURN_IF_ERROR(CheckHoldName(name));
  MILLRACE_RETURN_IF_ERROR(CheckTopicName(topic));
  const std::string folder = TopicFolder(log_folder, topic);
  const std::string path = HoldPath(folder, name);
  MILLRACE_ASSIGN_OR_RETURN(const bool is_left, files.Exists(path + ".new"));
  if (is_left) MILLRACE_RETURN_IF_ERROR(files.Remove(path + ".new"));  // by who was killed setting it
  MILLRACE_ASSIGN_OR_RETURN(const bool exists, files.Exists(path));
  if (!exists) return NotFoundError("topic " + std::string(topic) + " has no hold " + std::string(name));
  MILLRACE_RETURN_IF_ERROR(files.Remove(path));
  return files.SyncFolder(folder + kHoldsFolderName);
}

StatusOr<std::vector<Hold>> ListHolds(base::FileSystem& files, const std::string& log_folder, std::string_view topic) {
  MILLRACE_ASSIGN_OR_RETURN(const TopicMetadata metadata, ReadTopic(files, log_folder, topic));
  const std::string folder = TopicFolder(log_folder, topic);
  MILLRACE_ASSIGN_OR_RETURN(const std::vector<std::string> names, HoldNames(files, folder));
  std::vector<Hold> holds;
  for (const std::string& name : names) {
    MILLRACE_ASSIGN_OR_RETURN(Hold hold, ReadHold(files, HoldPath(folder, name), metadata));
    hold.name = name;
    holds.push_back(std::move(hold));
  }
  return holds;
}

}  // namespace millrace::log
