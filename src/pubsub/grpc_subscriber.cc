#include "pubsub/grpc_subscriber.h"

#include <utility>

#include "base/status_macros.h"

namespace millrace::pubsub {

namespace {

constexpr auto kPullWaitMax = std::chrono::seconds(5);
constexpr auto kPullWaitStep = std::chrono::milliseconds(100);
constexpr auto kAnswerBefore = std::chrono::milliseconds(100);  // the client's deadline
constexpr std::int64_t kPullMessagesMax = 1'000;
constexpr std::int32_t kModifySecondsMax = 600;

StatusOr<std::shared_ptr<Subscription>> Find(Broker& broker, const std::string& full_name) {
  MILLRACE_ASSIGN_OR_RETURN(const ResourceName name, ParseSubscriptionName(full_name));
  return broker.FindSubscription(name);
}

std::vector<std::string_view> AckIdsOf(const google::protobuf::RepeatedPtrField<std::string>& ids) {
  return {ids.begin(), ids.end()};
}

Status CreateFrom(Broker& broker, const api::Subscription& request, api::Subscription* response) {
  MILLRACE_ASSIGN_OR_RETURN(const ResourceName name, ParseSubscriptionName(request.name()));
  MILLRACE_RETURN_IF_ERROR(ParseTopicName(request.topic()).status());
  MILLRACE_ASSIGN_OR_RETURN(const SubscriptionSettings settings, SettingsOf(request));
  MILLRACE_ASSIGN_OR_RETURN(const auto subscription, broker.CreateSubscription(name, settings));
  ToProto(*subscription, broker, response);
  return OkStatus();
}

Status GetFrom(Broker& broker, const std::string& name, api::Subscription* response) {
  MILLRACE_ASSIGN_OR_RETURN(const auto subscription, Find(broker, name));
  ToProto(*subscription, broker, response);
  return OkStatus();
}

Status UpdateFrom(Broker& broker, const api::UpdateSubscriptionRequest& request, api::Subscription* response) {
  MILLRACE_ASSIGN_OR_RETURN(const auto subscription, Find(broker, request.subscription().name()));
  if (request.update_mask().paths().empty()) return InvalidArgumentError("update_mask: say which fields to update");
  MILLRACE_ASSIGN_OR_RETURN(const SubscriptionSettings wanted, SettingsOf(request.subscription()));
  SubscriptionSettings checked;
  for (const std::string& field : request.update_mask().paths()) {
    MILLRACE_RETURN_IF_ERROR(ApplySubscriptionField(field, wanted, &checked));
  }
  MILLRACE_RETURN_IF_ERROR(subscription->Update([&](SubscriptionSettings& settings) {
    for (const std::string& field : request.update_mask().paths()) {
      [[maybe_unused]] const Status applied = ApplySubscriptionField(field, wanted, &settings);  // it was checked
    }
  }));
  ToProto(*subscription, broker, response);
  return OkStatus();
}

Status ListFrom(Broker& broker, const api::ListSubscriptionsRequest& request,
                api::ListSubscriptionsResponse* response) {
  MILLRACE_RETURN_IF_ERROR(ParseProjectName(request.project()).status());
  std::vector<std::string> names;
  for (const auto& subscription : broker.ListSubscriptions()) {
    const std::string name = subscription->settings().name;
    if (name.starts_with(request.project() + "/")) names.push_back(name);
  }
  for (const std::string& name : PageOf(std::move(names), request, response)) {
    // One that was deleted meanwhile is passed over.
    api::Subscription found;
    if (GetFrom(broker, name, &found).ok()) *response->add_subscriptions() = std::move(found);
  }
  return OkStatus();
}

Status DeleteFrom(Broker& broker, const std::string& full_name) {
  MILLRACE_ASSIGN_OR_RETURN(const ResourceName name, ParseSubscriptionName(full_name));
  return broker.DeleteSubscription(name);
}

Status ModifyFrom(Broker& broker, const api::ModifyAckDeadlineRequest& request) {
  MILLRACE_ASSIGN_OR_RETURN(const auto subscription, Find(broker, request.subscription()));
  const std::int32_t seconds = request.ack_deadline_seconds();
  if (seconds < 0 || seconds > kModifySecondsMax) {
    return InvalidArgumentError("ack_deadline_seconds is from 0 to 600, not " + std::to_string(seconds));
  }
  if (request.ack_ids().empty()) return InvalidArgumentError("say which messages: ack_ids");
  return subscription->ModifyAckDeadline(AckIdsOf(request.ack_ids()), std::chrono::seconds(seconds));
}

Status AcknowledgeFrom(Broker& broker, const api::AcknowledgeRequest& request) {
  MILLRACE_ASSIGN_OR_RETURN(const auto subscription, Find(broker, request.subscription()));
  if (request.ack_ids().empty()) return InvalidArgumentError("say which messages: ack_ids");
  MILLRACE_ASSIGN_OR_RETURN(const StateJournal::Ticket ticket, subscription->Acknowledge(AckIdsOf(request.ack_ids())));
  return subscription->Await(ticket);
}

Status CreateSnapshotFrom(Broker& broker, const api::CreateSnapshotRequest& request, api::Snapshot* response) {
  MILLRACE_ASSIGN_OR_RETURN(const ResourceName name, ParseSnapshotName(request.name()));
  MILLRACE_ASSIGN_OR_RETURN(const auto subscription, Find(broker, request.subscription()));
  MILLRACE_RETURN_IF_ERROR(CheckLabels(request.labels()));
  if (request.tags_size() > 0) return UnimplementedError("tags: there is no Resource Manager; use labels");
  MILLRACE_ASSIGN_OR_RETURN(
      const SnapshotInfo snapshot,
      broker.CreateSnapshot(name, *subscription, {request.labels().begin(), request.labels().end()}));
  ToProto(snapshot, response);
  return OkStatus();
}

Status GetSnapshotFrom(Broker& broker, const std::string& full_name, api::Snapshot* response) {
  MILLRACE_ASSIGN_OR_RETURN(const ResourceName name, ParseSnapshotName(full_name));
  MILLRACE_ASSIGN_OR_RETURN(const SnapshotInfo snapshot, broker.FindSnapshot(name));
  ToProto(snapshot, response);
  return OkStatus();
}

Status UpdateSnapshotFrom(Broker& broker, const api::UpdateSnapshotRequest& request, api::Snapshot* response) {
  const api::Snapshot& wanted = request.snapshot();
  MILLRACE_ASSIGN_OR_RETURN(const ResourceName name, ParseSnapshotName(wanted.name()));
  if (request.update_mask().paths().empty()) return InvalidArgumentError("update_mask: say which fields to update");
  for (const std::string& field : request.update_mask().paths()) {
    if (field != "labels" && field != "expire_time") {
      return InvalidArgumentError("of a snapshot, labels and expire_time can be updated, not " + field);
    }
  }
  MILLRACE_RETURN_IF_ERROR(CheckLabels(wanted.labels()));
  const auto change = [&](SubscriptionSettings& settings) {
    for (const std::string& field : request.update_mask().paths()) {
      if (field == "labels") {
        settings.labels = {wanted.labels().begin(), wanted.labels().end()};
      } else {
        settings.expires_at = FromProto(wanted.expire_time());
      }
    }
  };
  MILLRACE_ASSIGN_OR_RETURN(const SnapshotInfo snapshot, broker.UpdateSnapshot(name, change));
  ToProto(snapshot, response);
  return OkStatus();
}

Status DeleteSnapshotFrom(Broker& broker, const std::string& full_name) {
  MILLRACE_ASSIGN_OR_RETURN(const ResourceName name, ParseSnapshotName(full_name));
  return broker.DeleteSnapshot(name);
}

Status ListSnapshotsFrom(Broker& broker, const api::ListSnapshotsRequest& request,
                         api::ListSnapshotsResponse* response) {
  MILLRACE_RETURN_IF_ERROR(ParseProjectName(request.project()).status());
  std::vector<std::string> names;
  for (const SnapshotInfo& snapshot : broker.ListSnapshots()) {
    const std::string& name = snapshot.state.settings.name;
    if (name.starts_with(request.project() + "/")) names.push_back(name);
  }
  for (const std::string& name : PageOf(std::move(names), request, response)) {
    api::Snapshot found;
    if (GetSnapshotFrom(broker, name, &found).ok()) *response->add_snapshots() = std::move(found);
  }
  return OkStatus();
}

Status SeekFrom(Broker& broker, const api::SeekRequest& request) {
  MILLRACE_ASSIGN_OR_RETURN(const auto subscription, Find(broker, request.subscription()));
  if (request.has_time()) return broker.SeekToTime(*subscription, FromProto(request.time()));
  if (!request.has_snapshot()) return InvalidArgumentError("say where to seek: time or snapshot");
  MILLRACE_ASSIGN_OR_RETURN(const ResourceName snapshot, ParseSnapshotName(request.snapshot()));
  return broker.SeekToSnapshot(*subscription, snapshot);
}

// The field is deprecated, and clients use it.
bool ReturnsImmediately(const api::PullRequest& request) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  return request.return_immediately();
#pragma GCC diagnostic pop
}

}  // namespace

Status SubscriberService::PullFrom(const grpc::ServerContext& context, const api::PullRequest& request,
                                   api::PullResponse* response) {
  MILLRACE_ASSIGN_OR_RETURN(const auto subscription, Find(broker_, request.subscription()));
  if (request.max_messages() < 1) {
    return InvalidArgumentError("max_messages is at least 1, not " + std::to_string(request.max_messages()));
  }
  TakeLimits limits{.messages = std::min<std::int64_t>(request.max_messages(), kPullMessagesMax)};
  limits.ack_deadline = std::chrono::seconds(subscription->settings().ack_deadline_seconds);
  const auto end = std::min(std::chrono::system_clock::now() + kPullWaitMax, context.deadline() - kAnswerBefore);
  while (true) {
    MILLRACE_ASSIGN_OR_RETURN(const std::int64_t taken,
                              subscription->Take(limits, [&](std::string ack_id, LogRecord& record) {
                                ToProto(std::move(ack_id), record, response->add_received_messages());
                              }));
    if (taken > 0 || ReturnsImmediately(request) || closing_ || context.IsCancelled()) return OkStatus();
    const auto left = std::chrono::floor<std::chrono::milliseconds>(end - std::chrono::system_clock::now());
    if (left <= std::chrono::milliseconds(0)) return OkStatus();
    if (++waiting_pulls_ <= kWaitingPullsMax) {
      subscription->WaitForMessages(std::min(left, std::chrono::milliseconds(kPullWaitStep)));
      --waiting_pulls_;
    } else {
      --waiting_pulls_;
      return OkStatus();
    }
  }
}

grpc::Status SubscriberService::CreateSubscription(grpc::ServerContext*, const api::Subscription* request,
                                                   api::Subscription* response) {
  return ToGrpc(CreateFrom(broker_, *request, response));
}

grpc::Status SubscriberService::GetSubscription(grpc::ServerContext*, const api::GetSubscriptionRequest* request,
                                                api::Subscription* response) {
  return ToGrpc(GetFrom(broker_, request->subscription(), response));
}

grpc::Status SubscriberService::UpdateSubscription(grpc::ServerContext*, const api::UpdateSubscriptionRequest* request,
                                                   api::Subscription* response) {
  return ToGrpc(UpdateFrom(broker_, *request, response));
}

grpc::Status SubscriberService::ListSubscriptions(grpc::ServerContext*, const api::ListSubscriptionsRequest* request,
                                                  api::ListSubscriptionsResponse* response) {
  return ToGrpc(ListFrom(broker_, *request, response));
}

grpc::Status SubscriberService::DeleteSubscription(grpc::ServerContext*, const api::DeleteSubscriptionRequest* request,
                                                   google::protobuf::Empty*) {
  return ToGrpc(DeleteFrom(broker_, request->subscription()));
}

grpc::Status SubscriberService::ModifyAckDeadline(grpc::ServerContext*, const api::ModifyAckDeadlineRequest* request,
                                                  google::protobuf::Empty*) {
  return ToGrpc(ModifyFrom(broker_, *request));
}

grpc::Status SubscriberService::Acknowledge(grpc::ServerContext*, const api::AcknowledgeRequest* request,
                                            google::protobuf::Empty*) {
  return ToGrpc(AcknowledgeFrom(broker_, *request));
}

grpc::Status SubscriberService::Pull(grpc::ServerContext* context, const api::PullRequest* request,
                                     api::PullResponse* response) {
  return ToGrpc(PullFrom(*context, *request, response));
}

grpc::ServerBidiReactor<api::StreamingPullRequest, api::StreamingPullResponse>* SubscriberService::StreamingPull(
    grpc::CallbackServerContext*) {
  return PullStream::Open(broker_, streams_);
}

grpc::Status SubscriberService::ModifyPushConfig(grpc::ServerContext*, const api::ModifyPushConfigRequest* request,
                                                 google::protobuf::Empty*) {
  if (!request->push_config().push_endpoint().empty()) {
    return ToGrpc(UnimplementedError("push_config: messages are pulled, not pushed"));
  }
  return ToGrpc(Find(broker_, request->subscription()).status());
}

grpc::Status SubscriberService::GetSnapshot(grpc::ServerContext*, const api::GetSnapshotRequest* request,
                                            api::Snapshot* response) {
  return ToGrpc(GetSnapshotFrom(broker_, request->snapshot(), response));
}

grpc::Status SubscriberService::ListSnapshots(grpc::ServerContext*, const api::ListSnapshotsRequest* request,
                                              api::ListSnapshotsResponse* response) {
  return ToGrpc(ListSnapshotsFrom(broker_, *request, response));
}

grpc::Status SubscriberService::CreateSnapshot(grpc::ServerContext*, const api::CreateSnapshotRequest* request,
                                               api::Snapshot* response) {
  return ToGrpc(CreateSnapshotFrom(broker_, *request, response));
}

grpc::Status SubscriberService::UpdateSnapshot(grpc::ServerContext*, const api::UpdateSnapshotRequest* request,
                                               api::Snapshot* response) {
  return ToGrpc(UpdateSnapshotFrom(broker_, *request, response));
}

grpc::Status SubscriberService::DeleteSnapshot(grpc::ServerContext*, const api::DeleteSnapshotRequest* request,
                                               google::protobuf::Empty*) {
  return ToGrpc(DeleteSnapshotFrom(broker_, request->snapshot()));
}

grpc::Status SubscriberService::Seek(grpc::ServerContext*, const api::SeekRequest* request, api::SeekResponse*) {
  return ToGrpc(SeekFrom(broker_, *request));
}

void SubscriberService::Close() {
  closing_ = true;
  streams_->Close({grpc::StatusCode::UNAVAILABLE, "the server is stopping"});
}

}  // namespace millrace::pubsub
