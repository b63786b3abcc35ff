// Pub/Sub on the log, without a protocol: topics, subscriptions, snapshots, publishing. What gRPC and HTTP speak to.
//
// Topics are the log's; subscriptions and snapshots are files below DIR/pubsub (docs/formats/pubsub.md). One broker
// holds a data directory's Pub/Sub at a time; runs and the verb `publish` may use its log beside it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/random.h"
#include "log/log_reader.h"
#include "millrace/core/status.h"
#include "pubsub/resource_name.h"
#include "pubsub/subscription.h"
#include "pubsub/topic_writers.h"

namespace millrace::pubsub {

inline constexpr std::size_t kPublishMessagesMax = 1'000;
inline constexpr std::size_t kPublishBytesMax = 10'000'000;

/// Attributes that say something to the log. The first two go together and are not stored with the message: each
/// (producer, sequence) is stored once. The third is the event time, RFC 3339; without it that is the publish time.
inline constexpr const char* kProducerAttribute = "millrace.producer";
inline constexpr const char* kSequenceAttribute = "millrace.sequence";
inline constexpr const char* kEventTimeAttribute = "millrace.event_time";

struct BrokerOptions {
  std::string data_dir = {};
  std::int32_t partitions = log::kPartitionsDefault;  // of new topics
  log::SyncPolicy sync = log::SyncPolicy::kAlways;    // of messages and of acknowledgements
  Duration writer_idle_after = std::chrono::seconds(5);
  std::string holder = "a Pub/Sub server";
  SubscriptionLimits limits = {};
  const base::WallClock* clock = nullptr;  // nothing: the system's
  /// Told what was cut off at start, and what could not be done but harms nothing; nothing: the standard error.
  std::function<void(const std::string& message)> report = nullptr;
};

/// A message to be published; the views are used during the call only.
struct PublishMessage {
  std::string_view data = {};
  std::string_view ordering_key = {};
  std::map<std::string, std::string> attributes = {};
};

/// What the file of a topic holds.
struct TopicSettings {
  std::map<std::string, std::string> labels = {};
  std::optional<Duration> message_retention = {};
};

/// A snapshot: of what was acknowledged.
struct SnapshotInfo {
  std::uint64_t id = 0;
  SubscriptionState state = {};
};

/// Of the folders that hold a topic while it is removed.
inline constexpr const char* kDeletedTopicPrefix = "deleted-";
/// Removes a folder and what is in it.
Status RemoveFolder(base::FileSystem& files, const std::string& path);

/// Thread safe.
class Broker {
 public:
  /// FAILED_PRECONDITION when another server has the data directory.
  static StatusOr<std::unique_ptr<Broker>> Open(base::FileSystem& files, BrokerOptions options);
  ~Broker();

  // Topics, by the name that the log has.
  Status CreateTopic(const std::string& topic, const TopicSettings& settings);
  StatusOr<TopicSettings> FindTopic(const std::string& topic);
  Status UpdateTopic(const std::string& topic, const TopicSettings& settings);
  StatusOr<std::vector<std::string>> ListTopics();
  /// Removes its messages. FAILED_PRECONDITION when others than subscriptions still need them.
  Status DeleteTopic(const std::string& topic);

  /// Gives the message ids. INVALID_ARGUMENT for what no message may be, UNAVAILABLE when another process writes the
  /// topic, and what LogWriter::Append says.
  StatusOr<std::vector<std::string>> Publish(const std::string& topic, std::vector<PublishMessage> messages);

  // Subscriptions. `settings` has everything but name, topic_id, created_at and epoch.
  StatusOr<std::shared_ptr<Subscription>> CreateSubscription(const ResourceName& name, SubscriptionSettings settings);
  StatusOr<std::shared_ptr<Subscription>> FindSubscription(const ResourceName& name);
  Status DeleteSubscription(const ResourceName& name);
  Status DetachSubscription(const ResourceName& name);
  std::vector<std::shared_ptr<Subscription>> ListSubscriptions();
  /// What was published before `time` is acknowledged, the rest is not.
  Status SeekToTime(Subscription& subscription, Timestamp time);
  Status SeekToSnapshot(Subscription& subscription, const ResourceName& snapshot);

  // Snapshots.
  StatusOr<SnapshotInfo> CreateSnapshot(const ResourceName& name, const Subscription& subscription,
                                        std::map<std::string, std::string> labels);
  StatusOr<SnapshotInfo> FindSnapshot(const ResourceName& name);
  StatusOr<SnapshotInfo> UpdateSnapshot(const ResourceName& name,
                                        const std::function<void(SubscriptionSettings&)>& change);
  Status DeleteSnapshot(const ResourceName& name);
  std::vector<SnapshotInfo> ListSnapshots();

  const base::WallClock& clock() const { return clock_; }

 private:
  Broker(base::FileSystem& files, BrokerOptions options);

  struct OpenedTopic {
    std::shared_ptr<const log::LogReader> reader;
  };
  struct Hold {  // of a subscription or a snapshot
    log::Cut cut = {};
    log::Cut oldest = {};  // by the retention of messages
    Duration oldest_at = Duration::min();
    Duration updated_at = Duration::min();  // by the keeper
  };

  std::string PathOf(std::string_view kind, const ResourceName& name) const;
  std::string TopicSettingsPath(const std::string& topic) const;
  std::optional<Duration> RetentionOf(const std::string& topic);
  StatusOr<std::shared_ptr<const log::LogReader>> ReaderOf(const std::string& topic);
  Status CheckDeletable(const std::string& topic);
  Status CheckHolds(const std::string& topic);

  Status LoadAll();
  /// What a process that was killed has begun and not ended.
  Status RemoveLeftovers();
  Status Load(const std::string& path, const ResourceName& name, bool is_snapshot);
  StatusOr<std::unique_ptr<RecordFeed>> FeedOf(SubscriptionState* state);
  StatusOr<log::Cut> EndOf(const std::string& topic, const log::LogReader& reader);

  StatusOr<log::Cut> HeldBy(const SubscriptionSettings& settings, log::Cut through, Hold* hold);
  void UpdateHold(std::uint64_t id, const SubscriptionSettings& settings, log::Cut through);
  void HoldForSeek(const Subscription& subscription, const SubscriptionState& target);
  bool IsHoldDue(std::uint64_t id);
  void RemoveHold(std::uint64_t id, const SubscriptionSettings& settings);

  void WakeTopic(const std::string& topic);
  void DeliverLoop(const std::stop_token& stop);
  void KeepLoop(const std::stop_token& stop);
  void KeepSlowly();
  void ExpireSnapshots();

  base::FileSystem& files_;
  BrokerOptions options_;
  const base::WallClock& clock_;
  const std::string folder_;
  const std::string log_folder_;
  std::unique_ptr<base::FileLock> lock_;
  std::unique_ptr<TopicWriters> writers_;

  std::mutex changes_mutex_;  // of whoever makes or removes something; taken before `mutex_`
  std::mutex mutex_;
  base::Random random_;
  std::map<std::string, OpenedTopic> topics_;
  std::map<std::string, TopicSettings> settings_;
  std::map<ResourceName, std::shared_ptr<Subscription>> subscriptions_;
  std::map<ResourceName, SnapshotInfo> snapshots_;
  std::map<ResourceName, Status> refused_;  // subscriptions whose file is damaged
  std::map<ResourceName, Status> refused_snapshots_;
  std::map<std::uint64_t, Hold> holds_;

  std::mutex wake_mutex_;
  std::condition_variable_any wake_;
  std::set<std::string> woken_topics_;

  std::jthread delivering_;
  std::jthread keeping_;
};

}  // namespace millrace::pubsub
