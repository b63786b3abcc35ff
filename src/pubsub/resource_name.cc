#include "pubsub/resource_name.h"

#include "base/status_macros.h"
#include "log/topic.h"
#include "log/topic_files.h"

namespace millrace::pubsub {

namespace {

constexpr std::string_view kProjects = "projects/";
constexpr std::string_view kTopicPart = "/topics/";
constexpr std::string_view kSubscriptionPart = "/subscriptions/";
constexpr std::string_view kSnapshotPart = "/snapshots/";
constexpr std::size_t kProjectBytesMax = 100;
constexpr std::size_t kIdBytesMax = 200;
constexpr std::size_t kShownBytesMax = 300;

Status BadName(std::string_view name, std::string_view kind, const std::string& why) {
  return InvalidArgumentError("\"" + std::string(name.substr(0, kShownBytesMax)) + "\" is not projects/PROJECT" +
                              std::string(kind) + "NAME: " + why);
}

StatusOr<ResourceName> Split(std::string_view name, std::string_view kind) {
  const std::size_t end = name.find('/', kProjects.size());
  if (!name.starts_with(kProjects) || end == std::string_view::npos || !name.substr(end).starts_with(kind)) {
    return BadName(name, kind, "it has other parts");
  }
  ResourceName parts{.project = std::string(name.substr(kProjects.size(), end - kProjects.size())),
                     .id = std::string(name.substr(end + kind.size()))};
  if (!log::IsName(parts.project, "-_.:", kProjectBytesMax)) {
    return BadName(name, kind, "a project has 1 to 100 letters, digits and -_.: and begins with a letter or digit");
  }
  return parts;
}

StatusOr<ResourceName> SplitOwn(std::string_view name, std::string_view kind) {
  MILLRACE_ASSIGN_OR_RETURN(ResourceName parts, Split(name, kind));
  if (!log::IsName(parts.id, "-_.~+%", kIdBytesMax) || parts.id.ends_with(".new")) {
    return BadName(
        name, kind,
        "NAME has 1 to 200 letters, digits and -_.~+%, begins with a letter or digit and does not end in .new");
  }
  return parts;
}

}  // namespace

StatusOr<ResourceName> ParseTopicName(std::string_view name) {
  MILLRACE_ASSIGN_OR_RETURN(ResourceName parts, Split(name, kTopicPart));
  MILLRACE_RETURN_IF_ERROR(log::CheckTopicName(parts.id));
  return parts;
}

StatusOr<ResourceName> ParseSubscriptionName(std::string_view name) { return SplitOwn(name, kSubscriptionPart); }
StatusOr<ResourceName> ParseSnapshotName(std::string_view name) { return SplitOwn(name, kSnapshotPart); }

StatusOr<std::string> ParseProjectName(std::string_view name) {
  if (name.starts_with(kProjects) && log::IsName(name.substr(kProjects.size()), "-_.:", kProjectBytesMax)) {
    return std::string(name.substr(kProjects.size()));
  }
  return InvalidArgumentError("\"" + std::string(name.substr(0, kShownBytesMax)) + "\" is not projects/PROJECT");
}

std::string TopicName(const ResourceName& name) {
  return std::string(kProjects) + name.project + std::string(kTopicPart) + name.id;
}
std::string SubscriptionName(const ResourceName& name) {
  return std::string(kProjects) + name.project + std::string(kSubscriptionPart) + name.id;
}
std::string SnapshotName(const ResourceName& name) {
  return std::string(kProjects) + name.project + std::string(kSnapshotPart) + name.id;
}

}  // namespace millrace::pubsub
