// Many threads at one broker, without gRPC: for ThreadSanitizer, and to see that nothing is lost between them.
#include "pubsub/broker.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <mutex>
#include <set>
#include <thread>

#include "base/test_settings.h"

namespace millrace::pubsub {
namespace {

class BrokerThreadsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = std::filesystem::temp_directory_path() / "broker_test.XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    auto broker = Broker::Open(base::PosixFileSystem(), {.data_dir = folder_, .sync = log::SyncPolicy::kInterval});
    ASSERT_TRUE(broker.ok()) << broker.status();
    broker_ = *std::move(broker);
    ASSERT_TRUE(broker_->CreateTopic("t", {}).ok());
    auto made = broker_->CreateSubscription({.project = "p", .id = "s"}, {.topic = "projects/p/topics/t"});
    ASSERT_TRUE(made.ok()) << made.status();
    subscription_ = *std::move(made);
  }
  void TearDown() override {
    subscription_.reset();
    broker_.reset();
    std::filesystem::remove_all(folder_);
  }

  void Publish(int thread) {
    for (std::int64_t i = 0; i < messages_; ++i) {
      const std::string data = std::to_string(thread) + "/" + std::to_string(i);
      std::vector<PublishMessage> messages(1);
      messages[0].data = data;
      const auto published = broker_->Publish("t", std::move(messages));
      EXPECT_TRUE(published.ok()) << published.status();
    }
  }
  void Pull() {
    while (!done_) {
      std::vector<std::string> ids;
      std::vector<std::string> data;
      const auto taken = subscription_->Take({.messages = 7}, [&](std::string ack_id, LogRecord& record) {
        ids.push_back(std::move(ack_id));
        data.push_back(std::move(record.data));
      });
      ASSERT_TRUE(taken.ok()) << taken.status();
      if (ids.empty()) {
        subscription_->WaitForMessages(std::chrono::milliseconds(5));
        continue;
      }
      const std::vector<std::string_view> views(ids.begin(), ids.end());
      const auto ticket = subscription_->Acknowledge(views);
      ASSERT_TRUE(ticket.ok()) << ticket.status();
      EXPECT_TRUE(subscription_->Await(*ticket).ok());
      const std::lock_guard lock(mutex_);
      found_.insert(data.begin(), data.end());
    }
  }
  std::size_t found() {
    const std::lock_guard lock(mutex_);
    return found_.size();
  }

  std::string folder_;
  std::unique_ptr<Broker> broker_;
  std::shared_ptr<Subscription> subscription_;
  const std::int64_t messages_ = base::TestRounds(300, 5'000);
  std::atomic<bool> done_ = false;
  std::mutex mutex_;
  std::multiset<std::string> found_;
};

TEST_F(BrokerThreadsTest, LoseNothingAndDeliverNothingTwice) {
  std::vector<std::thread> pullers;
  std::vector<std::thread> publishers;
  for (int i = 0; i < 2; ++i) pullers.emplace_back([this] { Pull(); });
  for (int i = 0; i < 2; ++i) publishers.emplace_back([this, i] { Publish(i); });
  for (int i = 0; i < 20; ++i) {
    const ResourceName name{.project = "p", .id = "n" + std::to_string(i)};
    EXPECT_TRUE(broker_->CreateSnapshot(name, *subscription_, {}).ok());
    EXPECT_TRUE(subscription_->Update([](SubscriptionSettings& settings) { settings.labels["a"] += "b"; }).ok());
    if (i % 2 == 0) {
      EXPECT_TRUE(broker_->DeleteSnapshot(name).ok());
    }
  }
  for (std::thread& thread : publishers) thread.join();
  const auto all = static_cast<std::size_t>(2 * messages_);
  for (int i = 0; i < 2'000 && found() < all; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  done_ = true;
  for (std::thread& thread : pullers) thread.join();
  EXPECT_EQ(found_.size(), all);
  EXPECT_EQ(std::set<std::string>(found_.begin(), found_.end()).size(), all);
  EXPECT_EQ(broker_->ListSnapshots().size(), 10);
}

}  // namespace
}  // namespace millrace::pubsub
