// google.pubsub.v1.Publisher on a broker.
#pragma once

#include <google/pubsub/v1/pubsub.grpc.pb.h>

#include "pubsub/grpc_messages.h"

namespace millrace::pubsub {

/// Calls block the thread that they come on.
class PublisherService final : public api::Publisher::Service {
 public:
  explicit PublisherService(Broker& broker) : broker_(broker) {}

  grpc::Status CreateTopic(grpc::ServerContext* context, const api::Topic* request, api::Topic* response) override;
  grpc::Status UpdateTopic(grpc::ServerContext* context, const api::UpdateTopicRequest* request,
                           api::Topic* response) override;
  grpc::Status Publish(grpc::ServerContext* context, const api::PublishRequest* request,
                       api::PublishResponse* response) override;
  grpc::Status GetTopic(grpc::ServerContext* context, const api::GetTopicRequest* request,
                        api::Topic* response) override;
  grpc::Status ListTopics(grpc::ServerContext* context, const api::ListTopicsRequest* request,
                          api::ListTopicsResponse* response) override;
  grpc::Status ListTopicSubscriptions(grpc::ServerContext* context, const api::ListTopicSubscriptionsRequest* request,
                                      api::ListTopicSubscriptionsResponse* response) override;
  grpc::Status ListTopicSnapshots(grpc::ServerContext* context, const api::ListTopicSnapshotsRequest* request,
                                  api::ListTopicSnapshotsResponse* response) override;
  grpc::Status DeleteTopic(grpc::ServerContext* context, const api::DeleteTopicRequest* request,
                           google::protobuf::Empty* response) override;
  grpc::Status DetachSubscription(grpc::ServerContext* context, const api::DetachSubscriptionRequest* request,
                                  api::DetachSubscriptionResponse* response) override;

 private:
  Broker& broker_;
};

}  // namespace millrace::pubsub
