#include "pubsub/grpc_messages.h"

#include <utility>

#include "base/status_macros.h"

namespace millrace::pubsub {

namespace {

constexpr std::int64_t kMicrosPerSecond = 1'000'000;
constexpr std::size_t kLabelsMax = 64;
constexpr std::int32_t kAckDeadlineSecondsMin = 10;
constexpr std::int32_t kAckDeadlineSecondsMax = 600;
constexpr Duration kRetentionMin = std::chrono::minutes(10);
constexpr Duration kRetentionMax = std::chrono::hours(24 * 31);

Status CheckRetention(Duration retention) {
  if (retention >= kRetentionMin && retention <= kRetentionMax) return OkStatus();
  return InvalidArgumentError("message_retention_duration is from 10 minutes to 31 days, not " +
                              DurationToString(retention));
}

Status CheckSupported(const api::Topic& topic) {
  if (!topic.kms_key_name().empty()) {
    return UnimplementedError("kms_key_name: the log is not encrypted; use an encrypted file system");
  }
  if (topic.has_schema_settings()) {
    return UnimplementedError(
        "schema_settings: messages are bytes; a pipeline parses them and keeps what is wrong as "
        "dead letters");
  }
  if (topic.has_message_storage_policy()) {
    return UnimplementedError("message_storage_policy: all messages are in the data directory");
  }
  if (topic.has_ingestion_data_source_settings()) {
    return UnimplementedError("ingestion_data_source_settings: nothing is imported; publish it");
  }
  if (topic.message_transforms_size() > 0) {
    return UnimplementedError("message_transforms: messages are not changed; a pipeline does that");
  }
  if (topic.tags_size() > 0) return UnimplementedError("tags: there is no Resource Manager; use labels");
  return OkStatus();
}

Status CheckPulled(const api::Subscription& subscription) {
  if (!subscription.push_config().push_endpoint().empty() || subscription.push_config().has_pubsub_wrapper() ||
      subscription.push_config().has_no_wrapper()) {
    return UnimplementedError("push_config: messages are pulled, not pushed");
  }
  if (subscription.has_bigquery_config() || subscription.has_cloud_storage_config() ||
      subscription.has_bigtable_config()) {
    return UnimplementedError(
        "bigquery_config, cloud_storage_config, bigtable_config: nothing is exported; run a "
        "pipeline that reads the topic");
  }
  return OkStatus();
}

Status CheckSupported(const api::Subscription& subscription) {
  MILLRACE_RETURN_IF_ERROR(CheckPulled(subscription));
  if (!subscription.filter().empty()) {
    return UnimplementedError("filter: every message is delivered; filter in the consumer or by a pipeline");
  }
  if (subscription.has_dead_letter_policy()) {
    return UnimplementedError("dead_letter_policy: deliveries are not counted; a pipeline has dead letters of its own");
  }
  if (subscription.has_retry_policy()) {
    return UnimplementedError("retry_policy: what is not acknowledged is delivered again at once");
  }
  if (subscription.enable_exactly_once_delivery()) {
    return UnimplementedError(
        "enable_exactly_once_delivery: delivery is at least once; what a unary Acknowledge has "
        "returned for is not delivered again");
  }
  if (subscription.message_transforms_size() > 0) {
    return UnimplementedError("message_transforms: messages are not changed; a pipeline does that");
  }
  if (subscription.tags_size() > 0) return UnimplementedError("tags: there is no Resource Manager; use labels");
  if (subscription.expiration_policy().has_ttl()) {
    return UnimplementedError(
        "expiration_policy.ttl: a subscription stays until it is deleted; give an "
        "expiration_policy without ttl, or none");
  }
  return OkStatus();
}

}  // namespace

grpc::Status ToGrpc(const Status& status) {
  if (status.ok()) return grpc::Status::OK;
  return {static_cast<grpc::StatusCode>(status.code()), status.message()};
}

Duration FromProto(const google::protobuf::Duration& duration) {
  // Nothing that is valid comes near the ends.
  const std::int64_t seconds = std::clamp<std::int64_t>(duration.seconds(), -315'576'000'000, 315'576'000'000);
  return Duration(seconds * kMicrosPerSecond + duration.nanos() / 1'000);
}

Timestamp FromProto(const google::protobuf::Timestamp& time) {
  const std::int64_t seconds = std::clamp<std::int64_t>(time.seconds(), -62'135'596'800, 253'402'300'799);
  return Timestamp::FromMicros(seconds * kMicrosPerSecond + time.nanos() / 1'000);
}

void ToProto(Duration duration, google::protobuf::Duration* proto) {
  proto->set_seconds(duration.count() / kMicrosPerSecond);
  proto->set_nanos(static_cast<std::int32_t>(duration.count() % kMicrosPerSecond) * 1'000);
}

void ToProto(Timestamp time, google::protobuf::Timestamp* proto) {
  std::int64_t seconds = time.micros() / kMicrosPerSecond;
  std::int64_t micros = time.micros() % kMicrosPerSecond;
  if (micros < 0) {
    micros += kMicrosPerSecond;
    --seconds;
  }
  proto->set_seconds(seconds);
  proto->set_nanos(static_cast<std::int32_t>(micros) * 1'000);
}

Status CheckLabels(const google::protobuf::Map<std::string, std::string>& labels) {
  if (labels.size() <= kLabelsMax) return OkStatus();
  return InvalidArgumentError("there are " + std::to_string(labels.size()) + " labels; at most 64");
}

StatusOr<TopicSettings> SettingsOf(const api::Topic& topic) {
  MILLRACE_RETURN_IF_ERROR(CheckSupported(topic));
  MILLRACE_RETURN_IF_ERROR(CheckLabels(topic.labels()));
  TopicSettings settings{.labels = {topic.labels().begin(), topic.labels().end()}};
  if (topic.has_message_retention_duration()) {
    settings.message_retention = FromProto(topic.message_retention_duration());
    MILLRACE_RETURN_IF_ERROR(CheckRetention(*settings.message_retention));
  }
  return settings;
}

StatusOr<SubscriptionSettings> SettingsOf(const api::Subscription& subscription) {
  MILLRACE_RETURN_IF_ERROR(CheckSupported(subscription));
  MILLRACE_RETURN_IF_ERROR(CheckLabels(subscription.labels()));
  SubscriptionSettings settings;
  settings.topic = subscription.topic();
  settings.retain_acked_messages = subscription.retain_acked_messages();
  settings.enable_message_ordering = subscription.enable_message_ordering();
  settings.labels = {subscription.labels().begin(), subscription.labels().end()};
  const std::int32_t deadline = subscription.ack_deadline_seconds();
  if (deadline != 0) settings.ack_deadline_seconds = deadline;
  if (settings.ack_deadline_seconds < kAckDeadlineSecondsMin ||
      settings.ack_deadline_seconds > kAckDeadlineSecondsMax) {
    return InvalidArgumentError("ack_deadline_seconds is from 10 to 600, not " + std::to_string(deadline));
  }
  if (subscription.has_message_retention_duration()) {
    settings.message_retention = FromProto(subscription.message_retention_duration());
    MILLRACE_RETURN_IF_ERROR(CheckRetention(settings.message_retention));
  }
  return settings;
}

Status ApplyTopicField(const std::string& field, const TopicSettings& from, TopicSettings* to) {
  if (field == "labels") {
    to->labels = from.labels;
  } else if (field == "message_retention_duration") {
    to->message_retention = from.message_retention;
  } else if (api::Topic::descriptor()->FindFieldByName(field) == nullptr) {
    return InvalidArgumentError("a topic has no field " + field);
  } else {
    return UnimplementedError("the field " + field +
                              " of a topic cannot be updated; labels and "
                              "message_retention_duration can");
  }
  return OkStatus();
}

Status ApplySubscriptionField(const std::string& field, const SubscriptionSettings& from, SubscriptionSettings* to) {
  if (field == "labels") {
    to->labels = from.labels;
  } else if (field == "ack_deadline_seconds") {
    to->ack_deadline_seconds = from.ack_deadline_seconds;
  } else if (field == "message_retention_duration") {
    to->message_retention = from.message_retention;
  } else if (field == "retain_acked_messages") {
    to->retain_acked_messages = from.retain_acked_messages;
  } else if (field == "name" || field == "topic" || field == "enable_message_ordering") {
    return InvalidArgumentError("the field " + field + " of a subscription never changes");
  } else if (api::Subscription::descriptor()->FindFieldByName(field) == nullptr) {
    return InvalidArgumentError("a subscription has no field " + field);
  }
  return OkStatus();  // the others have one value that is supported, which was checked
}

void ToProto(const std::string& name, const TopicSettings& settings, api::Topic* topic) {
  topic->set_name(name);
  topic->mutable_labels()->insert(settings.labels.begin(), settings.labels.end());
  topic->set_state(api::Topic::ACTIVE);
  if (settings.message_retention) ToProto(*settings.message_retention, topic->mutable_message_retention_duration());
}

void ToProto(const Subscription& subscription, Broker& broker, api::Subscription* proto) {
  const SubscriptionSettings settings = subscription.settings();
  const bool has_topic = settings.detached || subscription.HasTopic();
  proto->set_name(settings.name);
  proto->set_topic(has_topic ? settings.topic : std::string(kDeletedTopic));
  proto->mutable_push_config();
  proto->set_ack_deadline_seconds(settings.ack_deadline_seconds);
  proto->set_retain_acked_messages(settings.retain_acked_messages);
  ToProto(settings.message_retention, proto->mutable_message_retention_duration());
  proto->mutable_labels()->insert(settings.labels.begin(), settings.labels.end());
  proto->set_enable_message_ordering(settings.enable_message_ordering);
  proto->mutable_expiration_policy();  // without ttl: never
  proto->set_detached(settings.detached);
  proto->set_state(api::Subscription::ACTIVE);
  const StatusOr<TopicSettings> topic = broker.FindTopic(subscription.log_topic());
  if (has_topic && topic.ok() && topic->message_retention) {
    ToProto(*topic->message_retention, proto->mutable_topic_message_retention_duration());
  }
}

void ToProto(const SnapshotInfo& snapshot, api::Snapshot* proto) {
  const SubscriptionSettings& settings = snapshot.state.settings;
  proto->set_name(settings.name);
  proto->set_topic(settings.topic);
  proto->mutable_labels()->insert(settings.labels.begin(), settings.labels.end());
  if (settings.expires_at) ToProto(*settings.expires_at, proto->mutable_expire_time());
}

void ToProto(std::string ack_id, LogRecord& record, api::ReceivedMessage* proto) {
  proto->set_ack_id(std::move(ack_id));
  api::PubsubMessage* const message = proto->mutable_message();
  message->set_message_id(MessageIdOf({.partition = record.partition, .offset = record.offset}));
  ToProto(record.publish_time, message->mutable_publish_time());
  message->set_data(std::move(record.data));
  if (!record.key.empty()) message->set_ordering_key(std::move(record.key));
  for (auto& [name, value] : record.attributes) (*message->mutable_attributes())[name] = std::move(value);
}

std::vector<PublishMessage> MessagesOf(const api::PublishRequest& request) {
  std::vector<PublishMessage> messages;
  messages.reserve(static_cast<std::size_t>(request.messages_size()));
  for (const api::PubsubMessage& message : request.messages()) {
    messages.push_back({.data = message.data(),
                        .ordering_key = message.ordering_key(),
                        .attributes = {message.attributes().begin(), message.attributes().end()}});
  }
  return messages;
}

}  // namespace millrace::pubsub
