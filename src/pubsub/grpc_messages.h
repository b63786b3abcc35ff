// Between Google's messages and ours: resources, records, statuses, and what is refused.
#pragma once

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>
#include <google/pubsub/v1/pubsub.pb.h>
#include <grpcpp/support/status.h>

#include <algorithm>
#include <string>
#include <vector>

#include "millrace/core/status.h"
#include "millrace/io/log.h"
#include "pubsub/broker.h"

namespace millrace::pubsub {

namespace api = google::pubsub::v1;

/// The codes are the same numbers.
grpc::Status ToGrpc(const Status& status);

Duration FromProto(const google::protobuf::Duration& duration);
Timestamp FromProto(const google::protobuf::Timestamp& time);
void ToProto(Duration duration, google::protobuf::Duration* proto);
void ToProto(Timestamp time, google::protobuf::Timestamp* proto);

/// UNIMPLEMENTED says what is not supported, and why; INVALID_ARGUMENT what cannot be.
StatusOr<TopicSettings> SettingsOf(const api::Topic& topic);
StatusOr<SubscriptionSettings> SettingsOf(const api::Subscription& subscription);
/// Takes the field of that name over from `from`.
Status ApplyTopicField(const std::string& field, const TopicSettings& from, TopicSettings* to);
Status ApplySubscriptionField(const std::string& field, const SubscriptionSettings& from, SubscriptionSettings* to);
Status CheckLabels(const google::protobuf::Map<std::string, std::string>& labels);

void ToProto(const std::string& name, const TopicSettings& settings, api::Topic* topic);
void ToProto(const Subscription& subscription, Broker& broker, api::Subscription* proto);
void ToProto(const SnapshotInfo& snapshot, api::Snapshot* proto);
/// Moves the record's texts.
void ToProto(std::string ack_id, LogRecord& record, api::ReceivedMessage* proto);

/// The messages of a request; they refer to it.
std::vector<PublishMessage> MessagesOf(const api::PublishRequest& request);

inline constexpr int kPageSizeMax = 1'000;

/// The part of the sorted `names` behind `token` that a page holds; sets the token of the next page.
template <class Request, class Response>
std::vector<std::string> PageOf(std::vector<std::string> names, const Request& request, Response* response) {
  std::sort(names.begin(), names.end());
  const int wanted = request.page_size() > 0 ? std::min(request.page_size(), kPageSizeMax) : kPageSizeMax;
  const auto begin = std::upper_bound(names.begin(), names.end(), request.page_token());
  const auto left = names.end() - (request.page_token().empty() ? names.begin() : begin);
  const auto first = names.end() - left;
  std::vector<std::string> page(first, first + std::min<std::ptrdiff_t>(left, wanted));
  if (left > wanted) response->set_next_page_token(page.back());
  return page;
}

}  // namespace millrace::pubsub
