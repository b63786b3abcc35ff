// One subscription on a simulated disk and a clock that is told to move: deadlines, limits, and random calls against a
// plain model.
#include "pubsub/subscription.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "base/random.h"
#include "base/simulated_file_system.h"
#include "base/test_settings.h"
#include "log/log_samples.h"

namespace millrace::pubsub {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

struct Delivered {
  std::string ack_id;
  MessagePlace place;
  std::string data;
  std::string key;
};

class SubscriptionTest : public ::testing::Test {
 protected:
  void Open(bool ordered = false, std::int32_t partitions = 1, SubscriptionLimits limits = {}) {
    limits_ = limits;
    ASSERT_TRUE(files_.CreateFolders(folder_ + "/log").ok());
    ASSERT_TRUE(files_.CreateFolders(folder_ + "/pubsub").ok());
    OpenWriter(partitions);
    SubscriptionState state;
    state.settings.name = "projects/p/subscriptions/s";
    state.settings.topic = "projects/p/topics/t";
    state.settings.topic_id = writer_->topic().id;
    state.settings.enable_message_ordering = ordered;
    state.acked.assign(static_cast<std::size_t>(partitions), AckedOffsets());
    auto journal = StateJournal::Create(files_, folder_ + "/pubsub/s", 7, state, log::SyncPolicy::kOs);
    ASSERT_TRUE(journal.ok()) << journal.status();
    journal->reset();
    Restart();
  }
  void OpenWriter(std::int32_t partitions) {
    auto writer = log::LogWriter::Open(files_, folder_ + "/log", "t",
                                       {.partitions = partitions, .sync = log::SyncPolicy::kOs, .clock = &clock_});
    ASSERT_TRUE(writer.ok()) << writer.status();
    writer_ = *std::move(writer);
  }
  // What is in memory is gone.
  void Restart() {
    subscription_.reset();
    auto recovered = ReadStateFile(files_, folder_ + "/pubsub/s");
    ASSERT_TRUE(recovered.ok()) << recovered.status();
    auto journal = StateJournal::Open(files_, folder_ + "/pubsub/s", *recovered, log::SyncPolicy::kOs);
    ASSERT_TRUE(journal.ok()) << journal.status();
    auto reader = log::LogReader::Open(files_, folder_ + "/log", "t");
    ASSERT_TRUE(reader.ok()) << reader.status();
    auto feed = std::make_unique<RecordFeed>(*std::move(reader), recovered->state.through());
    subscription_ =
        std::make_shared<Subscription>(*std::move(journal), recovered->state, std::move(feed), clock_, limits_);
  }
  void Publish(const std::string& data, const std::string& key = "") {
    const auto appended = log::AppendAll(*writer_, {{.key = key, .data = data}});
    ASSERT_TRUE(appended.ok()) << appended.status();
  }
  std::vector<Delivered> Take(const TakeLimits& limits = {}) {
    std::vector<Delivered> taken;
    const auto count = subscription_->Take(limits, [&](std::string ack_id, LogRecord& record) {
      taken.push_back({.ack_id = std::move(ack_id),
                       .place = {.partition = record.partition, .offset = record.offset},
                       .data = record.data,
                       .key = record.key});
    });
    EXPECT_TRUE(count.ok()) << count.status();
    EXPECT_EQ(count.value(), static_cast<std::int64_t>(taken.size()));
    return taken;
  }
  static std::vector<std::string> DataOf(const std::vector<Delivered>& taken) {
    std::vector<std::string> data;
    for (const Delivered& one : taken) data.push_back(one.data);
    return data;
  }
  void Acknowledge(const std::vector<Delivered>& taken) {
    std::vector<std::string_view> ids;
    for (const Delivered& one : taken) ids.push_back(one.ack_id);
    const auto ticket = subscription_->Acknowledge(ids);
    ASSERT_TRUE(ticket.ok()) << ticket.status();
    ASSERT_TRUE(subscription_->Await(*ticket).ok());
  }
  void Modify(const std::vector<Delivered>& taken, Duration deadline) {
    std::vector<std::string_view> ids;
    for (const Delivered& one : taken) ids.push_back(one.ack_id);
    ASSERT_TRUE(subscription_->ModifyAckDeadline(ids, deadline).ok());
  }

  base::SimulatedFileSystem files_{{.seed = base::TestSeed()}};
  base::ManualClock clock_{Timestamp::FromSeconds(1'000'000)};
  std::string folder_ = "d";
  SubscriptionLimits limits_;
  std::unique_ptr<log::LogWriter> writer_;
  std::shared_ptr<Subscription> subscription_;
};

TEST_F(SubscriptionTest, DeliversAgainWhenTheDeadlineIsOver) {
  Open();
  for (const char* data : {"1", "2", "3"}) Publish(data);
  const auto first = Take({.ack_deadline = std::chrono::seconds(10)});
  EXPECT_THAT(DataOf(first), ElementsAre("1", "2", "3"));
  clock_.Advance(std::chrono::seconds(9));
  EXPECT_THAT(Take(), IsEmpty());
  Modify({first[1]}, std::chrono::seconds(10));
  clock_.Advance(std::chrono::seconds(2));
  const auto second = Take({.ack_deadline = std::chrono::seconds(100)});
  EXPECT_THAT(DataOf(second), ElementsAre("1", "3"));
  clock_.Advance(std::chrono::seconds(8));
  EXPECT_THAT(DataOf(Take()), ElementsAre("2"));
  Modify({second[0]}, std::chrono::seconds(1));  // shortens it
  clock_.Advance(std::chrono::seconds(2));
  EXPECT_THAT(DataOf(Take()), ElementsAre("1"));
  Modify({second[0]}, std::chrono::seconds(0));  // of a delivery that is over
  EXPECT_THAT(Take(), IsEmpty());
}

TEST_F(SubscriptionTest, TakesADeadlineThatIsExtendedForEver) {
  Open();
  Publish("1");
  const auto taken = Take();
  for (int i = 0; i < 20'000; ++i) {
    Modify(taken, std::chrono::seconds(10));
    clock_.Advance(std::chrono::seconds(5));
  }
  EXPECT_THAT(Take(), IsEmpty());
  clock_.Advance(std::chrono::seconds(6));
  EXPECT_THAT(Take(), SizeIs(1));
}

TEST_F(SubscriptionTest, CountsWhatAPullerHas) {
  Open();
  for (int i = 0; i < 10; ++i) Publish(std::string(100, 'x'));
  const std::uint64_t by_count = subscription_->AddPuller({}, 3, 0);
  const auto taken = Take({.puller = by_count});
  EXPECT_THAT(taken, SizeIs(3));
  EXPECT_THAT(Take({.puller = by_count}), IsEmpty());
  Acknowledge({taken[0]});
  Modify({taken[1]}, Duration(0));
  EXPECT_THAT(Take({.puller = by_count}), SizeIs(2));
  clock_.Advance(std::chrono::seconds(11));  // all of them are over
  EXPECT_THAT(Take({.puller = by_count}), SizeIs(3));
  const std::uint64_t by_bytes = subscription_->AddPuller({}, 0, 250);
  EXPECT_THAT(Take({.puller = by_bytes}), SizeIs(2));
  EXPECT_THAT(Take({.puller = by_bytes}), SizeIs(1));  // one may go beyond
  EXPECT_THAT(Take({.puller = by_bytes}), IsEmpty());
  EXPECT_THAT(Take({.messages = 2}), SizeIs(2));
  subscription_->RemovePuller(by_bytes);
  EXPECT_THAT(Take({.puller = by_bytes}), IsEmpty());
}

TEST_F(SubscriptionTest, PassesOverWhatRetentionHasRemoved) {
  Open();
  subscription_.reset();
  writer_.reset();
  auto writer = log::LogWriter::Open(files_, folder_ + "/log", "t",
                                     {.sync = log::SyncPolicy::kAlways, .segment_bytes = 200, .retention_bytes = 1});
  ASSERT_TRUE(writer.ok()) << writer.status();
  writer_ = *std::move(writer);
  for (int i = 0; i < 20; ++i) Publish(std::to_string(i) + std::string(100, 'x'));
  Restart();
  const auto taken = Take({.messages = 1});
  ASSERT_THAT(taken, SizeIs(1));
  Modify(taken, Duration(0));
  ASSERT_GT(writer_->ApplyRetention().value(), 0);
  const std::int64_t start = writer_->Start()[0];
  ASSERT_GT(start, 1);
  subscription_->Rest();
  const auto left = Take();
  EXPECT_THAT(left, SizeIs(static_cast<std::size_t>(20 - start)));
  Acknowledge(left);
  EXPECT_THAT(subscription_->through(), ElementsAre(20));
}

// What a plain reading of Pub/Sub's promises says of the same calls.
struct PlainModel {
  struct Message {
    std::string data;
    std::string key;
    bool acked = false;
    bool leased = false;
    Duration deadline = {};
  };
  std::map<MessagePlace, Message> messages;

  // Whether it may be delivered now.
  testing::AssertionResult MayDeliver(const Delivered& one, Duration now, bool ordered) const {
    const auto found = messages.find(one.place);
    if (found == messages.end()) return testing::AssertionFailure() << one.data << " was never published";
    const Message& message = found->second;
    if (message.data != one.data || message.key != one.key)
      return testing::AssertionFailure() << one.data << " differs";
    if (message.acked) return testing::AssertionFailure() << one.data << " is acknowledged";
    if (message.leased && message.deadline > now) return testing::AssertionFailure() << one.data << " is leased";
    if (!ordered || one.key.empty()) return testing::AssertionSuccess();
    for (const auto& [place, other] : messages) {
      if (place < one.place && other.key == one.key && !other.acked) {
        return testing::AssertionFailure() << one.data << " before " << other.data << " of the key " << one.key;
      }
    }
    return testing::AssertionSuccess();
  }
};

class RandomCallsTest : public SubscriptionTest {
 protected:
  void PublishOne() {
    const std::string key = random_.Chance(0.3) ? "" : "k" + std::to_string(random_.Below(4));
    const std::string data = std::to_string(model_.messages.size());
    const auto appended = log::AppendAll(*writer_, {{.key = key, .data = data}});
    ASSERT_TRUE(appended.ok()) << appended.status();
    model_.messages[{.partition = (*appended)[0].partition, .offset = (*appended)[0].offset}] = {.data = data,
                                                                                                 .key = key};
  }
  void TakeSome() {
    const TakeLimits limits{.messages = random_.Between(1, 8), .ack_deadline = std::chrono::seconds(10)};
    for (const Delivered& one : Take(limits)) {
      ASSERT_TRUE(model_.MayDeliver(one, clock_.Monotonic(), ordered_));
      PlainModel::Message& message = model_.messages[one.place];
      message.leased = true;
      message.deadline = clock_.Monotonic() + limits.ack_deadline;
      held_.push_back(one);
    }
  }
  std::vector<Delivered> PickHeld() {
    std::vector<Delivered> picked;
    std::erase_if(held_, [&](const Delivered& one) {
      if (!random_.Chance(0.4)) return false;
      picked.push_back(one);
      return true;
    });
    return picked;
  }
  void AcknowledgeSome() {
    const std::vector<Delivered> picked = PickHeld();
    Acknowledge(picked);
    for (const Delivered& one : picked) model_.messages[one.place].acked = true;
  }
  void ModifySome() {
    const std::vector<Delivered> picked = PickHeld();
    const Duration deadline = std::chrono::seconds(random_.Chance(0.5) ? 0 : random_.Between(1, 30));
    Modify(picked, deadline);
    for (const Delivered& one : picked) {
      PlainModel::Message& message = model_.messages[one.place];
      // An id that is no longer the message's changes nothing: the earlier of both is what may be.
      const Duration ends = clock_.Monotonic() + deadline;
      message.deadline = std::min(message.deadline, ends);
      if (deadline > Duration(0)) held_.push_back(one);
    }
  }
  void Step() {
    const std::uint64_t kind = random_.Below(20);
    if (kind < 6) {
      PublishOne();
    } else if (kind < 11) {
      TakeSome();
    } else if (kind < 15) {
      AcknowledgeSome();
    } else if (kind < 17) {
      ModifySome();
    } else if (kind < 19) {
      clock_.Advance(std::chrono::seconds(random_.Between(0, 8)));
    } else {
      Restart();
      for (auto& [place, message] : model_.messages) message.leased = false;
    }
  }
  void Drain() {
    clock_.Advance(std::chrono::minutes(20));
    std::multiset<std::string> expected;
    for (auto& [place, message] : model_.messages) {
      message.leased = false;
      if (!message.acked) expected.insert(message.data);
    }
    std::multiset<std::string> found;
    for (auto taken = Take(); !taken.empty(); taken = Take()) {
      for (const Delivered& one : taken) {
        ASSERT_TRUE(model_.MayDeliver(one, clock_.Monotonic(), ordered_));
        found.insert(one.data);
      }
      Acknowledge(taken);
      for (const Delivered& one : taken) model_.messages[one.place].acked = true;
    }
    EXPECT_EQ(found, expected);
  }

  base::Random random_{base::TestSeed()};
  bool ordered_ = false;
  PlainModel model_;
  std::vector<Delivered> held_;
};

TEST_F(RandomCallsTest, KeepPromises) {
  SCOPED_TRACE("MILLRACE_TEST_SEED=" + std::to_string(base::TestSeed()));
  for (std::int64_t round = 0; round < base::TestRounds(30, 2'000) && !HasFailure(); ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    model_ = {};
    held_.clear();
    subscription_.reset();
    writer_.reset();
    folder_ = "round" + std::to_string(round);
    ordered_ = random_.Chance(0.5);
    Open(ordered_, static_cast<std::int32_t>(random_.Between(1, 3)));
    for (int step = 0; step < 200 && !HasFailure(); ++step) Step();
    Drain();
    Restart();
    EXPECT_THAT(Take(), IsEmpty());
  }
}

}  // namespace
}  // namespace millrace::pubsub
