#include "pubsub/subscription.h"

#include <algorithm>
#include <utility>

#include "base/status_macros.h"
#include "pubsub/resource_name.h"

namespace millrace::pubsub {

namespace {

constexpr Duration kActiveAfterPull = std::chrono::seconds(30);
constexpr std::size_t kExpiriesSlack = 1'000;

std::string LogTopicOf(const SubscriptionSettings& settings) {
  StatusOr<ResourceName> topic = ParseTopicName(settings.topic);
  return topic.ok() ? std::move(topic->id) : std::string();
}

std::int64_t BytesOf(const log::RecordView& view) {
  return static_cast<std::int64_t>(view.data.size() + view.key.size() + view.encoded_attributes.size());
}

}  // namespace

// One call of Take.
struct Subscription::Taking {
  TakeLimits limits;
  const Deliver& deliver;
  Duration now;
  std::int64_t messages = 0;
  std::int64_t bytes = 0;
  std::int64_t scanned = 0;
  LogRecord record = {};

  bool HasRoomFor(std::int64_t more) const {
    return messages < limits.messages && (messages == 0 || bytes + more <= limits.bytes);
  }
  bool is_full() const { return messages >= limits.messages || bytes >= limits.bytes; }
};

Subscription::Subscription(std::unique_ptr<StateJournal> journal, SubscriptionState state,
                           std::unique_ptr<RecordFeed> feed, const base::WallClock& clock, SubscriptionLimits limits)
    : journal_(std::move(journal)),
      clock_(clock),
      limits_(limits),
      log_topic_(LogTopicOf(state.settings)),
      state_(std::move(state)),
      feed_(std::move(feed)),
      lease_count_(static_cast<std::uint64_t>(clock.Now().micros()) << 4) {
  journal_->SetCurrentState([this] { return this->state(); });
}

SubscriptionSettings Subscription::settings() const {
  const std::lock_guard lock(mutex_);
  return state_.settings;
}

SubscriptionState Subscription::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

log::Cut Subscription::through() const {
  const std::lock_guard lock(mutex_);
  return state_.through();
}

bool Subscription::HasTopic() const {
  const std::lock_guard lock(mutex_);
  return feed_ != nullptr;
}

std::int64_t Subscription::UnackedMessages() const {
  return static_cast<std::int64_t>(leases_.size() + again_.size()) + waiting_messages_;
}

StatusOr<std::int64_t> Subscription::Take(const TakeLimits& limits, const Deliver& deliver) {
  const std::lock_guard lock(mutex_);
  MILLRACE_RETURN_IF_ERROR(CheckUsable());
  pulled_at_ = clock_.Monotonic();
  if (feed_ == nullptr) return 0;
  ExpireLeases();
  Taking taking{.limits = limits, .deliver = deliver, .now = pulled_at_};
  if (const auto puller = pullers_.find(limits.puller); puller != pullers_.end()) {
    const PullerState& flow = puller->second;
    if (flow.messages_max > 0) taking.limits.messages = std::min(limits.messages, flow.messages_max - flow.messages);
    if (flow.bytes_max > 0) {
      if (flow.bytes >= flow.bytes_max) return 0;
      taking.limits.bytes = std::min(limits.bytes, flow.bytes_max - flow.bytes);
    }
  } else if (limits.puller != 0) {
    return 0;
  }
  if (taking.limits.messages <= 0) return 0;
  MILLRACE_RETURN_IF_ERROR(TakeAgain(taking));
  MILLRACE_RETURN_IF_ERROR(TakeFresh(taking));
  return taking.messages;
}

Status Subscription::CheckUsable() const {
  if (removed_) return NotFoundError(state_.settings.name + " was deleted");
  if (!state_.settings.detached) return OkStatus();
  return FailedPreconditionError(state_.settings.name + " is detached from its topic and has no messages");
}

Status Subscription::TakeAgain(Taking& taking) {
  for (auto next = again_.begin(); next != again_.end() && !taking.is_full();) {
    const MessagePlace place = next->first;
    log::RecordView view;
    const Status read = feed_->ReadAt(place.partition, place.offset, &view);
    if (read.ok() && !taking.HasRoomFor(BytesOf(view))) break;
    const std::string key = std::move(next->second);
    again_.erase(next);
    if (read.ok()) {
      Give(taking, view);
    } else if (read.code() == StatusCode::kOutOfRange) {  // retention has removed it
      AckedOf(place.partition).Add(place.offset);
      FreeKey(key);
    } else {
      again_.emplace(place, key);
      return read;
    }
    next = again_.upper_bound(place);
  }
  return OkStatus();
}

Status Subscription::TakeFresh(Taking& taking) {
  const std::int32_t partitions = feed_->partitions();
  for (std::int32_t i = 0; i < partitions; ++i) {
    const std::int32_t partition = (turn_ + i) % partitions;
    while (!taking.is_full()) {
      if (UnackedMessages() >= limits_.unacked_messages_max || taking.scanned >= limits_.scanned_records_max) {
        return OkStatus();
      }
      AckedOffsets& acked = AckedOf(partition);
      const std::int64_t wanted = acked.EndOfRange(feed_->next_offset(partition));
      if (wanted != feed_->next_offset(partition)) feed_->SetNext(partition, wanted);
      log::RecordView view;
      MILLRACE_ASSIGN_OR_RETURN(const log::Found found, feed_->Next(partition, &view));
      if (found == log::Found::kEnd) break;
      if (view.offset > wanted) acked.Add(wanted, view.offset);  // retention has removed those before
      ++taking.scanned;
      if (found == log::Found::kControl || view.publish_time < state_.settings.acked_before) {
        acked.Add(view.offset);
      } else if (!acked.Contains(view.offset)) {
        if (!taking.HasRoomFor(BytesOf(view))) {
          feed_->PutBack(view);
          turn_ = partition;
          return OkStatus();
        }
        TakeFreshRecord(taking, view);
      }
    }
    if (taking.is_full()) {
      turn_ = (partition + 1) % partitions;
      return OkStatus();
    }
  }
  return OkStatus();
}

void Subscription::TakeFreshRecord(Taking& taking, const log::RecordView& view) {
  if (IsOrdered() && !view.key.empty()) {
    const auto [key, is_free] = waiting_.try_emplace(std::string(view.key));
    if (!is_free) {
      key->second.push_back({.partition = view.partition, .offset = view.offset});
      ++waiting_messages_;
      return;
    }
  }
  Give(taking, view);
}

void Subscription::Give(Taking& taking, const log::RecordView& view) {
  const MessagePlace place{.partition = view.partition, .offset = view.offset};
  Lease lease{.deadline = taking.now + taking.limits.ack_deadline,
              .number = ++lease_count_,
              .puller = taking.limits.puller,
              .bytes = BytesOf(view)};
  if (IsOrdered()) lease.key = view.key;
  const AckId id{.epoch = state_.settings.epoch, .place = place, .lease = lease.number};
  taking.bytes += lease.bytes;
  ++taking.messages;
  Grant(place, std::move(lease));
  view.CopyTo(&taking.record);
  taking.deliver(id.ToString(), taking.record);
}

void Subscription::Grant(const MessagePlace& place, Lease lease) {
  if (const auto puller = pullers_.find(lease.puller); puller != pullers_.end()) {
    ++puller->second.messages;
    puller->second.bytes += lease.bytes;
  }
  expiries_.push({.deadline = lease.deadline, .number = lease.number, .place = place});
  leases_.insert_or_assign(place, std::move(lease));
}

// The delivery is over, one way or the other.
Subscription::Lease Subscription::Settle(Leases::iterator at) {
  Lease lease = std::move(at->second);
  leases_.erase(at);
  if (const auto puller = pullers_.find(lease.puller); puller != pullers_.end()) {
    --puller->second.messages;
    puller->second.bytes -= lease.bytes;
  }
  return lease;
}

// An id that this subscription may have given, also before a restart.
Status Subscription::CheckAck(const AckId& id) {
  const auto partition = static_cast<std::size_t>(id.place.partition);
  if (partition >= state_.acked.size()) {
    return InvalidArgumentError("the ack id " + id.ToString() + " is not one of " + state_.settings.name);
  }
  if (id.place.offset < feed_->next_offset(id.place.partition)) return OkStatus();
  MILLRACE_ASSIGN_OR_RETURN(const std::int64_t end, feed_->End(id.place.partition));
  if (id.place.offset >= end) {
    return InvalidArgumentError("the ack id " + id.ToString() + " is not one of " + state_.settings.name);
  }
  if (static_cast<std::int64_t>(state_.acked[partition].ranges().size()) >= limits_.unacked_messages_max) {
    return ResourceExhaustedError(state_.settings.name +
                                  " has too many messages that are not acknowledged between "
                                  "others that are; acknowledge the earlier ones first");
  }
  return OkStatus();
}

StatusOr<StateJournal::Ticket> Subscription::Acknowledge(std::span<const std::string_view> ack_ids) {
  const std::lock_guard lock(mutex_);
  MILLRACE_RETURN_IF_ERROR(CheckUsable());
  std::vector<MessagePlace> places;
  places.reserve(ack_ids.size());
  for (const std::string_view text : ack_ids) {
    const std::optional<AckId> id = AckId::Parse(text);
    if (!id) return InvalidArgumentError("\"" + std::string(text.substr(0, 100)) + "\" is no ack id");
    if (feed_ == nullptr || id->epoch != state_.settings.epoch) continue;
    MILLRACE_RETURN_IF_ERROR(CheckAck(*id));
    places.push_back(id->place);
  }
  std::sort(places.begin(), places.end());
  std::vector<AckedRange> ranges;
  for (const MessagePlace& place : places) {
    AckOne(place);
    if (!ranges.empty() && ranges.back().partition == place.partition &&
        ranges.back().first + ranges.back().length >= place.offset) {
      ranges.back().length = std::max(ranges.back().length, place.offset - ranges.back().first + 1);
    } else {
      ranges.push_back({.partition = place.partition, .first = place.offset, .length = 1});
    }
  }
  return journal_->QueueAcked(ranges);
}

void Subscription::AckOne(const MessagePlace& place) {
  AckedOf(place.partition).Add(place.offset);
  if (const auto lease = leases_.find(place); lease != leases_.end()) {
    FreeKey(Settle(lease).key);
  } else if (const auto again = again_.find(place); again != again_.end()) {
    const std::string key = std::move(again->second);
    again_.erase(again);
    FreeKey(key);
  }
}

// The message of the key that was delivered is acknowledged: the next one may be.
void Subscription::FreeKey(const std::string& key) {
  if (key.empty()) return;
  const auto waiting = waiting_.find(key);
  if (waiting == waiting_.end()) return;
  std::deque<MessagePlace>& places = waiting->second;
  while (!places.empty()) {
    const MessagePlace next = places.front();
    places.pop_front();
    --waiting_messages_;
    if (AckedOf(next.partition).Contains(next.offset)) continue;
    again_.emplace(next, key);
    return;
  }
  waiting_.erase(waiting);
}

Status Subscription::ModifyAckDeadline(std::span<const std::string_view> ack_ids, Duration deadline) {
  bool has_again = false;
  {
    const std::lock_guard lock(mutex_);
    MILLRACE_RETURN_IF_ERROR(CheckUsable());
    const Duration now = clock_.Monotonic();
    for (const std::string_view text : ack_ids) {
      const std::optional<AckId> id = AckId::Parse(text);
      if (!id) return InvalidArgumentError("\"" + std::string(text.substr(0, 100)) + "\" is no ack id");
      if (id->epoch != state_.settings.epoch) continue;
      const auto lease = leases_.find(id->place);
      if (lease == leases_.end() || lease->second.number != id->lease || lease->second.deadline < now) continue;
      if (deadline > Duration(0)) {
        lease->second.deadline = now + deadline;
        expiries_.push({.deadline = now + deadline, .number = id->lease, .place = id->place});
      } else {
        again_.emplace(id->place, Settle(lease).key);
        has_again = true;
      }
    }
    if (expiries_.size() > 2 * leases_.size() + kExpiriesSlack) RebuildExpiries();
  }
  if (has_again) WakePullers();
  return OkStatus();
}

void Subscription::RebuildExpiries() {
  std::vector<Expiry> live;
  live.reserve(leases_.size());
  for (const auto& [place, lease] : leases_) {
    live.push_back({.deadline = lease.deadline, .number = lease.number, .place = place});
  }
  expiries_ = decltype(expiries_)(std::greater<>(), std::move(live));
}

void Subscription::ExpireLeases() {
  const Duration now = clock_.Monotonic();
  while (!expiries_.empty() && expiries_.top().deadline <= now) {
    const Expiry expiry = expiries_.top();
    expiries_.pop();
    const auto lease = leases_.find(expiry.place);
    if (lease == leases_.end() || lease->second.number != expiry.number || lease->second.deadline > now) continue;
    again_.emplace(expiry.place, Settle(lease).key);
  }
}

void Subscription::ForgetDeliveries() {
  leases_.clear();
  again_.clear();
  waiting_.clear();
  waiting_messages_ = 0;
  expiries_ = {};
  for (auto& [id, puller] : pullers_) puller.messages = puller.bytes = 0;
}

Status Subscription::Seek(std::vector<AckedOffsets> acked, Timestamp acked_before) {
  StateJournal::Ticket ticket;
  {
    const std::lock_guard lock(mutex_);
    if (feed_ == nullptr) return FailedPreconditionError(state_.settings.name + " has no topic any more");
    ForgetDeliveries();
    state_.acked = std::move(acked);
    state_.settings.acked_before = acked_before;
    ++state_.settings.epoch;
    for (std::int32_t p = 0; p < feed_->partitions(); ++p) feed_->SetNext(p, AckedOf(p).through());
    ticket = journal_->QueueState(state_);
  }
  MILLRACE_RETURN_IF_ERROR(journal_->Await(ticket));
  WakePullers();
  return OkStatus();
}

Status Subscription::Update(const std::function<void(SubscriptionSettings&)>& change) {
  StateJournal::Ticket ticket;
  {
    const std::lock_guard lock(mutex_);
    change(state_.settings);
    ticket = journal_->QueueState(state_);
  }
  return journal_->Await(ticket);
}

Status Subscription::Detach() {
  StateJournal::Ticket ticket;
  {
    const std::lock_guard lock(mutex_);
    ForgetDeliveries();
    feed_.reset();
    state_.settings.detached = true;
    ticket = journal_->QueueState(state_);
  }
  WakePullers();
  return journal_->Await(ticket);
}

void Subscription::LoseTopic() {
  const std::lock_guard lock(mutex_);
  ForgetDeliveries();
  feed_.reset();
}

void Subscription::Remove() {
  {
    const std::lock_guard lock(mutex_);
    ForgetDeliveries();
    feed_.reset();
    removed_ = true;
  }
  WakePullers();
}

std::uint64_t Subscription::AddPuller(std::weak_ptr<Puller> puller, std::int64_t messages_max, std::int64_t bytes_max) {
  const std::lock_guard lock(mutex_);
  const std::uint64_t id = ++puller_count_;
  pullers_[id] = {.puller = std::move(puller), .messages_max = messages_max, .bytes_max = bytes_max};
  return id;
}

void Subscription::RemovePuller(std::uint64_t id) {
  const std::lock_guard lock(mutex_);
  pullers_.erase(id);
}

void Subscription::WaitForMessages(std::chrono::milliseconds limit) {
  std::unique_lock lock(mutex_);
  ++waiters_;
  const std::uint64_t before = wakes_;
  awake_.wait_for(lock, limit, [&] { return wakes_ != before; });
  --waiters_;
}

void Subscription::WakePullers() {
  std::vector<std::shared_ptr<Puller>> pullers;
  {
    const std::lock_guard lock(mutex_);
    ++wakes_;
    for (const auto& [id, state] : pullers_) {
      if (std::shared_ptr<Puller> puller = state.puller.lock()) pullers.push_back(std::move(puller));
    }
  }
  awake_.notify_all();
  for (const auto& puller : pullers) puller->Wake();
}

bool Subscription::HasSomething() {
  if (state_.settings.detached || removed_) return true;  // to be told
  if (feed_ == nullptr) return false;
  if (!again_.empty()) return true;
  if (UnackedMessages() >= limits_.unacked_messages_max) return false;
  const StatusOr<log::Cut> end = feed_->reader().End();
  if (!end.ok()) return true;  // whoever takes is told
  for (std::int32_t p = 0; p < feed_->partitions(); ++p) {
    if ((*end)[static_cast<std::size_t>(p)] > feed_->next_offset(p)) return true;
  }
  return false;
}

void Subscription::Poll() {
  {
    const std::lock_guard lock(mutex_);
    ExpireLeases();
    if (pullers_.empty() && waiters_ == 0) return;
    if (!HasSomething()) return;
  }
  WakePullers();
}

bool Subscription::IsActive() const {
  const std::lock_guard lock(mutex_);
  return !pullers_.empty() || waiters_ > 0 || !leases_.empty() ||
         (pulled_at_ != Duration::min() && clock_.Monotonic() - pulled_at_ < kActiveAfterPull);
}

void Subscription::Rest() {
  const std::lock_guard lock(mutex_);
  if (feed_ != nullptr) feed_->DropCursors();
}

}  // namespace millrace::pubsub
