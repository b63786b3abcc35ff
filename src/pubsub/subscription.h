// One subscription: what is delivered to whom, until when, and what is acknowledged.
//
// A message is acknowledged, or leased (delivered, with a deadline), or to be delivered again, or, where messages are
// ordered, waiting for an earlier one of its key, or not read yet. Only the first is on disk: after a restart all
// others are delivered anew. Semantics: the descriptions in google/pubsub/v1/pubsub.proto.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <queue>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "millrace/core/status.h"
#include "millrace/io/log.h"
#include "pubsub/ack_id.h"
#include "pubsub/record_feed.h"
#include "pubsub/state_journal.h"
#include "pubsub/subscription_state.h"

namespace millrace::pubsub {

/// Somebody who takes messages as they come.
class Puller {
 public:
  virtual ~Puller() = default;
  /// There may be something to take. Called without locks, by one thread at a time.
  virtual void Wake() = 0;
};

/// How much to take, and for how long.
struct TakeLimits {
  std::int64_t messages = 1'000;
  std::int64_t bytes = std::int64_t{1} << 20;  // the first message may be larger
  Duration ack_deadline = std::chrono::seconds(kAckDeadlineSecondsDefault);
  std::uint64_t puller = 0;  // of AddPuller; 0: nobody's
};

struct SubscriptionLimits {
  std::int64_t unacked_messages_max = 100'000;  // delivered or waiting for their key; then nothing new is delivered
  std::int64_t scanned_records_max = 50'000;    // of one Take
};

/// Thread safe.
class Subscription : public std::enable_shared_from_this<Subscription> {
 public:
  /// `feed` is null when the topic is gone or the subscription detached.
  Subscription(std::unique_ptr<StateJournal> journal, SubscriptionState state, std::unique_ptr<RecordFeed> feed,
               const base::WallClock& clock, SubscriptionLimits limits = {});

  SubscriptionSettings settings() const;
  /// A consistent copy.
  SubscriptionState state() const;
  std::uint64_t id() const { return journal_->id(); }
  /// The log's name of its topic.
  const std::string& log_topic() const { return log_topic_; }
  log::Cut through() const;
  bool HasTopic() const;

  /// What a message is handed to: the record's storage may be moved from.
  using Deliver = std::function<void(std::string ack_id, LogRecord& record)>;
  /// Leases what can be delivered now, and gives how many. FAILED_PRECONDITION when detached.
  StatusOr<std::int64_t> Take(const TakeLimits& limits, const Deliver& deliver);

  /// Ids of deliveries before the last seek are passed over; INVALID_ARGUMENT for what is no id. Durable after `Await`.
  StatusOr<StateJournal::Ticket> Acknowledge(std::span<const std::string_view> ack_ids);
  Status Await(const StateJournal::Ticket& ticket) { return journal_->Await(ticket); }
  /// From now on; nothing: deliver again at once. Passes over ids of deliveries that no longer count.
  Status ModifyAckDeadline(std::span<const std::string_view> ack_ids, Duration deadline);

  /// What is acknowledged is what `acked` says, and what was published before `acked_before`. Durable when it returns;
  /// all deliveries so far are void.
  Status Seek(std::vector<AckedOffsets> acked, Timestamp acked_before);
  /// Changes the settings, durably.
  Status Update(const std::function<void(SubscriptionSettings&)>& change);
  /// No more messages, ever. Durable.
  Status Detach();
  /// The topic was deleted.
  void LoseTopic();
  /// It is about to be deleted: takes and acknowledges nothing any more (NOT_FOUND).
  void Remove();

  /// Flow control: what is leased by that puller counts against its limits (0: none) until it is settled.
  std::uint64_t AddPuller(std::weak_ptr<Puller> puller, std::int64_t messages_max, std::int64_t bytes_max);
  void RemovePuller(std::uint64_t id);

  /// Until something may be there, or `limit` is over.
  void WaitForMessages(std::chrono::milliseconds limit);
  /// Something may be there: wakes all that wait.
  void WakePullers();
  /// Takes leases back that are over; wakes when there is something to deliver. To be called every few milliseconds.
  void Poll();
  /// Whether somebody pulls, or has pulled in the last seconds.
  bool IsActive() const;
  /// Gives memory back while nobody pulls.
  void Rest();

  StateJournal& journal() { return *journal_; }

 private:
  struct Lease {
    Duration deadline = {};
    std::uint64_t number = 0;
    std::uint64_t puller = 0;
    std::int64_t bytes = 0;
    std::string key = {};  // where messages are ordered
  };
  struct Expiry {
    Duration deadline = {};
    std::uint64_t number = 0;
    MessagePlace place = {};
    friend bool operator>(const Expiry& a, const Expiry& b) { return a.deadline > b.deadline; }
  };
  struct PullerState {
    std::weak_ptr<Puller> puller;
    std::int64_t messages_max = 0;
    std::int64_t bytes_max = 0;
    std::int64_t messages = 0;
    std::int64_t bytes = 0;
  };
  using Leases = absl::flat_hash_map<MessagePlace, Lease>;
  struct Taking;

  bool IsOrdered() const { return state_.settings.enable_message_ordering; }
  AckedOffsets& AckedOf(std::int32_t partition) { return state_.acked[static_cast<std::size_t>(partition)]; }
  std::int64_t UnackedMessages() const;
  Status TakeAgain(Taking& taking);
  Status TakeFresh(Taking& taking);
  void TakeFreshRecord(Taking& taking, const log::RecordView& view);
  void Give(Taking& taking, const log::RecordView& view);
  void Grant(const MessagePlace& place, Lease lease);
  Lease Settle(Leases::iterator at);
  Status CheckUsable() const;
  Status CheckAck(const AckId& id);
  void AckOne(const MessagePlace& place);
  void FreeKey(const std::string& key);
  void ExpireLeases();
  void RebuildExpiries();
  void ForgetDeliveries();
  bool HasSomething();

  const std::unique_ptr<StateJournal> journal_;
  const base::WallClock& clock_;
  const SubscriptionLimits limits_;
  const std::string log_topic_;

  mutable std::mutex mutex_;
  std::condition_variable awake_;
  std::uint64_t wakes_ = 0;
  bool removed_ = false;
  SubscriptionState state_;
  std::unique_ptr<RecordFeed> feed_;
  std::int32_t turn_ = 0;      // the partition that is read first
  std::uint64_t lease_count_;  // numbers are not used again after a restart
  std::uint64_t puller_count_ = 0;
  Leases leases_;
  std::priority_queue<Expiry, std::vector<Expiry>, std::greater<>> expiries_;  // those of leases, and void ones
  std::map<MessagePlace, std::string> again_;                                  // to be delivered again; with the key
  absl::flat_hash_map<std::string, std::deque<MessagePlace>> waiting_;  // by key that has one leased or in again_
  std::int64_t waiting_messages_ = 0;
  absl::flat_hash_map<std::uint64_t, PullerState> pullers_;
  int waiters_ = 0;
  Duration pulled_at_ = Duration::min();
};

}  // namespace millrace::pubsub
