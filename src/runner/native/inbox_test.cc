#include "runner/native/inbox.h"

#include <gtest/gtest.h>

#include <thread>

namespace millrace::native {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Steady = std::chrono::steady_clock;

Message BatchFor(int node, std::int64_t value) {
  auto batch = std::make_unique<detail::Batch<std::int64_t>>();
  batch->values.Append(value);
  batch->timestamps.Append(Timestamp::FromMicros(value));
  return {.node = node, .from = 1, .batch = std::move(batch), .watermark = {}};
}
Message WatermarkFor(int node, std::int64_t micros) {
  return {.node = node, .from = 1, .batch = nullptr, .watermark = Timestamp::FromMicros(micros)};
}
std::int64_t ValueOf(const Message& message) {
  return static_cast<const detail::Batch<std::int64_t>&>(*message.batch).values[0];
}

TEST(InboxTest, TheLastOperatorIsServedFirstAndInOrder) {
  Inbox inbox(3, 10);
  for (const int node : {0, 2, 1, 2}) {
    Message message = BatchFor(node, node * 10);
    ASSERT_TRUE(inbox.TrySend(message, nullptr));
  }
  Message late = BatchFor(2, 99);
  ASSERT_TRUE(inbox.TrySend(late, nullptr));
  std::vector<std::int64_t> order;
  while (const auto message = inbox.TryReceive(1)) order.push_back(ValueOf(*message));
  EXPECT_EQ(order, (std::vector<std::int64_t>{20, 20, 99, 10}));  // not operator 0: it is before the first asked for
  EXPECT_EQ(ValueOf(inbox.TryReceive(0).value()), 0);
  EXPECT_FALSE(inbox.TryReceive(0).has_value());
}

TEST(InboxTest, AFullQueueRefusesBatchesButTakesWatermarks) {
  Inbox inbox(2, 1);
  Message first = BatchFor(0, 1);
  Message second = BatchFor(0, 2);
  Message other = BatchFor(1, 3);
  Message watermark = WatermarkFor(0, 7);
  ASSERT_TRUE(inbox.TrySend(first, nullptr));
  EXPECT_FALSE(inbox.TrySend(second, nullptr));
  ASSERT_NE(second.batch, nullptr);  // untouched
  EXPECT_EQ(ValueOf(second), 2);
  EXPECT_TRUE(inbox.TrySend(other, nullptr));  // queues are per operator
  EXPECT_TRUE(inbox.TrySend(watermark, nullptr));
  EXPECT_EQ(ValueOf(inbox.TryReceive(0).value()), 3);
  EXPECT_EQ(ValueOf(inbox.TryReceive(0).value()), 1);
  EXPECT_TRUE(inbox.TrySend(second, nullptr));
  EXPECT_EQ(inbox.TryReceive(0)->watermark, Timestamp::FromMicros(7));  // before the batch that was sent after it
  EXPECT_EQ(ValueOf(inbox.TryReceive(0).value()), 2);
}

TEST(InboxTest, WaitingEndsForAMessageAWakeAndTheLimit) {
  Inbox inbox(3, 1);
  auto start = Steady::now();
  inbox.Wait(0, milliseconds(20));
  EXPECT_GE(Steady::now() - start, milliseconds(20));

  // A message for an earlier operator is none for who waits for a later one.
  Message early = BatchFor(0, 1);
  ASSERT_TRUE(inbox.TrySend(early, nullptr));
  start = Steady::now();
  inbox.Wait(1, milliseconds(20));
  EXPECT_GE(Steady::now() - start, milliseconds(20));
  start = Steady::now();
  inbox.Wait(0, seconds(30));
  EXPECT_LT(Steady::now() - start, seconds(20));

  inbox.Wake();
  inbox.Wait(1, seconds(30));
  EXPECT_LT(Steady::now() - start, seconds(20));
}

TEST(InboxTest, ASenderIsWokenWhenThereIsRoom) {
  Inbox receiver(1, 1);
  Inbox sender(1, 1);
  Message first = BatchFor(0, 1);
  Message second = BatchFor(0, 2);
  ASSERT_TRUE(receiver.TrySend(first, &sender));
  ASSERT_FALSE(receiver.TrySend(second, &sender));
  ASSERT_FALSE(receiver.TrySend(second, &sender));
  std::thread thread([&] {
    std::this_thread::sleep_for(milliseconds(5));
    receiver.TryReceive(0);
  });
  const auto start = Steady::now();
  sender.Wait(0, seconds(30));
  EXPECT_LT(Steady::now() - start, seconds(20));
  thread.join();
  EXPECT_TRUE(receiver.TrySend(second, &sender));
}

TEST(InboxTest, ManySendersLoseNothingAndKeepTheirOrder) {
  constexpr int kSenders = 4;
  constexpr std::int64_t kEach = 2'000;
  Inbox receiver(2, 2);
  std::vector<std::unique_ptr<Inbox>> own;
  std::vector<std::thread> threads;
  for (int s = 0; s < kSenders; ++s) {
    own.push_back(std::make_unique<Inbox>(2, 2));
    threads.emplace_back([&receiver, inbox = own.back().get(), s] {
      for (std::int64_t i = 0; i < kEach; ++i) {
        Message message = BatchFor(static_cast<int>(i % 2), i);
        message.from = s;
        while (!receiver.TrySend(message, inbox)) inbox->Wait(0, seconds(1));
      }
    });
  }
  std::vector<std::array<std::int64_t, 2>> last(kSenders, {-1, -1});
  std::int64_t received = 0;
  const auto deadline = Steady::now() + seconds(60);
  while (received < kSenders * kEach && Steady::now() < deadline) {
    const auto message = receiver.TryReceive(0);
    if (!message) {
      receiver.Wait(0, seconds(1));
      continue;
    }
    ++received;
    auto& before = last[static_cast<std::size_t>(message->from)][static_cast<std::size_t>(message->node)];
    EXPECT_LT(before, ValueOf(*message));
    before = ValueOf(*message);
  }
  EXPECT_EQ(received, kSenders * kEach);
  for (auto& thread : threads) thread.join();
}

}  // namespace
}  // namespace millrace::native
