#include "pubsub/grpc_streaming_pull.h"

#include <utility>

#include "base/status_macros.h"

namespace millrace::pubsub {

namespace {

constexpr std::int32_t kStreamDeadlineSecondsMin = 10;
constexpr std::int32_t kStreamDeadlineSecondsMax = 600;

std::vector<std::string_view> ViewsOf(const google::protobuf::RepeatedPtrField<std::string>& texts) {
  return {texts.begin(), texts.end()};
}

}  // namespace

bool OpenStreams::Add(const std::shared_ptr<PullStream>& stream) {
  const std::lock_guard lock(mutex_);
  if (closed_ || static_cast<int>(streams_.size()) >= max_) return false;
  streams_.push_back(stream);
  return true;
}

void OpenStreams::Remove(const PullStream* stream) {
  const std::lock_guard lock(mutex_);
  streams_.remove_if([&](const std::shared_ptr<PullStream>& one) { return one.get() == stream; });
}

void OpenStreams::Close(const grpc::Status& status) {
  std::list<std::shared_ptr<PullStream>> streams;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    streams = streams_;
  }
  for (const auto& stream : streams) stream->End(status);
}

PullStream* PullStream::Open(Broker& broker, const std::shared_ptr<OpenStreams>& streams) {
  const std::shared_ptr<PullStream> stream(new PullStream(broker, streams));
  stream->self_ = stream;
  if (streams->Add(stream)) {
    stream->StartRead(&stream->request_);
  } else {
    stream->End({grpc::StatusCode::RESOURCE_EXHAUSTED, "too many StreamingPulls are open, or the server is stopping"});
  }
  return stream.get();
}

void PullStream::OnReadDone(bool ok) {
  if (!ok) {  // the client has said all, or is gone
    End(grpc::Status::OK);
    return;
  }
  const Status taken = subscription_ == nullptr ? Begin() : TakeRequest();
  if (!taken.ok()) {
    End(ToGrpc(taken));
    return;
  }
  Wake();
  const std::lock_guard lock(mutex_);
  if (!ended_) StartRead(&request_);
}

// The first request says of what, and how.
Status PullStream::Begin() {
  MILLRACE_ASSIGN_OR_RETURN(const ResourceName name, ParseSubscriptionName(request_.subscription()));
  MILLRACE_ASSIGN_OR_RETURN(const std::shared_ptr<Subscription> subscription, broker_.FindSubscription(name));
  const SubscriptionSettings settings = subscription->settings();
  protocol_version_ = request_.protocol_version();
  {
    const std::lock_guard lock(mutex_);
    ack_deadline_ = std::chrono::seconds(settings.ack_deadline_seconds);
    ordered_ = settings.enable_message_ordering;
  }
  MILLRACE_RETURN_IF_ERROR(TakeDeadline());
  puller_ =
      subscription->AddPuller(weak_from_this(), request_.max_outstanding_messages(), request_.max_outstanding_bytes());
  subscription_ = subscription;
  const std::lock_guard lock(mutex_);
  open_ = true;
  return OkStatus();
}

Status PullStream::TakeDeadline() {
  const std::int32_t seconds = request_.stream_ack_deadline_seconds();
  if (seconds == 0) return OkStatus();
  if (seconds < kStreamDeadlineSecondsMin || seconds > kStreamDeadlineSecondsMax) {
    return InvalidArgumentError("stream_ack_deadline_seconds is from 10 to 600, not " + std::to_string(seconds));
  }
  const std::lock_guard lock(mutex_);
  ack_deadline_ = std::chrono::seconds(seconds);
  return OkStatus();
}

Status PullStream::TakeRequest() {
  if (!request_.subscription().empty()) {
    return InvalidArgumentError("only the first request of a StreamingPull names the subscription");
  }
  if (request_.modify_deadline_seconds_size() != request_.modify_deadline_ack_ids_size()) {
    return InvalidArgumentError("modify_deadline_seconds and modify_deadline_ack_ids have different lengths");
  }
  MILLRACE_RETURN_IF_ERROR(TakeDeadline());
  if (request_.ack_ids_size() > 0) {
    // Nobody is told when it is written, which is soon.
    MILLRACE_RETURN_IF_ERROR(subscription_->Acknowledge(ViewsOf(request_.ack_ids())).status());
  }
  for (int i = 0; i < request_.modify_deadline_ack_ids_size(); ++i) {
    const std::string_view id = request_.modify_deadline_ack_ids(i);
    const std::int32_t seconds = request_.modify_deadline_seconds(i);
    if (seconds < 0 || seconds > kStreamDeadlineSecondsMax) {
      return InvalidArgumentError("modify_deadline_seconds are from 0 to 600, not " + std::to_string(seconds));
    }
    MILLRACE_RETURN_IF_ERROR(subscription_->ModifyAckDeadline({&id, 1}, std::chrono::seconds(seconds)));
  }
  if (protocol_version_ >= 1 && request_.ack_ids_size() == 0 && request_.modify_deadline_ack_ids_size() == 0) {
    const std::lock_guard lock(mutex_);
    answers_ping_ = true;
  }
  return OkStatus();
}

void PullStream::Wake() {
  const std::lock_guard lock(mutex_);
  if (!open_ || writing_ || ended_) return;
  response_.Clear();
  const TakeLimits limits{.ack_deadline = ack_deadline_, .puller = puller_};
  const StatusOr<std::int64_t> taken = subscription_->Take(limits, [this](std::string ack_id, LogRecord& record) {
    ToProto(std::move(ack_id), record, response_.add_received_messages());
  });
  if (!taken.ok()) {
    EndLocked(ToGrpc(taken.status()));
    return;
  }
  if (*taken == 0 && !answers_ping_) return;
  answers_ping_ = false;
  response_.mutable_subscription_properties()->set_message_ordering_enabled(ordered_);
  writing_ = true;
  StartWrite(&response_);
}

void PullStream::OnWriteDone(bool ok) {
  {
    const std::lock_guard lock(mutex_);
    writing_ = false;
    if (ended_) {
      Finish(status_);
      return;
    }
    if (!ok) {
      EndLocked({grpc::StatusCode::CANCELLED, "the client is gone"});
      return;
    }
  }
  Wake();
}

void PullStream::OnCancel() { End({grpc::StatusCode::CANCELLED, "the client has ended the call"}); }

void PullStream::End(const grpc::Status& status) {
  const std::lock_guard lock(mutex_);
  EndLocked(status);
}

void PullStream::EndLocked(const grpc::Status& status) {
  if (ended_) return;
  ended_ = true;
  status_ = status;
  if (!writing_) Finish(status_);
}

void PullStream::OnDone() {
  if (subscription_ != nullptr) subscription_->RemovePuller(puller_);
  streams_->Remove(this);
  self_.reset();  // the last one, unless somebody is just waking it
}

}  // namespace millrace::pubsub
