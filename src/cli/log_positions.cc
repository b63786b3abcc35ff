#include "cli/log_positions.h"

#include <charconv>
#include <filesystem>
#include <system_error>
#include <utility>

#include "archive/session.h"
#include "base/file_system.h"
#include "millrace/io/archive_store.h"

namespace millrace::cli {

namespace {

// A topic that was not there may be made later; a manifest may be long.
constexpr auto kRetryAfter = std::chrono::seconds(10);
constexpr std::size_t kTopicsMax = 1'000;

struct PartitionName {
  std::string topic;
  std::int32_t number = 0;
};

std::optional<PartitionName> ParsePartition(const std::string& text) {
  const std::size_t slash = text.rfind('/');
  if (slash == std::string::npos || slash == 0) return std::nullopt;
  PartitionName name{.topic = text.substr(0, slash)};
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data() + slash + 1, end, name.number);
  if (error != std::errc() || rest != end || name.number < 0) return std::nullopt;
  return name;
}

bool IsDue(std::optional<std::chrono::steady_clock::time_point>& last) {
  const auto now = std::chrono::steady_clock::now();
  if (last && now - *last < kRetryAfter) return false;
  last = now;
  return true;
}

}  // namespace

LogPositions::Topic& LogPositions::TopicOf(const std::string& name) {
  Topic& topic = topics_[name];
  if (topic.reader == nullptr && IsDue(topic.tried_at) && log::CheckTopicName(name).ok()) {
    auto opened = log::LogReader::Open(base::PosixFileSystem(), data_dir_ + "/log", name);
    if (opened.ok()) topic.reader = *std::move(opened);
  }
  if (topic.reader != nullptr && IsDue(topic.archive_read_at)) ReadArchive(name, topic);
  return topic;
}

void LogPositions::ReadArchive(const std::string& name, Topic& topic) const {
  const std::string folder = data_dir_ + "/archive/" + name;
  std::error_code ignored;
  if (!std::filesystem::exists(folder, ignored)) return;
  const auto loaded = archive::LoadManifest(*archive::OpenFolderStore(folder));
  if (loaded.ok() && loaded->manifest.attempt > 0) topic.archived = loaded->manifest.Cut();
}

void LogPositions::AddTo(RunStatus& status) {
  std::map<std::string, std::vector<std::int64_t>> ends;  // one answer per topic
  for (SourceStatus& source : status.sources) {
    for (PartitionStatus& partition : source.partitions) {
      const std::optional<PartitionName> name = ParsePartition(partition.partition);
      if (!name || (topics_.size() >= kTopicsMax && !topics_.contains(name->topic))) continue;
      const Topic& topic = TopicOf(name->topic);
      if (topic.reader == nullptr) continue;
      if (!ends.contains(name->topic)) ends[name->topic] = topic.reader->End().value_or(std::vector<std::int64_t>());
      const std::vector<std::int64_t>& end = ends[name->topic];
      const auto number = static_cast<std::size_t>(name->number);
      if (number < end.size()) partition.end = partition.landed = end[number];
      if (number < topic.archived.size()) partition.archived_through = topic.archived[number];
    }
  }
}

}  // namespace millrace::cli
