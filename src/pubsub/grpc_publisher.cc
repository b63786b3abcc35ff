#include "pubsub/grpc_publisher.h"

#include <utility>

#include "base/status_macros.h"

namespace millrace::pubsub {

namespace {

Status CreateTopicFrom(Broker& broker, const api::Topic& request, api::Topic* response) {
  MILLRACE_ASSIGN_OR_RETURN(const ResourceName name, ParseTopicName(request.name()));
  MILLRACE_ASSIGN_OR_RETURN(const TopicSettings settings, SettingsOf(request));
  MILLRACE_RETURN_IF_ERROR(broker.CreateTopic(name.id, settings));
  ToProto(request.name(), settings, response);
  return OkStatus();
}

Status UpdateTopicFrom(Broker& broker, const api::UpdateTopicRequest& request, api::Topic* response) {
  MILLRACE_ASSIGN_OR_RETURN(const ResourceName name, ParseTopicName(request.topic().name()));
  MILLRACE_ASSIGN_OR_RETURN(TopicSettings settings, broker.FindTopic(name.id));
  if (request.update_mask().paths().empty()) return InvalidArgumentError("update_mask: say which fields to update");
  for (const std::string& field : request.update_mask().paths()) {
    TopicSettings wanted;
    if (field == "labels" || field == "message_retention_duration") {
      MILLRACE_ASSIGN_OR_RETURN(wanted, SettingsOf(request.topic()));
    }
    MILLRACE_RETURN_IF_ERROR(ApplyTopicField(field, wanted, &settings));
  }
  MILLRACE_RETURN_IF_ERROR(broker.UpdateTopic(name.id, settings));
  ToProto(request.topic().name(), settings, response);
  return OkStatus();
}

Status PublishFrom(Broker& broker, const api::PublishRequest& request, api::PublishResponse* response) {
  MILLRACE_ASSIGN_OR_RETURN(const ResourceName name, ParseTopicName(request.topic()));
  MILLRACE_ASSIGN_OR_RETURN(std::vector<std::string> ids, broker.Publish(name.id, MessagesOf(request)));
  for (std::string& id : ids) response->add_message_ids(std::move(id));
  return OkStatus();
}

Status GetTopicFrom(Broker& broker, const std::string& full_name, api::Topic* response) {
  MILLRACE_ASSIGN_OR_RETURN(const ResourceName name, ParseTopicName(full_name));
  MILLRACE_ASSIGN_OR_RETURN(const TopicSettings settings, broker.FindTopic(name.id));
  ToProto(full_name, settings, response);
  return OkStatus();
}

Status ListTopicsFrom(Broker& broker, const api::ListTopicsRequest& request, api::ListTopicsResponse* response) {
  MILLRACE_ASSIGN_OR_RETURN(const std::string project, ParseProjectName(request.project()));
  MILLRACE_ASSIGN_OR_RETURN(std::vector<std::string> topics, broker.ListTopics());
  for (std::string& topic : topics) topic = TopicName({.project = project, .id = topic});
  for (const std::string& topic : PageOf(std::move(topics), request, response)) {
    MILLRACE_RETURN_IF_ERROR(GetTopicFrom(broker, topic, response->add_topics()));
  }
  return OkStatus();
}

Status ListSubscriptionsFrom(Broker& broker, const api::ListTopicSubscriptionsRequest& request,
                             api::ListTopicSubscriptionsResponse* response) {
  MILLRACE_ASSIGN_OR_RETURN(const ResourceName name, ParseTopicName(request.topic()));
  MILLRACE_RETURN_IF_ERROR(broker.FindTopic(name.id).status());
  std::vector<std::string> names;
  for (const auto& subscription : broker.ListSubscriptions()) {
    if (subscription->log_topic() == name.id && subscription->HasTopic()) {
      names.push_back(subscription->settings().name);
    }
  }
  for (std::string& found : PageOf(std::move(names), request, response)) response->add_subscriptions(std::move(found));
  return OkStatus();
}

Status ListSnapshotsFrom(Broker& broker, const api::ListTopicSnapshotsRequest& request,
                         api::ListTopicSnapshotsResponse* response) {
  MILLRACE_ASSIGN_OR_RETURN(const ResourceName name, ParseTopicName(request.topic()));
  MILLRACE_RETURN_IF_ERROR(broker.FindTopic(name.id).status());
  std::vector<std::string> names;
  for (const SnapshotInfo& snapshot : broker.ListSnapshots()) {
    MILLRACE_ASSIGN_OR_RETURN(const ResourceName topic, ParseTopicName(snapshot.state.settings.topic));
    if (topic.id == name.id) names.push_back(snapshot.state.settings.name);
  }
  for (std::string& found : PageOf(std::move(names), request, response)) response->add_snapshots(std::move(found));
  return OkStatus();
}

Status DeleteTopicFrom(Broker& broker, const std::string& full_name) {
  MILLRACE_ASSIGN_OR_RETURN(const ResourceName name, ParseTopicName(full_name));
  return broker.DeleteTopic(name.id);
}

Status DetachFrom(Broker& broker, const std::string& full_name) {
  MILLRACE_ASSIGN_OR_RETURN(const ResourceName name, ParseSubscriptionName(full_name));
  return broker.DetachSubscription(name);
}

}  // namespace

grpc::Status PublisherService::CreateTopic(grpc::ServerContext*, const api::Topic* request, api::Topic* response) {
  return ToGrpc(CreateTopicFrom(broker_, *request, response));
}

grpc::Status PublisherService::UpdateTopic(grpc::ServerContext*, const api::UpdateTopicRequest* request,
                                           api::Topic* response) {
  return ToGrpc(UpdateTopicFrom(broker_, *request, response));
}

grpc::Status PublisherService::Publish(grpc::ServerContext*, const api::PublishRequest* request,
                                       api::PublishResponse* response) {
  return ToGrpc(PublishFrom(broker_, *request, response));
}

grpc::Status PublisherService::GetTopic(grpc::ServerContext*, const api::GetTopicRequest* request,
                                        api::Topic* response) {
  return ToGrpc(GetTopicFrom(broker_, request->topic(), response));
}

grpc::Status PublisherService::ListTopics(grpc::ServerContext*, const api::ListTopicsRequest* request,
                                          api::ListTopicsResponse* response) {
  return ToGrpc(ListTopicsFrom(broker_, *request, response));
}

grpc::Status PublisherService::ListTopicSubscriptions(grpc::ServerContext*,
                                                      const api::ListTopicSubscriptionsRequest* request,
                                                      api::ListTopicSubscriptionsResponse* response) {
  return ToGrpc(ListSubscriptionsFrom(broker_, *request, response));
}

grpc::Status PublisherService::ListTopicSnapshots(grpc::ServerContext*, const api::ListTopicSnapshotsRequest* request,
                                                  api::ListTopicSnapshotsResponse* response) {
  return ToGrpc(ListSnapshotsFrom(broker_, *request, response));
}

grpc::Status PublisherService::DeleteTopic(grpc::ServerContext*, const api::DeleteTopicRequest* request,
                                           google::protobuf::Empty*) {
  return ToGrpc(DeleteTopicFrom(broker_, request->topic()));
}

grpc::Status PublisherService::DetachSubscription(grpc::ServerContext*, const api::DetachSubscriptionRequest* request,
                                                  api::DetachSubscriptionResponse*) {
  return ToGrpc(DetachFrom(broker_, request->subscription()));
}

}  // namespace millrace::pubsub
