// Publishing, delivery and acknowledgements, over gRPC.
#include <gmock/gmock.h>

#include <set>
#include <thread>

#include "log/holds.h"
#include "log/log_samples.h"
#include "pubsub/publish_json.h"
#include "pubsub/server_fixture.h"

namespace millrace::pubsub {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

// A StreamingPull, read by a thread of its own.
class Stream {
 public:
  Stream(api::Subscriber::Stub& stub, const api::StreamingPullRequest& first) : call_(stub.StreamingPull(&context_)) {
    call_->Write(first);
    reader_ = std::thread([this] {
      api::StreamingPullResponse response;
      while (call_->Read(&response)) {
        const std::lock_guard lock(mutex_);
        ++responses_;
        for (const auto& message : response.received_messages()) messages_.push_back(message);
      }
    });
  }
  ~Stream() { End(); }

  void Write(const api::StreamingPullRequest& request) { call_->Write(request); }
  void Acknowledge(const std::vector<api::ReceivedMessage>& messages) {
    api::StreamingPullRequest request;
    for (const auto& message : messages) request.add_ack_ids(message.ack_id());
    Write(request);
  }
  std::vector<api::ReceivedMessage> messages() {
    const std::lock_guard lock(mutex_);
    return messages_;
  }
  std::size_t size() { return messages().size(); }
  int responses() {
    const std::lock_guard lock(mutex_);
    return responses_;
  }
  // Until there are so many; false after some seconds.
  bool Await(std::size_t count) {
    for (int i = 0; i < 2'000 && size() < count; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return size() >= count;
  }
  grpc::Status End() {
    if (!reader_.joinable()) return status_;
    call_->WritesDone();
    return Wait();
  }
  // For the server to end it.
  grpc::Status Wait() {
    reader_.join();
    status_ = call_->Finish();
    return status_;
  }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<api::StreamingPullRequest, api::StreamingPullResponse>> call_;
  std::thread reader_;
  grpc::Status status_;
  std::mutex mutex_;
  int responses_ = 0;
  std::vector<api::ReceivedMessage> messages_;
};

api::StreamingPullRequest FirstRequest(std::int64_t messages_max = 0, std::int64_t bytes_max = 0) {
  api::StreamingPullRequest request;
  request.set_subscription(kSubscription);
  request.set_stream_ack_deadline_seconds(10);
  request.set_max_outstanding_messages(messages_max);
  request.set_max_outstanding_bytes(bytes_max);
  return request;
}

TEST_F(ServerTest, DeliversWhatWasPublished) {
  CreateBoth();
  const std::vector<std::string> ids =
      Publish({Message("a", "", {{"x", "1"}, {"y", ""}}), Message(std::string("\0\xff", 2), "key"), Message("c")});
  EXPECT_THAT(ids, SizeIs(3));
  const auto messages = PullAll(3);
  ASSERT_THAT(messages, SizeIs(3));
  EXPECT_THAT(DataOf(messages), UnorderedElementsAre("a", std::string("\0\xff", 2), "c"));
  std::set<std::string> found;
  const std::int64_t now_s = base::SystemClock().Now().micros() / 1'000'000;
  for (const auto& received : messages) {
    const api::PubsubMessage& message = received.message();
    found.insert(message.message_id());
    EXPECT_NEAR(static_cast<double>(message.publish_time().seconds()), static_cast<double>(now_s), 60);
    EXPECT_EQ(message.attributes_size(), message.data() == "a" ? 2 : 0);
    EXPECT_EQ(message.ordering_key(), message.data().size() == 2 ? "key" : "");
    EXPECT_EQ(received.delivery_attempt(), 0);
  }
  EXPECT_EQ(found, std::set<std::string>(ids.begin(), ids.end()));
}

TEST_F(ServerTest, DeliversNothingThatWasPublishedBeforeTheSubscription) {
  ASSERT_TRUE(CreateTopic().ok());
  PublishData({"before", "before too"});
  ASSERT_TRUE(Create(SubscriptionOf(kSubscription)).ok());
  PublishData({"after"});
  EXPECT_THAT(DataOf(PullAll(1)), ElementsAre("after"));
}

TEST_F(ServerTest, RedeliversWhatIsNotAcknowledgedAndNothingThatIs) {
  CreateBoth();
  PublishData({"1", "2", "3", "4"});
  const auto first = PullAll(4);
  ASSERT_THAT(first, SizeIs(4));
  EXPECT_THAT(Pull(), IsEmpty());
  ASSERT_TRUE(Acknowledge({first[1]}).ok());
  ASSERT_TRUE(Modify({first[0], first[1], first[2], first[3]}, 0).ok());
  const auto second = PullAll(3);
  EXPECT_THAT(DataOf(second),
              UnorderedElementsAre(first[0].message().data(), first[2].message().data(), first[3].message().data()));
  // An id of a delivery that is over does not touch the one that goes on, but acknowledges the message.
  ASSERT_TRUE(Modify({first[0]}, 0).ok());
  EXPECT_THAT(Pull(), IsEmpty());
  ASSERT_TRUE(Acknowledge(first).ok());
  Restart();
  EXPECT_THAT(Pull(), IsEmpty());
}

TEST_F(ServerTest, KeepsAcknowledgementsAcrossRestarts) {
  CreateBoth();
  std::vector<std::string> data;
  for (int i = 0; i < 500; ++i) data.push_back(std::to_string(i));
  PublishData(data);
  const auto messages = PullAll(500);
  ASSERT_THAT(messages, SizeIs(500));
  std::set<std::string> left(data.begin(), data.end());
  for (std::size_t i = 0; i < messages.size(); i += 7) {
    ASSERT_TRUE(Acknowledge({messages[i]}).ok());
    left.erase(messages[i].message().data());
  }
  Restart();
  const auto again = PullAll(left.size());
  const std::vector<std::string> found = DataOf(again);
  EXPECT_EQ(std::set<std::string>(found.begin(), found.end()), left);
  EXPECT_EQ(found.size(), left.size());
  // An id from before the restart acknowledges as well.
  ASSERT_TRUE(Acknowledge(messages).ok());
  ASSERT_TRUE(Modify(again, 0).ok());
  EXPECT_THAT(Pull(), IsEmpty());
}

TEST_F(ServerTest, WaitsForMessages) {
  CreateBoth();
  std::thread later([this] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    PublishData({"late"});
  });
  const auto started = std::chrono::steady_clock::now();
  EXPECT_THAT(DataOf(Pull(10, true)), ElementsAre("late"));
  EXPECT_LT(std::chrono::steady_clock::now() - started, std::chrono::seconds(4));
  later.join();
}

TEST_F(ServerTest, OrdersMessagesOfAKey) {
  CreateBoth(true);
  PublishData({"a1", "a2", "a3"}, "a");
  PublishData({"b1", "b2"}, "b");
  PublishData({"free1", "free2"});
  auto first = PullAll(4);
  EXPECT_THAT(DataOf(first), UnorderedElementsAre("a1", "b1", "free1", "free2"));
  EXPECT_THAT(Pull(), IsEmpty());
  const auto is_key = [](const std::string& key) {
    return [key](const api::ReceivedMessage& message) { return message.message().ordering_key() == key; };
  };
  const auto a1 = *std::find_if(first.begin(), first.end(), is_key("a"));
  const auto b1 = *std::find_if(first.begin(), first.end(), is_key("b"));
  ASSERT_TRUE(Modify({a1}, 0).ok());
  const auto again = Pull();
  EXPECT_THAT(DataOf(again), ElementsAre("a1"));
  ASSERT_TRUE(Acknowledge({b1}).ok());
  EXPECT_THAT(DataOf(Pull()), ElementsAre("b2"));
  ASSERT_TRUE(Acknowledge(again).ok());
  const auto a2 = Pull();
  EXPECT_THAT(DataOf(a2), ElementsAre("a2"));
  ASSERT_TRUE(Acknowledge(a2).ok());
  EXPECT_THAT(DataOf(Pull()), ElementsAre("a3"));
  Restart();  // all deliveries are void, the order is not
  EXPECT_THAT(DataOf(PullAll(4)), UnorderedElementsAre("a3", "b2", "free1", "free2"));
}

TEST_F(ServerTest, DeliversEachMessageToOnePuller) {
  CreateBoth();
  std::vector<std::unique_ptr<Stream>> streams;
  for (int i = 0; i < 3; ++i) streams.push_back(std::make_unique<Stream>(*subscriber_, FirstRequest(50)));
  std::multiset<std::string> expected;
  for (int i = 0; i < 20; ++i) {
    std::vector<std::string> data;
    for (int j = 0; j < 50; ++j) data.push_back(std::to_string(i * 50 + j));
    expected.insert(data.begin(), data.end());
    PublishData(data);
  }
  std::multiset<std::string> found;
  std::vector<std::size_t> acked(3);
  for (int round = 0; round < 2'000 && found.size() < expected.size(); ++round) {
    for (std::size_t i = 0; i < streams.size(); ++i) {
      auto messages = streams[i]->messages();
      messages.erase(messages.begin(), messages.begin() + static_cast<std::ptrdiff_t>(acked[i]));
      if (messages.empty()) continue;
      EXPECT_LE(messages.size(), 50);
      acked[i] += messages.size();
      for (const std::string& data : DataOf(messages)) found.insert(data);
      streams[i]->Acknowledge(messages);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  EXPECT_EQ(found, expected);
  for (const auto& stream : streams) EXPECT_GT(stream->size(), 0);
}

TEST_F(ServerTest, KeepsToTheLimitsOfAStream) {
  CreateBoth();
  Stream stream(*subscriber_, FirstRequest(3));
  PublishData({"1", "2", "3", "4", "5", "6", "7"});
  ASSERT_TRUE(stream.Await(3));
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  ASSERT_EQ(stream.size(), 3);
  stream.Acknowledge(stream.messages());
  ASSERT_TRUE(stream.Await(6));
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_EQ(stream.size(), 6);
  EXPECT_TRUE(stream.End().ok());

  ASSERT_TRUE(SeekTo(base::SystemClock().Now()).ok());
  Stream by_bytes(*subscriber_, FirstRequest(0, 2'500));
  PublishData({std::string(1'000, 'a'), std::string(1'000, 'b'), std::string(1'000, 'c'), std::string(9'000, 'd')});
  ASSERT_TRUE(by_bytes.Await(2));
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_LE(by_bytes.size(), 3);
  std::size_t acked = 0;
  for (int i = 0; i < 2'000 && acked < 4; ++i) {
    auto messages = by_bytes.messages();
    messages.erase(messages.begin(), messages.begin() + static_cast<std::ptrdiff_t>(acked));
    acked += messages.size();
    if (!messages.empty()) by_bytes.Acknowledge(messages);
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  EXPECT_EQ(acked, 4);
}

TEST_F(ServerTest, TakesDeadlinesOnAStream) {
  CreateBoth();
  Stream stream(*subscriber_, FirstRequest());
  PublishData({"1"});
  ASSERT_TRUE(stream.Await(1));
  api::StreamingPullRequest nack;
  nack.add_modify_deadline_ack_ids(stream.messages()[0].ack_id());
  nack.add_modify_deadline_seconds(0);
  stream.Write(nack);
  ASSERT_TRUE(stream.Await(2));
  EXPECT_EQ(stream.messages()[1].message().message_id(), stream.messages()[0].message().message_id());
  stream.Acknowledge({stream.messages()[1]});
  nack.add_modify_deadline_seconds(0);
  stream.Write(nack);
  const grpc::Status ended = stream.Wait();
  EXPECT_EQ(ended.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << ended.error_message();
  // What was acknowledged on the stream is kept, too.
  Restart();
  EXPECT_THAT(Pull(), IsEmpty());
}

TEST_F(ServerTest, AnswersPingsOfNewerClients) {
  CreateBoth();
  api::StreamingPullRequest first = FirstRequest();
  first.set_protocol_version(1);
  Stream stream(*subscriber_, first);
  stream.Write({});
  for (int i = 0; i < 1'000 && stream.responses() == 0; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_EQ(stream.responses(), 1);
  EXPECT_THAT(stream.messages(), IsEmpty());
}

TEST_F(ServerTest, RefusesWhatNoStreamMayBe) {
  CreateBoth();
  api::StreamingPullRequest other = FirstRequest();
  other.set_subscription("projects/p/subscriptions/none");
  EXPECT_EQ(Stream(*subscriber_, other).Wait().error_code(), grpc::StatusCode::NOT_FOUND);
  api::StreamingPullRequest brief = FirstRequest();
  brief.set_stream_ack_deadline_seconds(5);
  EXPECT_EQ(Stream(*subscriber_, brief).Wait().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  Stream stream(*subscriber_, FirstRequest());
  stream.Write(FirstRequest());
  EXPECT_EQ(stream.Wait().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(ServerTest, EndsStreamsWhenItStopsOrTheSubscriptionGoes) {
  CreateBoth();
  Stream deleted(*subscriber_, FirstRequest());
  PublishData({"1"});
  ASSERT_TRUE(deleted.Await(1));
  ASSERT_TRUE(Delete(kSubscription).ok());
  EXPECT_EQ(deleted.Wait().error_code(), grpc::StatusCode::NOT_FOUND);
  ASSERT_TRUE(Create(SubscriptionOf(kSubscription)).ok());
  Stream stopped(*subscriber_, FirstRequest());
  PublishData({"2"});
  ASSERT_TRUE(stopped.Await(1));
  server_.reset();
  EXPECT_EQ(stopped.Wait().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(ServerTest, SeeksByTimeInBothDirections) {
  CreateBoth();
  PublishData({"1", "2", "3"});
  ASSERT_TRUE(Acknowledge(PullAll(3)).ok());
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  const Timestamp between = base::SystemClock().Now();
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  PublishData({"4", "5"});
  const auto before = PullAll(2);
  ASSERT_TRUE(Acknowledge({before[0]}).ok());

  ASSERT_TRUE(SeekTo(between).ok());
  const auto back = PullAll(2);
  EXPECT_THAT(DataOf(back), UnorderedElementsAre("4", "5"));
  ASSERT_TRUE(Acknowledge(before).ok());  // of a delivery before the seek: counts no more
  ASSERT_TRUE(Modify(back, 0).ok());
  EXPECT_THAT(PullAll(2), SizeIs(2));

  ASSERT_TRUE(SeekTo(Timestamp::FromSeconds(0)).ok());
  Restart();  // a seek is durable
  EXPECT_THAT(DataOf(PullAll(5)), UnorderedElementsAre("1", "2", "3", "4", "5"));

  ASSERT_TRUE(SeekTo(base::SystemClock().Now() + std::chrono::hours(1)).ok());
  PublishData({"6"});  // published before that time: it counts as acknowledged
  EXPECT_THAT(Pull(), IsEmpty());
  ASSERT_TRUE(SeekTo(between).ok());
  EXPECT_THAT(DataOf(PullAll(3)), UnorderedElementsAre("4", "5", "6"));
}

TEST_F(ServerTest, SeeksToSnapshots) {
  CreateBoth();
  PublishData({"1", "2", "3"});
  const auto messages = PullAll(3);
  ASSERT_TRUE(Acknowledge({messages[1]}).ok());
  api::Snapshot snapshot;
  const std::string name = "projects/p/snapshots/before_deploy";
  ASSERT_TRUE(Snapshot(name, &snapshot).ok());
  EXPECT_EQ(snapshot.topic(), kTopic);
  EXPECT_GT(snapshot.expire_time().seconds(), base::SystemClock().Now().micros() / 1'000'000);
  EXPECT_EQ(Snapshot(name, &snapshot).error_code(), grpc::StatusCode::ALREADY_EXISTS);
  ASSERT_TRUE(Acknowledge(messages).ok());
  PublishData({"4"});
  ASSERT_TRUE(Acknowledge(PullAll(1)).ok());
  Restart();
  ASSERT_TRUE(SeekTo(name).ok());
  EXPECT_THAT(DataOf(PullAll(3)),
              UnorderedElementsAre(messages[0].message().data(), messages[2].message().data(), "4"));

  api::ListSnapshotsRequest list;
  list.set_project("projects/p");
  api::ListSnapshotsResponse listed;
  ASSERT_TRUE(Call(*subscriber_, &api::Subscriber::Stub::ListSnapshots, list, &listed).ok());
  EXPECT_EQ(listed.snapshots_size(), 1);
  api::UpdateSnapshotRequest update;
  update.mutable_snapshot()->set_name(name);
  (*update.mutable_snapshot()->mutable_labels())["a"] = "b";
  update.mutable_update_mask()->add_paths("labels");
  ASSERT_TRUE(Call(*subscriber_, &api::Subscriber::Stub::UpdateSnapshot, update, &snapshot).ok());
  api::GetSnapshotRequest get;
  get.set_snapshot(name);
  ASSERT_TRUE(Call(*subscriber_, &api::Subscriber::Stub::GetSnapshot, get, &snapshot).ok());
  EXPECT_EQ(snapshot.labels().at("a"), "b");
  api::DeleteSnapshotRequest remove;
  remove.set_snapshot(name);
  ASSERT_TRUE(Call(*subscriber_, &api::Subscriber::Stub::DeleteSnapshot, remove).ok());
  EXPECT_EQ(SeekTo(name).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(ServerTest, StoresEachSequenceOfAProducerOnce) {
  CreateBoth();
  const auto sequenced = [](int from, int to) {
    std::vector<api::PubsubMessage> messages;
    for (int i = from; i < to; ++i) {
      messages.push_back(
          Message(std::to_string(i), "", {{kProducerAttribute, "me"}, {kSequenceAttribute, std::to_string(i)}}));
    }
    return messages;
  };
  const auto first = Publish(sequenced(0, 5));
  EXPECT_EQ(Publish(sequenced(0, 5)), first);
  Publish(sequenced(3, 8));
  Restart();
  Publish(sequenced(0, 8));
  const auto messages = PullAll(8);
  EXPECT_THAT(DataOf(messages), UnorderedElementsAre("0", "1", "2", "3", "4", "5", "6", "7"));
  for (const auto& message : messages) EXPECT_EQ(message.message().attributes_size(), 0);
  EXPECT_THAT(Pull(), IsEmpty());
  api::PublishResponse response;
  const grpc::Status gap = Publish(sequenced(20, 21), &response);
  EXPECT_EQ(gap.error_code(), grpc::StatusCode::FAILED_PRECONDITION) << gap.error_message();
  EXPECT_EQ(Publish({Message("x", "", {{kProducerAttribute, "me"}})}, &response).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(ServerTest, TakesTheEventTimeFromAnAttribute) {
  CreateBoth();
  Publish({Message("x", "", {{kEventTimeAttribute, "2001-01-01T12:30:00.5Z"}}), Message("y")});
  auto records = log::ReadTopicRecords(base::PosixFileSystem(), folder_ + "/log", "clicks");
  ASSERT_TRUE(records.ok()) << records.status();
  for (const auto& partition : *records) {
    for (const LogRecord& record : partition) {
      const bool is_given = record.data == "x";
      const Timestamp expected = is_given ? *Timestamp::Parse("2001-01-01T12:30:00.5Z") : record.publish_time;
      EXPECT_LT(expected - record.event_time, is_given ? Duration(1) : std::chrono::seconds(10));
      EXPECT_GE(expected, record.event_time);
    }
  }
  for (const auto& message : PullAll(2)) {  // attributes are delivered as they were published
    EXPECT_EQ(message.message().attributes_size(), message.message().data() == "x" ? 1 : 0);
  }
  api::PublishResponse response;
  const grpc::Status wrong = Publish({Message("x", "", {{kEventTimeAttribute, "noon"}})}, &response);
  EXPECT_EQ(wrong.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(wrong.error_message(), HasSubstr("millrace.event_time"));
}

TEST_F(ServerTest, TakesTurnsWithOtherWriters) {
  writer_idle_after_ = std::chrono::milliseconds(1);
  Restart();
  CreateBoth();
  PublishData({"1"});
  std::unique_ptr<log::LogWriter> other;
  for (int i = 0; i < 1'000 && other == nullptr; ++i) {  // it is given back when it was idle
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    auto writer = log::LogWriter::Open(base::PosixFileSystem(), folder_ + "/log", "clicks", {.holder = "the other"});
    if (writer.ok()) other = *std::move(writer);
  }
  ASSERT_NE(other, nullptr);
  ASSERT_TRUE(log::AppendAll(*other, {{.data = "2"}}).ok());
  api::PublishResponse response;
  const grpc::Status busy = Publish({Message("3")}, &response);
  EXPECT_EQ(busy.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(busy.error_message(), HasSubstr("the other"));
  EXPECT_THAT(DataOf(PullAll(2)), UnorderedElementsAre("1", "2"));
  ASSERT_TRUE(other->Close().ok());
  other.reset();
  PublishData({"3"});
  EXPECT_THAT(DataOf(PullAll(1)), ElementsAre("3"));
}

TEST_F(ServerTest, HoldsRetentionBack) {
  partitions_ = 1;
  Restart();
  CreateBoth();
  PublishData({"1", "2", "3"});
  auto holds = log::ListHolds(base::PosixFileSystem(), folder_ + "/log", "clicks");
  ASSERT_TRUE(holds.ok()) << holds.status();
  ASSERT_THAT(*holds, SizeIs(1));
  EXPECT_THAT((*holds)[0].next_offsets, ElementsAre(0));
  const auto messages = PullAll(3);
  ASSERT_TRUE(Acknowledge({messages[0], messages[1]}).ok());
  for (int i = 0; i < 1'000 && (*holds)[0].next_offsets[0] == 0; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    holds = log::ListHolds(base::PosixFileSystem(), folder_ + "/log", "clicks");
    ASSERT_TRUE(holds.ok()) << holds.status();
  }
  EXPECT_THAT((*holds)[0].next_offsets, ElementsAre(2));
  ASSERT_TRUE(Delete(kSubscription).ok());
  EXPECT_THAT(*log::ListHolds(base::PosixFileSystem(), folder_ + "/log", "clicks"), IsEmpty());
}

TEST_F(ServerTest, DeliversNoMoreThanItsLimitWithoutAcknowledgements) {
  limits_.unacked_messages_max = 10;
  Restart();
  CreateBoth();
  std::vector<std::string> data;
  for (int i = 0; i < 30; ++i) data.push_back(std::to_string(i));
  PublishData(data);
  std::set<std::string> found;
  for (int i = 0; i < 3; ++i) {
    const auto messages = PullAll(10);
    EXPECT_THAT(messages, SizeIs(10));
    EXPECT_THAT(Pull(), IsEmpty());
    for (const std::string& one : DataOf(messages)) found.insert(one);
    ASSERT_TRUE(Acknowledge(messages).ok());
  }
  EXPECT_THAT(found, SizeIs(30));
}

TEST_F(ServerTest, PublishesJson) {
  CreateBoth();
  const auto published =
      PublishJson(server_->broker(), kTopic,
                  R"({"messages":[{"data":"aGVsbG8=","attributes":{"a":"b"}},{"data":"aGk=","orderingKey":"k"}]})");
  ASSERT_TRUE(published.ok()) << published.status();
  EXPECT_THAT(*published, ::testing::MatchesRegex("\\{\"messageIds\":\\[\"[01]-0\",\"[01]-[01]\"\\]\\}\n"));
  const auto messages = PullAll(2);
  EXPECT_THAT(DataOf(messages), UnorderedElementsAre("hello", "hi"));
  EXPECT_EQ(PublishJson(server_->broker(), kTopic, R"({"messages":[{"data":"?"}]})").status().code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(
      PublishJson(server_->broker(), "projects/p/topics/none", R"({"messages":[{"data":"aGk="}]})").status().code(),
      StatusCode::kNotFound);
}

}  // namespace
}  // namespace millrace::pubsub
