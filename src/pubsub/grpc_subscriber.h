// google.pubsub.v1.Subscriber on a broker.
#pragma once

#include <google/pubsub/v1/pubsub.grpc.pb.h>

#include <atomic>
#include <memory>

#include "pubsub/grpc_messages.h"
#include "pubsub/grpc_streaming_pull.h"

namespace millrace::pubsub {

inline constexpr int kWaitingPullsMax = 32;
inline constexpr int kStreamsMax = 256;

/// Unary calls block the thread that they come on, a Pull that waits for 5 s at most; only 32 wait at a time, further
/// ones are answered at once. A StreamingPull has no thread; there are 256 at a time, further ones get
/// RESOURCE_EXHAUSTED.
class SubscriberService final : public api::Subscriber::WithCallbackMethod_StreamingPull<api::Subscriber::Service> {
 public:
  explicit SubscriberService(Broker& broker) : broker_(broker), streams_(std::make_shared<OpenStreams>(kStreamsMax)) {}

  grpc::Status CreateSubscription(grpc::ServerContext* context, const api::Subscription* request,
                                  api::Subscription* response) override;
  grpc::Status GetSubscription(grpc::ServerContext* context, const api::GetSubscriptionRequest* request,
                               api::Subscription* response) override;
  grpc::Status UpdateSubscription(grpc::ServerContext* context, const api::UpdateSubscriptionRequest* request,
                                  api::Subscription* response) override;
  grpc::Status ListSubscriptions(grpc::ServerContext* context, const api::ListSubscriptionsRequest* request,
                                 api::ListSubscriptionsResponse* response) override;
  grpc::Status DeleteSubscription(grpc::ServerContext* context, const api::DeleteSubscriptionRequest* request,
                                  google::protobuf::Empty* response) override;
  grpc::Status ModifyAckDeadline(grpc::ServerContext* context, const api::ModifyAckDeadlineRequest* request,
                                 google::protobuf::Empty* response) override;
  grpc::Status Acknowledge(grpc::ServerContext* context, const api::AcknowledgeRequest* request,
                           google::protobuf::Empty* response) override;
  grpc::Status Pull(grpc::ServerContext* context, const api::PullRequest* request,
                    api::PullResponse* response) override;
  grpc::ServerBidiReactor<api::StreamingPullRequest, api::StreamingPullResponse>* StreamingPull(
      grpc::CallbackServerContext* context) override;
  grpc::Status ModifyPushConfig(grpc::ServerContext* context, const api::ModifyPushConfigRequest* request,
                                google::protobuf::Empty* response) override;
  grpc::Status GetSnapshot(grpc::ServerContext* context, const api::GetSnapshotRequest* request,
                           api::Snapshot* response) override;
  grpc::Status ListSnapshots(grpc::ServerContext* context, const api::ListSnapshotsRequest* request,
                             api::ListSnapshotsResponse* response) override;
  grpc::Status CreateSnapshot(grpc::ServerContext* context, const api::CreateSnapshotRequest* request,
                              api::Snapshot* response) override;
  grpc::Status UpdateSnapshot(grpc::ServerContext* context, const api::UpdateSnapshotRequest* request,
                              api::Snapshot* response) override;
  grpc::Status DeleteSnapshot(grpc::ServerContext* context, const api::DeleteSnapshotRequest* request,
                              google::protobuf::Empty* response) override;
  grpc::Status Seek(grpc::ServerContext* context, const api::SeekRequest* request,
                    api::SeekResponse* response) override;

  /// Ends all streams, and Pulls that wait.
  void Close();

 private:
  Status PullFrom(const grpc::ServerContext& context, const api::PullRequest& request, api::PullResponse* response);

  Broker& broker_;
  const std::shared_ptr<OpenStreams> streams_;
  std::atomic<int> waiting_pulls_{0};
  std::atomic<bool> closing_{false};
};

}  // namespace millrace::pubsub
