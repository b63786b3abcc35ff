// Names of Pub/Sub's resources: "projects/P/topics/T", and what the log makes of them.
#pragma once

#include <string>
#include <string_view>

#include "millrace/core/status.h"

namespace millrace::pubsub {

/// The name that a subscription has whose topic was deleted.
inline constexpr std::string_view kDeletedTopic = "_deleted-topic_";

/// A name in its two parts.
struct ResourceName {
  std::string project = {};
  std::string id = {};

  friend auto operator<=>(const ResourceName&, const ResourceName&) = default;
};

/// INVALID_ARGUMENT for what is no name of that kind, or one that the log cannot hold.
StatusOr<ResourceName> ParseTopicName(std::string_view name);
StatusOr<ResourceName> ParseSubscriptionName(std::string_view name);
StatusOr<ResourceName> ParseSnapshotName(std::string_view name);
/// "projects/P"; gives P.
StatusOr<std::string> ParseProjectName(std::string_view name);

std::string TopicName(const ResourceName& name);
std::string SubscriptionName(const ResourceName& name);
std::string SnapshotName(const ResourceName& name);

}  // namespace millrace::pubsub
