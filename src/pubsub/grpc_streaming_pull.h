// A StreamingPull: messages as they come, within the client's limits; acknowledgements on the way back.
#pragma once

#include <google/pubsub/v1/pubsub.pb.h>
#include <grpcpp/support/server_callback.h>

#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "pubsub/grpc_messages.h"

namespace millrace::pubsub {

class PullStream;

/// The streams that are open, for their number and their end. Thread safe.
class OpenStreams {
 public:
  explicit OpenStreams(int max) : max_(max) {}
  /// False when there are too many, or no more are taken.
  bool Add(const std::shared_ptr<PullStream>& stream);
  void Remove(const PullStream* stream);
  /// Ends all with `status` and takes no more.
  void Close(const grpc::Status& status);

 private:
  const int max_;
  std::mutex mutex_;
  bool closed_ = false;
  std::list<std::shared_ptr<PullStream>> streams_;
};

/// One stream. Its methods are called by gRPC's threads and by those that wake it; it needs none while it is idle.
class PullStream final : public grpc::ServerBidiReactor<api::StreamingPullRequest, api::StreamingPullResponse>,
                         public Puller,
                         public std::enable_shared_from_this<PullStream> {
 public:
  /// Lives until the call is done.
  static PullStream* Open(Broker& broker, const std::shared_ptr<OpenStreams>& streams);

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;
  void Wake() override;

  /// Answers no more; once.
  void End(const grpc::Status& status);

 private:
  PullStream(Broker& broker, std::shared_ptr<OpenStreams> streams) : broker_(broker), streams_(std::move(streams)) {}

  Status Begin();
  Status TakeRequest();
  Status TakeDeadline();
  void EndLocked(const grpc::Status& status);

  Broker& broker_;
  const std::shared_ptr<OpenStreams> streams_;
  std::shared_ptr<PullStream> self_;  // until OnDone
  api::StreamingPullRequest request_;
  std::shared_ptr<Subscription> subscription_;  // from the first request on
  std::uint64_t puller_ = 0;
  std::int64_t protocol_version_ = 0;

  std::mutex mutex_;
  api::StreamingPullResponse response_;
  Duration ack_deadline_ = {};
  bool ordered_ = false;
  bool open_ = false;  // the first request was taken
  bool writing_ = false;
  bool answers_ping_ = false;
  bool ended_ = false;
  grpc::Status status_;  // to be sent when the response is written
};

}  // namespace millrace::pubsub
