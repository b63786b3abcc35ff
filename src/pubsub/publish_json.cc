#include "pubsub/publish_json.h"

#include <cstddef>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "base/status_macros.h"
#include "millrace/core/json.h"

namespace millrace::pubsub {

// The names of the fields are Google's.
struct JsonMessage {
  std::optional<std::vector<std::byte>> data = {};
  std::optional<std::map<std::string, std::string>> attributes = {};
  std::optional<std::string> orderingKey = {};
};

struct JsonPublishRequest {
  std::vector<JsonMessage> messages = {};
};

struct JsonPublishResponse {
  std::vector<std::string> messageIds = {};
};

StatusOr<std::string> PublishJson(Broker& broker, const std::string& topic, const std::string& body) {
  MILLRACE_ASSIGN_OR_RETURN(const ResourceName name, ParseTopicName(topic));
  MILLRACE_ASSIGN_OR_RETURN(JsonPublishRequest request, json::Parse<JsonPublishRequest>(body));
  std::vector<PublishMessage> messages;
  messages.reserve(request.messages.size());
  for (JsonMessage& message : request.messages) {
    PublishMessage& published = messages.emplace_back();
    if (message.data) {
      published.data = {reinterpret_cast<const char*>(message.data->data()), message.data->size()};
    }
    if (message.orderingKey) published.ordering_key = *message.orderingKey;
    if (message.attributes) published.attributes = *std::move(message.attributes);
  }
  MILLRACE_ASSIGN_OR_RETURN(std::vector<std::string> ids, broker.Publish(name.id, std::move(messages)));
  return json::Write(JsonPublishResponse{.messageIds = std::move(ids)}) + "\n";
}

}  // namespace millrace::pubsub
