// Publishing in Pub/Sub's JSON, as its REST interface has it.
#pragma once

#include <string>

#include "millrace/core/status.h"
#include "pubsub/broker.h"

namespace millrace::pubsub {

/// {"messages": [{"data": "base64", "attributes": {"name": "text"}, "orderingKey": "text"}, ...]}, each member of a
/// message optional; gives {"messageIds": ["0-17", ...]}. `topic` is a full name. Errors as those of Broker::Publish.
StatusOr<std::string> PublishJson(Broker& broker, const std::string& topic, const std::string& body);

}  // namespace millrace::pubsub
