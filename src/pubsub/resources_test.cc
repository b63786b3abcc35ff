// Topics, subscriptions and what is not supported, over gRPC.
#include <gmock/gmock.h>

#include <functional>
#include <utility>

#include "log/holds.h"
#include "pubsub/server_fixture.h"

namespace millrace::pubsub {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

using ResourcesTest = ServerTest;

TEST_F(ResourcesTest, MakesTopicsInTheLog) {
  ASSERT_TRUE(CreateTopic().ok());
  EXPECT_EQ(CreateTopic().error_code(), grpc::StatusCode::ALREADY_EXISTS);
  EXPECT_EQ(CreateTopic("projects/another/topics/clicks").error_code(), grpc::StatusCode::ALREADY_EXISTS);
  const auto topic = log::ReadTopic(base::PosixFileSystem(), folder_ + "/log", "clicks");
  ASSERT_TRUE(topic.ok()) << topic.status();
  EXPECT_EQ(topic->partitions, 2);
  for (const std::string& bad :
       {std::string("clicks"), std::string("projects/p/topics/"), std::string("projects/p/topics/a/b"),
        std::string("projects/p/topics/.."), "projects/p/topics/" + std::string(201, 'a'),
        std::string("projects//topics/a"), std::string("projects/p/subscriptions/a"), std::string()}) {
    EXPECT_EQ(CreateTopic(bad).error_code(), grpc::StatusCode::INVALID_ARGUMENT) << bad;
  }
  api::PublishRequest request;
  request.set_topic("projects/p/topics/none");
  *request.add_messages() = Message("x");
  EXPECT_EQ(Call(*publisher_, &api::Publisher::Stub::Publish, request).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(ResourcesTest, ListsInPages) {
  for (const char* name : {"a", "b", "c"}) ASSERT_TRUE(CreateTopic("projects/p/topics/" + std::string(name)).ok());
  api::ListTopicsRequest request;
  request.set_project("projects/q");  // every project sees the topics
  request.set_page_size(2);
  api::ListTopicsResponse response;
  ASSERT_TRUE(Call(*publisher_, &api::Publisher::Stub::ListTopics, request, &response).ok());
  ASSERT_EQ(response.topics_size(), 2);
  EXPECT_EQ(response.topics(1).name(), "projects/q/topics/b");
  request.set_page_token(response.next_page_token());
  ASSERT_TRUE(Call(*publisher_, &api::Publisher::Stub::ListTopics, request, &response).ok());
  ASSERT_EQ(response.topics_size(), 1);
  EXPECT_EQ(response.topics(0).name(), "projects/q/topics/c");
  EXPECT_EQ(response.next_page_token(), "");
}

TEST_F(ResourcesTest, UpdatesWhatCanBeUpdated) {
  CreateBoth();
  api::UpdateTopicRequest topic;
  topic.mutable_topic()->set_name(kTopic);
  (*topic.mutable_topic()->mutable_labels())["team"] = "web";
  topic.mutable_topic()->mutable_message_retention_duration()->set_seconds(3'600);
  topic.mutable_update_mask()->add_paths("labels");
  topic.mutable_update_mask()->add_paths("message_retention_duration");
  ASSERT_TRUE(Call(*publisher_, &api::Publisher::Stub::UpdateTopic, topic).ok());
  api::UpdateSubscriptionRequest update;
  update.mutable_subscription()->set_name(kSubscription);
  update.mutable_subscription()->set_ack_deadline_seconds(30);
  update.mutable_subscription()->set_retain_acked_messages(true);
  update.mutable_update_mask()->add_paths("ack_deadline_seconds");
  ASSERT_TRUE(Call(*subscriber_, &api::Subscriber::Stub::UpdateSubscription, update).ok());

  Restart();
  api::GetTopicRequest get_topic;
  get_topic.set_topic(kTopic);
  api::Topic found_topic;
  ASSERT_TRUE(Call(*publisher_, &api::Publisher::Stub::GetTopic, get_topic, &found_topic).ok());
  EXPECT_EQ(found_topic.labels().at("team"), "web");
  EXPECT_EQ(found_topic.message_retention_duration().seconds(), 3'600);
  api::GetSubscriptionRequest get;
  get.set_subscription(kSubscription);
  api::Subscription found;
  ASSERT_TRUE(Call(*subscriber_, &api::Subscriber::Stub::GetSubscription, get, &found).ok());
  EXPECT_EQ(found.ack_deadline_seconds(), 30);
  EXPECT_FALSE(found.retain_acked_messages());  // was not in the mask
  EXPECT_EQ(found.topic(), kTopic);
  EXPECT_EQ(found.topic_message_retention_duration().seconds(), 3'600);

  update.mutable_update_mask()->set_paths(0, "enable_message_ordering");
  EXPECT_EQ(Call(*subscriber_, &api::Subscriber::Stub::UpdateSubscription, update).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
  update.mutable_update_mask()->set_paths(0, "nonsense");
  EXPECT_EQ(Call(*subscriber_, &api::Subscriber::Stub::UpdateSubscription, update).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
  topic.mutable_update_mask()->set_paths(0, "kms_key_name");
  EXPECT_EQ(Call(*publisher_, &api::Publisher::Stub::UpdateTopic, topic).error_code(), grpc::StatusCode::UNIMPLEMENTED);
}

TEST_F(ResourcesTest, DeletesTopicsThatNobodyElseNeeds) {
  CreateBoth();
  PublishData({"1"});
  const std::string log_folder = folder_ + "/log";
  ASSERT_TRUE(
      log::SetHold(base::PosixFileSystem(), log_folder, "clicks", {.name = "archive", .next_offsets = {0, 0}}).ok());
  api::DeleteTopicRequest request;
  request.set_topic(kTopic);
  const grpc::Status needed = Call(*publisher_, &api::Publisher::Stub::DeleteTopic, request);
  EXPECT_EQ(needed.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(needed.error_message(), HasSubstr("archive"));
  ASSERT_TRUE(log::RemoveHold(base::PosixFileSystem(), log_folder, "clicks", "archive").ok());
  ASSERT_TRUE(Call(*publisher_, &api::Publisher::Stub::DeleteTopic, request).ok());
  EXPECT_EQ(Call(*publisher_, &api::Publisher::Stub::DeleteTopic, request).error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_FALSE(std::filesystem::exists(log_folder + "/clicks"));

  ASSERT_TRUE(CreateTopic().ok());  // another topic of that name is not the subscription's
  for (int i = 0; i < 2; ++i) {
    api::GetSubscriptionRequest get;
    get.set_subscription(kSubscription);
    api::Subscription found;
    ASSERT_TRUE(Call(*subscriber_, &api::Subscriber::Stub::GetSubscription, get, &found).ok());
    EXPECT_EQ(found.topic(), "_deleted-topic_");
    PublishData({"2"});
    EXPECT_THAT(Pull(), IsEmpty());
    Restart();
  }
  ASSERT_TRUE(Delete(kSubscription).ok());
  EXPECT_EQ(Delete(kSubscription).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(ResourcesTest, RemovesWhatAKilledServerHasLeft) {
  CreateBoth();
  server_.reset();
  base::FileSystem& files = base::PosixFileSystem();
  const std::string log_folder = folder_ + "/log";
  const log::Hold orphan{.name = "pubsub-0123456789abcdef", .next_offsets = {0, 0}};
  ASSERT_TRUE(log::SetHold(files, log_folder, "clicks", orphan).ok());
  ASSERT_TRUE(log::SetHold(files, log_folder, "clicks", {.name = "run", .next_offsets = {0, 0}}).ok());
  ASSERT_TRUE(files.CreateFolders(folder_ + "/pubsub/deleted-7/0").ok());
  Start();
  const auto holds = log::ListHolds(files, log_folder, "clicks");
  ASSERT_TRUE(holds.ok()) << holds.status();
  ASSERT_THAT(*holds, SizeIs(2));
  EXPECT_NE((*holds)[0].name, orphan.name);
  EXPECT_EQ((*holds)[1].name, "run");
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/pubsub/deleted-7"));
}

TEST_F(ResourcesTest, DamagedSubscriptionsAreRefusedByName) {
  CreateBoth();
  ASSERT_TRUE(Create(SubscriptionOf("projects/p/subscriptions/other")).ok());
  server_.reset();
  std::filesystem::resize_file(folder_ + "/pubsub/subscriptions/p/s", 20);
  ::testing::internal::CaptureStderr();
  Start();
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              HasSubstr("/pubsub/subscriptions/p/s is damaged at position 0"));
  api::PullResponse response;
  EXPECT_EQ(Pull(1, &response).error_code(), grpc::StatusCode::DATA_LOSS);
  EXPECT_TRUE(Pull(1, &response, false, "projects/p/subscriptions/other").ok());
  EXPECT_EQ(Create(SubscriptionOf(kSubscription)).error_code(), grpc::StatusCode::ALREADY_EXISTS);
  ASSERT_TRUE(Delete(kSubscription).ok());
  EXPECT_TRUE(Create(SubscriptionOf(kSubscription)).ok());
}

TEST_F(ResourcesTest, DetachesSubscriptions) {
  CreateBoth();
  PublishData({"1"});
  api::ListTopicSubscriptionsRequest list;
  list.set_topic(kTopic);
  api::ListTopicSubscriptionsResponse listed;
  ASSERT_TRUE(Call(*publisher_, &api::Publisher::Stub::ListTopicSubscriptions, list, &listed).ok());
  EXPECT_THAT(listed.subscriptions(), ElementsAre(kSubscription));
  api::DetachSubscriptionRequest detach;
  detach.set_subscription(kSubscription);
  ASSERT_TRUE(Call(*publisher_, &api::Publisher::Stub::DetachSubscription, detach).ok());
  ASSERT_TRUE(Call(*publisher_, &api::Publisher::Stub::ListTopicSubscriptions, list, &listed).ok());
  EXPECT_THAT(listed.subscriptions(), IsEmpty());
  Restart();
  api::PullResponse response;
  EXPECT_EQ(Pull(1, &response).error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  api::GetSubscriptionRequest get;
  get.set_subscription(kSubscription);
  api::Subscription found;
  ASSERT_TRUE(Call(*subscriber_, &api::Subscriber::Stub::GetSubscription, get, &found).ok());
  EXPECT_TRUE(found.detached());
}

TEST_F(ResourcesTest, SaysWhatItDoesNotSupport) {
  ASSERT_TRUE(CreateTopic().ok());
  const std::vector<std::pair<const char*, std::function<void(api::Subscription&)>>> subscriptions = {
      {"filter", [](auto& one) { one.set_filter("attributes.a = \"b\""); }},
      {"dead_letter_policy", [](auto& one) { one.mutable_dead_letter_policy()->set_dead_letter_topic(kTopic); }},
      {"enable_exactly_once_delivery", [](auto& one) { one.set_enable_exactly_once_delivery(true); }},
      {"push_config", [](auto& one) { one.mutable_push_config()->set_push_endpoint("https://example.com"); }},
      {"bigquery_config", [](auto& one) { one.mutable_bigquery_config()->set_table("p.d.t"); }},
      {"cloud_storage_config", [](auto& one) { one.mutable_cloud_storage_config()->set_bucket("b"); }},
      {"retry_policy", [](auto& one) { one.mutable_retry_policy()->mutable_minimum_backoff()->set_seconds(1); }},
      {"expiration_policy", [](auto& one) { one.mutable_expiration_policy()->mutable_ttl()->set_seconds(1); }},
      {"message_transforms", [](auto& one) { one.add_message_transforms(); }},
      {"tags", [](auto& one) { (*one.mutable_tags())["a"] = "b"; }}};
  for (const auto& [what, change] : subscriptions) {
    api::Subscription subscription = SubscriptionOf(kSubscription);
    change(subscription);
    const grpc::Status refused = Create(subscription);
    EXPECT_EQ(refused.error_code(), grpc::StatusCode::UNIMPLEMENTED) << what;
    EXPECT_THAT(refused.error_message(), HasSubstr(what));
  }
  const std::vector<std::pair<const char*, std::function<void(api::Topic&)>>> topics = {
      {"schema_settings", [](auto& one) { one.mutable_schema_settings()->set_schema("projects/p/schemas/s"); }},
      {"kms_key_name", [](auto& one) { one.set_kms_key_name("k"); }},
      {"message_storage_policy", [](auto& one) { one.mutable_message_storage_policy(); }},
      {"ingestion_data_source_settings", [](auto& one) { one.mutable_ingestion_data_source_settings(); }},
      {"message_transforms", [](auto& one) { one.add_message_transforms(); }},
      {"tags", [](auto& one) { (*one.mutable_tags())["a"] = "b"; }}};
  for (const auto& [what, change] : topics) {
    api::Topic topic;
    topic.set_name("projects/p/topics/other");
    change(topic);
    const grpc::Status refused = Call(*publisher_, &api::Publisher::Stub::CreateTopic, topic);
    EXPECT_EQ(refused.error_code(), grpc::StatusCode::UNIMPLEMENTED) << what;
    EXPECT_THAT(refused.error_message(), HasSubstr(what));
  }
  api::CreateSchemaRequest schema;
  const grpc::Status no_schema = Call(*schemas_, &api::SchemaService::Stub::CreateSchema, schema);
  EXPECT_EQ(no_schema.error_code(), grpc::StatusCode::UNIMPLEMENTED);
  EXPECT_THAT(no_schema.error_message(), HasSubstr("schemas"));
  ASSERT_TRUE(Create(SubscriptionOf(kSubscription)).ok());
  api::ModifyPushConfigRequest push;
  push.set_subscription(kSubscription);
  EXPECT_TRUE(Call(*subscriber_, &api::Subscriber::Stub::ModifyPushConfig, push).ok());
  push.mutable_push_config()->set_push_endpoint("https://example.com");
  EXPECT_EQ(Call(*subscriber_, &api::Subscriber::Stub::ModifyPushConfig, push).error_code(),
            grpc::StatusCode::UNIMPLEMENTED);
}

TEST_F(ResourcesTest, RefusesWhatNoMessageMayBe) {
  CreateBoth();
  std::map<std::string, std::string> many;
  for (int i = 0; i < 101; ++i) many[std::to_string(i)] = "";
  const std::vector<std::vector<api::PubsubMessage>> requests = {
      {},
      {Message("")},
      {Message("x"), Message("x", std::string(1'025, 'k'))},
      {Message("x", "", {{"", "v"}})},
      {Message("x", "", {{"a", std::string(1'025, 'v')}})},
      {Message("x", "", {{"goog_a", "v"}})},
      {Message("x", "", many)},
      {Message(std::string(10'000'001, 'x'))},
      {Message("x", "", {{kProducerAttribute, "me"}, {kSequenceAttribute, "-1"}})},
      std::vector<api::PubsubMessage>(1'001, Message("x"))};
  for (std::size_t i = 0; i < requests.size(); ++i) {
    api::PublishResponse response;
    const grpc::Status refused = Publish(requests[i], &response);
    EXPECT_EQ(refused.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << i << " " << refused.error_message();
  }
  EXPECT_THAT(Pull(), IsEmpty());  // nothing was stored
  PublishData({std::string(9'999'000, 'x')});
  api::PullResponse response;
  EXPECT_EQ(Pull(0, &response).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  api::ReceivedMessage wrong;
  wrong.set_ack_id("nonsense");
  EXPECT_EQ(Acknowledge({wrong}).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  wrong.set_ack_id("1-0-ffff-1");  // never published
  EXPECT_EQ(Acknowledge({wrong}).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(ResourcesTest, IsAloneInItsDataDirectory) {
  PubsubServerOptions options;
  options.broker.data_dir = folder_;
  EXPECT_EQ(PubsubServer::Start(options).status().code(), StatusCode::kFailedPrecondition);
  options.broker.data_dir = folder_ + "/other";
  options.port = server_->port();
  const auto same_port = PubsubServer::Start(options);
  EXPECT_EQ(same_port.status().code(), StatusCode::kUnavailable);
  EXPECT_THAT(same_port.status().message(), HasSubstr("is the port in use"));
}

}  // namespace
}  // namespace millrace::pubsub
