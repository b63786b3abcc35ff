// pubsub_bench ADDRESS publish|pull MESSAGES MESSAGE_BYTES BATCH CALLS: one side of a Pub/Sub client over gRPC, as fast
// as it goes; for bench/pubsub/measure.py. Prints {"messages":N,"seconds":S}.
//
// `publish` has CALLS Publish requests of BATCH messages under way at a time. `pull` reads a StreamingPull and
// acknowledges each response on the stream, until MESSAGES came or 20 s are over.
#include <google/pubsub/v1/pubsub.grpc.pb.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace {

namespace api = google::pubsub::v1;
using Clock = std::chrono::steady_clock;

constexpr const char* kTopic = "projects/millrace/topics/bench";
constexpr const char* kSubscription = "projects/millrace/subscriptions/bench";
constexpr auto kPullMax = std::chrono::seconds(20);

struct BenchOptions {
  std::string address;
  std::int64_t messages = 0;
  std::size_t message_bytes = 0;
  std::int64_t batch = 0;
  int calls = 0;
};

struct Measured {
  std::int64_t messages = 0;
  double seconds = 0;
};

std::shared_ptr<grpc::Channel> ChannelTo(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

Measured Publish(const BenchOptions& options) {
  const auto stub = api::Publisher::NewStub(ChannelTo(options.address));
  std::atomic<std::int64_t> left = options.messages;
  std::atomic<std::int64_t> done = 0;
  const auto started = Clock::now();
  std::vector<std::thread> threads;
  for (int i = 0; i < options.calls; ++i) {
    threads.emplace_back([&] {
      api::PublishRequest request;
      request.set_topic(kTopic);
      while (true) {
        const std::int64_t count = std::min(options.batch, left.fetch_sub(options.batch));
        if (count <= 0) return;
        request.clear_messages();
        for (std::int64_t m = 0; m < count; ++m) {
          request.add_messages()->set_data(std::string(options.message_bytes, static_cast<char>('a' + m % 26)));
        }
        grpc::ClientContext context;
        api::PublishResponse response;
        const grpc::Status published = stub->Publish(&context, request, &response);
        if (!published.ok()) {
          std::cerr << "publish: " << published.error_message() << "\n";
          std::exit(1);
        }
        done += response.message_ids_size();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return {.messages = done, .seconds = std::chrono::duration<double>(Clock::now() - started).count()};
}

Measured Pull(const BenchOptions& options) {
  const auto stub = api::Subscriber::NewStub(ChannelTo(options.address));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kPullMax);
  const auto started = Clock::now();
  auto stream = stub->StreamingPull(&context);
  api::StreamingPullRequest request;
  request.set_subscription(kSubscription);
  request.set_stream_ack_deadline_seconds(60);
  request.set_max_outstanding_messages(10'000);
  stream->Write(request);
  Measured measured;
  api::StreamingPullResponse response;
  while (measured.messages < options.messages && stream->Read(&response)) {
    api::StreamingPullRequest acks;
    for (const auto& message : response.received_messages()) acks.add_ack_ids(message.ack_id());
    measured.messages += response.received_messages_size();
    if (acks.ack_ids_size() > 0) stream->Write(acks);
  }
  measured.seconds = std::chrono::duration<double>(Clock::now() - started).count();
  stream->WritesDone();
  context.TryCancel();
  return measured;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 7) {
    std::cerr << "pubsub_bench ADDRESS publish|pull MESSAGES MESSAGE_BYTES BATCH CALLS\n";
    return 2;
  }
  const BenchOptions options{.address = argv[1],
                             .messages = std::atoll(argv[3]),
                             .message_bytes = static_cast<std::size_t>(std::atoll(argv[4])),
                             .batch = std::atoll(argv[5]),
                             .calls = std::atoi(argv[6])};
  const Measured measured = std::string(argv[2]) == "publish" ? Publish(options) : Pull(options);
  std::cout << "{\"messages\":" << measured.messages << ",\"seconds\":" << measured.seconds << "}\n";
  return 0;
}
