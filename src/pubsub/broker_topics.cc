// Topics: the log's, with labels and retention beside them.
#include <utility>

#include "base/status_macros.h"
#include "log/holds.h"
#include "log/topic_files.h"
#include "millrace/core/json.h"
#include "pubsub/broker.h"

namespace millrace::pubsub {

namespace {

constexpr std::uint64_t kSettingsBytesMax = std::uint64_t{1} << 16;

}  // namespace

Status RemoveFolder(base::FileSystem& files, const std::string& path) {
  const StatusOr<std::vector<std::string>> names = files.List(path);
  if (names.ok()) {
    for (const std::string& name : *names) MILLRACE_RETURN_IF_ERROR(RemoveFolder(files, path + "/" + name));
  }
  return files.Remove(path);
}

std::string Broker::TopicSettingsPath(const std::string& topic) const { return folder_ + "/topics/" + topic + ".json"; }

Status Broker::CreateTopic(const std::string& topic, const TopicSettings& settings) {
  const std::lock_guard changing(changes_mutex_);
  MILLRACE_RETURN_IF_ERROR(writers_->Create(topic));
  if (!settings.labels.empty() || settings.message_retention) {
    MILLRACE_RETURN_IF_ERROR(base::ReplaceFile(files_, TopicSettingsPath(topic), json::Write(settings) + "\n"));
  }
  const std::lock_guard lock(mutex_);
  settings_[topic] = settings;
  return OkStatus();
}

StatusOr<TopicSettings> Broker::FindTopic(const std::string& topic) {
  MILLRACE_RETURN_IF_ERROR(log::ReadTopic(files_, log_folder_, topic).status());
  {
    const std::lock_guard lock(mutex_);
    if (const auto known = settings_.find(topic); known != settings_.end()) return known->second;
  }
  TopicSettings settings;
  const std::string path = TopicSettingsPath(topic);
  const StatusOr<std::string> text = base::ReadFile(files_, path, kSettingsBytesMax);
  if (text.ok()) {
    StatusOr<TopicSettings> parsed = json::Parse<TopicSettings>(*text);
    if (!parsed.ok()) return DataLossError(path + " is damaged: " + parsed.status().message());
    settings = *std::move(parsed);
  } else if (text.status().code() != StatusCode::kNotFound) {
    return text.status();
  }
  const std::lock_guard lock(mutex_);
  settings_[topic] = settings;
  return settings;
}

std::optional<Duration> Broker::RetentionOf(const std::string& topic) {
  const StatusOr<TopicSettings> settings = FindTopic(topic);
  return settings.ok() ? settings->message_retention : std::nullopt;
}

Status Broker::UpdateTopic(const std::string& topic, const TopicSettings& settings) {
  const std::lock_guard changing(changes_mutex_);
  MILLRACE_ASSIGN_OR_RETURN(const TopicSettings before, FindTopic(topic));
  MILLRACE_RETURN_IF_ERROR(base::ReplaceFile(files_, TopicSettingsPath(topic), json::Write(settings) + "\n"));
  {
    const std::lock_guard lock(mutex_);
    settings_[topic] = settings;
  }
  // The writer takes its retention when it is opened.
  return before.message_retention == settings.message_retention ? OkStatus() : writers_->GiveBack(topic);
}

StatusOr<std::vector<std::string>> Broker::ListTopics() { return log::ListTopics(files_, log_folder_); }

// Its messages are to be removed: only if nobody but subscriptions has said that they need them.
Status Broker::CheckHolds(const std::string& topic) {
  MILLRACE_ASSIGN_OR_RETURN(const std::vector<log::Hold> holds, log::ListHolds(files_, log_folder_, topic));
  for (const log::Hold& hold : holds) {
    if (hold.name.starts_with(kHoldPrefix)) continue;
    return FailedPreconditionError("the records of the topic " + topic + " are still needed by \"" + hold.name +
                                   "\"; remove its file in " + log::TopicFolder(log_folder_, topic) +
                                   log::kHoldsFolderName + " if that is not so");
  }
  return OkStatus();
}

Status Broker::DeleteTopic(const std::string& topic) {
  const std::lock_guard changing(changes_mutex_);
  MILLRACE_ASSIGN_OR_RETURN(const log::TopicMetadata metadata, log::ReadTopic(files_, log_folder_, topic));
  MILLRACE_RETURN_IF_ERROR(CheckHolds(topic));
  MILLRACE_RETURN_IF_ERROR(writers_->GiveBack(topic));
  const std::string folder = log::TopicFolder(log_folder_, topic);
  StatusOr<std::unique_ptr<base::FileLock>> writer = files_.Lock(folder + log::kLockName);
  if (!writer.ok()) return UnavailableError("another process writes the topic " + topic + "; try again when it ends");
  for (const auto& subscription : ListSubscriptions()) {
    if (subscription->settings().topic_id == metadata.id) subscription->LoseTopic();
  }
  {
    const std::lock_guard lock(mutex_);
    topics_.erase(topic);
    settings_.erase(topic);
  }
  const std::string away = folder_ + "/" + kDeletedTopicPrefix + std::to_string(metadata.id);
  MILLRACE_RETURN_IF_ERROR(files_.Rename(folder, away));
  MILLRACE_RETURN_IF_ERROR(files_.SyncFolder(log_folder_));
  writer->reset();
  MILLRACE_RETURN_IF_ERROR(RemoveFolder(files_, away));
  const Status removed = files_.Remove(TopicSettingsPath(topic));
  return removed.code() == StatusCode::kNotFound ? OkStatus() : removed;
}

}  // namespace millrace::pubsub
