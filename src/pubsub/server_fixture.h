// The real service on a loopback port with a real log, and gRPC's own client for it: for the tests of this room.
#pragma once

#include <google/pubsub/v1/pubsub.grpc.pb.h>
#include <google/pubsub/v1/schema.grpc.pb.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "pubsub/server.h"

namespace millrace::pubsub {

namespace api = google::pubsub::v1;

inline const std::string kTopic = "projects/p/topics/clicks";
inline const std::string kSubscription = "projects/p/subscriptions/s";

class ServerTest : public ::testing::Test {
 protected:
  void SetUp() override {
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
    GTEST_SKIP() << "ThreadSanitizer does not see how gRPC, which is not instrumented, hands over between threads; "
                    "broker_test.cc has what is ours";
#endif
#endif
    std::string pattern = std::filesystem::temp_directory_path() / "pubsub_test.XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    Start();
  }
  void TearDown() override {
    server_.reset();
    if (!folder_.empty()) std::filesystem::remove_all(folder_);
  }

  void Start() {
    PubsubServerOptions options;
    options.broker.data_dir = folder_;
    options.broker.partitions = partitions_;
    options.broker.sync = sync_;
    options.broker.limits = limits_;
    options.broker.writer_idle_after = writer_idle_after_;
    auto started = PubsubServer::Start(options);
    ASSERT_TRUE(started.ok()) << started.status();
    server_ = *std::move(started);
    const auto channel = grpc::CreateChannel(server_->address(), grpc::InsecureChannelCredentials());
    publisher_ = api::Publisher::NewStub(channel);
    subscriber_ = api::Subscriber::NewStub(channel);
    schemas_ = api::SchemaService::NewStub(channel);
  }
  void Restart() {
    server_.reset();
    Start();
  }

  // A call with a response, as `Call(*publisher_, &api::Publisher::Stub::GetTopic, request)`.
  template <class Stub, class Method, class Request>
  grpc::Status Call(Stub& stub, Method method, const Request& request) {
    typename ResponseOf<Method>::Type ignored;
    return Call(stub, method, request, &ignored);
  }
  template <class Stub, class Method, class Request, class Response>
  grpc::Status Call(Stub& stub, Method method, const Request& request, Response* response) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    return (stub.*method)(&context, request, response);
  }
  template <class Method>
  struct ResponseOf;
  template <class Stub, class Request, class Response>
  struct ResponseOf<grpc::Status (Stub::*)(grpc::ClientContext*, const Request&, Response*)> {
    using Type = Response;
  };

  grpc::Status CreateTopic(const std::string& name = kTopic) {
    api::Topic topic;
    topic.set_name(name);
    return Call(*publisher_, &api::Publisher::Stub::CreateTopic, topic);
  }
  static api::Subscription SubscriptionOf(const std::string& name, bool ordered = false) {
    api::Subscription subscription;
    subscription.set_name(name);
    subscription.set_topic(kTopic);
    subscription.set_enable_message_ordering(ordered);
    return subscription;
  }
  grpc::Status Create(const api::Subscription& subscription) {
    return Call(*subscriber_, &api::Subscriber::Stub::CreateSubscription, subscription);
  }
  void CreateBoth(bool ordered = false) {
    ASSERT_TRUE(CreateTopic().ok());
    const grpc::Status created = Create(SubscriptionOf(kSubscription, ordered));
    ASSERT_TRUE(created.ok()) << created.error_message();
  }

  static api::PubsubMessage Message(const std::string& data, const std::string& key = "",
                                    const std::map<std::string, std::string>& attributes = {}) {
    api::PubsubMessage message;
    message.set_data(data);
    message.set_ordering_key(key);
    message.mutable_attributes()->insert(attributes.begin(), attributes.end());
    return message;
  }
  grpc::Status Publish(const std::vector<api::PubsubMessage>& messages, api::PublishResponse* response) {
    api::PublishRequest request;
    request.set_topic(kTopic);
    for (const api::PubsubMessage& message : messages) *request.add_messages() = message;
    return Call(*publisher_, &api::Publisher::Stub::Publish, request, response);
  }
  std::vector<std::string> Publish(const std::vector<api::PubsubMessage>& messages) {
    api::PublishResponse response;
    const grpc::Status published = Publish(messages, &response);
    EXPECT_TRUE(published.ok()) << published.error_message();
    return {response.message_ids().begin(), response.message_ids().end()};
  }
  std::vector<std::string> PublishData(const std::vector<std::string>& data, const std::string& key = "") {
    std::vector<api::PubsubMessage> messages;
    for (const std::string& one : data) messages.push_back(Message(one, key));
    return Publish(messages);
  }

  grpc::Status Pull(int max, api::PullResponse* response, bool waits = false, const std::string& name = kSubscription) {
    api::PullRequest request;
    request.set_subscription(name);
    request.set_max_messages(max);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    request.set_return_immediately(!waits);
#pragma GCC diagnostic pop
    return Call(*subscriber_, &api::Subscriber::Stub::Pull, request, response);
  }
  std::vector<api::ReceivedMessage> Pull(int max = 100, bool waits = false, const std::string& name = kSubscription) {
    api::PullResponse response;
    const grpc::Status pulled = Pull(max, &response, waits, name);
    EXPECT_TRUE(pulled.ok()) << pulled.error_message();
    return {response.received_messages().begin(), response.received_messages().end()};
  }
  // Until `count` are there, or for some seconds.
  std::vector<api::ReceivedMessage> PullAll(std::size_t count, const std::string& name = kSubscription) {
    std::vector<api::ReceivedMessage> all;
    for (int i = 0; i < 5 && all.size() < count; ++i) {
      for (auto& message : Pull(static_cast<int>(count - all.size()), true, name)) all.push_back(std::move(message));
    }
    return all;
  }
  static std::vector<std::string> DataOf(const std::vector<api::ReceivedMessage>& messages) {
    std::vector<std::string> data;
    for (const auto& message : messages) data.push_back(message.message().data());
    return data;
  }

  grpc::Status Acknowledge(const std::vector<api::ReceivedMessage>& messages, const std::string& name = kSubscription) {
    api::AcknowledgeRequest request;
    request.set_subscription(name);
    for (const auto& message : messages) request.add_ack_ids(message.ack_id());
    return Call(*subscriber_, &api::Subscriber::Stub::Acknowledge, request);
  }
  grpc::Status Modify(const std::vector<api::ReceivedMessage>& messages, int seconds) {
    api::ModifyAckDeadlineRequest request;
    request.set_subscription(kSubscription);
    request.set_ack_deadline_seconds(seconds);
    for (const auto& message : messages) request.add_ack_ids(message.ack_id());
    return Call(*subscriber_, &api::Subscriber::Stub::ModifyAckDeadline, request);
  }
  grpc::Status SeekTo(Timestamp time) {
    api::SeekRequest request;
    request.set_subscription(kSubscription);
    request.mutable_time()->set_seconds(time.micros() / 1'000'000);
    request.mutable_time()->set_nanos(static_cast<int>(time.micros() % 1'000'000) * 1'000);
    return Call(*subscriber_, &api::Subscriber::Stub::Seek, request);
  }
  grpc::Status SeekTo(const std::string& snapshot) {
    api::SeekRequest request;
    request.set_subscription(kSubscription);
    request.set_snapshot(snapshot);
    return Call(*subscriber_, &api::Subscriber::Stub::Seek, request);
  }
  grpc::Status Snapshot(const std::string& name, api::Snapshot* snapshot) {
    api::CreateSnapshotRequest request;
    request.set_name(name);
    request.set_subscription(kSubscription);
    return Call(*subscriber_, &api::Subscriber::Stub::CreateSnapshot, request, snapshot);
  }
  grpc::Status Delete(const std::string& name) {
    api::DeleteSubscriptionRequest request;
    request.set_subscription(name);
    return Call(*subscriber_, &api::Subscriber::Stub::DeleteSubscription, request);
  }

  std::string folder_;
  std::int32_t partitions_ = 2;
  log::SyncPolicy sync_ = log::SyncPolicy::kOs;
  Duration writer_idle_after_ = std::chrono::seconds(5);
  SubscriptionLimits limits_;
  std::unique_ptr<PubsubServer> server_;
  std::unique_ptr<api::Publisher::Stub> publisher_;
  std::unique_ptr<api::Subscriber::Stub> subscriber_;
  std::unique_ptr<api::SchemaService::Stub> schemas_;
};

}  // namespace millrace::pubsub
