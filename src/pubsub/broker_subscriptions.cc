// Subscriptions and snapshots: made, found, sought, removed.
#include <utility>

#include "base/status_macros.h"
#include "log/holds.h"
#include "pubsub/broker.h"

namespace millrace::pubsub {

namespace {

constexpr const char* kSubscriptions = "subscriptions";
constexpr const char* kSnapshots = "snapshots";
constexpr std::size_t kHoldersOfTopicMax = 1'000;
constexpr Duration kSnapshotLife = std::chrono::hours(24 * 7);

}  // namespace

StatusOr<std::shared_ptr<Subscription>> Broker::CreateSubscription(const ResourceName& name,
                                                                   SubscriptionSettings settings) {
  const std::lock_guard changing(changes_mutex_);
  MILLRACE_ASSIGN_OR_RETURN(const ResourceName topic, ParseTopicName(settings.topic));
  std::uint64_t id = 0;
  {
    const std::lock_guard lock(mutex_);
    if (subscriptions_.contains(name) || refused_.contains(name)) {
      return AlreadyExistsError(SubscriptionName(name) + " is there already");
    }
    id = random_.Next();
  }
  MILLRACE_ASSIGN_OR_RETURN(const auto reader, ReaderOf(topic.id));
  MILLRACE_ASSIGN_OR_RETURN(const std::vector<log::Hold> holds, log::ListHolds(files_, log_folder_, topic.id));
  if (holds.size() >= kHoldersOfTopicMax) {
    return ResourceExhaustedError("the topic " + topic.id + " has " + std::to_string(holds.size()) +
                                  " subscriptions, snapshots and other holds; at most 1,000");
  }
  MILLRACE_ASSIGN_OR_RETURN(const log::Cut end, EndOf(topic.id, *reader));
  settings.name = SubscriptionName(name);
  settings.topic_id = reader->topic().id;
  settings.created_at = clock_.Now();
  settings.epoch = 1;
  SubscriptionState state{.settings = std::move(settings)};
  for (const std::int64_t offset : end) state.acked.emplace_back(offset);
  UpdateHold(id, state.settings, end);
  MILLRACE_ASSIGN_OR_RETURN(auto journal,
                            StateJournal::Create(files_, PathOf(kSubscriptions, name), id, state, options_.sync));
  auto feed = std::make_unique<RecordFeed>(reader, end);
  auto subscription =
      std::make_shared<Subscription>(std::move(journal), std::move(state), std::move(feed), clock_, options_.limits);
  const std::lock_guard lock(mutex_);
  subscriptions_[name] = subscription;
  return subscription;
}

StatusOr<std::shared_ptr<Subscription>> Broker::FindSubscription(const ResourceName& name) {
  const std::lock_guard lock(mutex_);
  if (const auto known = subscriptions_.find(name); known != subscriptions_.end()) return known->second;
  if (const auto refused = refused_.find(name); refused != refused_.end()) return refused->second;
  return NotFoundError("there is no " + SubscriptionName(name));
}

std::vector<std::shared_ptr<Subscription>> Broker::ListSubscriptions() {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<Subscription>> all;
  all.reserve(subscriptions_.size());
  for (const auto& [name, subscription] : subscriptions_) all.push_back(subscription);
  return all;
}

Status Broker::DeleteSubscription(const ResourceName& name) {
  const std::lock_guard changing(changes_mutex_);
  std::shared_ptr<Subscription> subscription;
  {
    const std::lock_guard lock(mutex_);
    const auto known = subscriptions_.find(name);
    if (known == subscriptions_.end() && refused_.erase(name) == 0) {
      return NotFoundError("there is no " + SubscriptionName(name));
    }
    if (known != subscriptions_.end()) subscription = known->second;
  }
  if (subscription != nullptr) {
    subscription->Remove();
    MILLRACE_RETURN_IF_ERROR(subscription->journal().Flush(false));
  }
  const std::string path = PathOf(kSubscriptions, name);
  MILLRACE_RETURN_IF_ERROR(files_.Remove(path));
  MILLRACE_RETURN_IF_ERROR(files_.SyncFolder(base::FolderOf(path)));
  if (subscription == nullptr) return OkStatus();
  {
    const std::lock_guard lock(mutex_);
    subscriptions_.erase(name);
  }
  RemoveHold(subscription->id(), subscription->settings());
  return OkStatus();
}

Status Broker::DetachSubscription(const ResourceName& name) {
  MILLRACE_ASSIGN_OR_RETURN(const std::shared_ptr<Subscription> subscription, FindSubscription(name));
  const std::lock_guard changing(changes_mutex_);
  MILLRACE_RETURN_IF_ERROR(subscription->Detach());
  RemoveHold(subscription->id(), subscription->settings());
  return OkStatus();
}

Status Broker::SeekToTime(Subscription& subscription, Timestamp time) {
  const SubscriptionSettings settings = subscription.settings();
  if (!subscription.HasTopic()) return FailedPreconditionError(settings.name + " has no topic any more");
  MILLRACE_ASSIGN_OR_RETURN(const ResourceName topic, ParseTopicName(settings.topic));
  MILLRACE_ASSIGN_OR_RETURN(const auto reader, ReaderOf(topic.id));
  SubscriptionState target{.settings = settings};
  for (std::int32_t p = 0; p < reader->topic().partitions; ++p) {
    MILLRACE_ASSIGN_OR_RETURN(const std::int64_t offset, reader->OffsetOfPublishTime(p, time));
    target.acked.emplace_back(offset);
  }
  HoldForSeek(subscription, target);
  return subscription.Seek(std::move(target.acked), time);
}

Status Broker::SeekToSnapshot(Subscription& subscription, const ResourceName& snapshot) {
  MILLRACE_ASSIGN_OR_RETURN(const SnapshotInfo found, FindSnapshot(snapshot));
  const SubscriptionSettings settings = subscription.settings();
  if (found.state.settings.topic_id != settings.topic_id) {
    return FailedPreconditionError(SnapshotName(snapshot) + " is one of " + found.state.settings.topic + ", and " +
                                   settings.name + " one of " + settings.topic);
  }
  HoldForSeek(subscription, {.settings = settings, .acked = found.state.acked});
  return subscription.Seek(found.state.acked, found.state.settings.acked_before);
}

StatusOr<SnapshotInfo> Broker::CreateSnapshot(const ResourceName& name, const Subscription& subscription,
                                              std::map<std::string, std::string> labels) {
  const std::lock_guard changing(changes_mutex_);
  if (!subscription.HasTopic()) return FailedPreconditionError(subscription.settings().name + " has no topic any more");
  SnapshotInfo snapshot{.state = subscription.state()};
  {
    const std::lock_guard lock(mutex_);
    if (snapshots_.contains(name) || refused_snapshots_.contains(name)) {
      return AlreadyExistsError(SnapshotName(name) + " is there already");
    }
    snapshot.id = random_.Next();
  }
  SubscriptionSettings& settings = snapshot.state.settings;
  settings.name = SnapshotName(name);
  settings.labels = std::move(labels);
  settings.created_at = clock_.Now();
  settings.expires_at = clock_.Now() + kSnapshotLife;
  const std::string path = PathOf(kSnapshots, name);
  UpdateHold(snapshot.id, settings, snapshot.state.through());
  MILLRACE_RETURN_IF_ERROR(base::CreateDurableFolders(files_, base::FolderOf(path)));
  MILLRACE_RETURN_IF_ERROR(WriteStateFile(files_, path, snapshot.id, snapshot.state));
  const std::lock_guard lock(mutex_);
  return snapshots_[name] = std::move(snapshot);
}

StatusOr<SnapshotInfo> Broker::FindSnapshot(const ResourceName& name) {
  const std::lock_guard lock(mutex_);
  if (const auto known = snapshots_.find(name); known != snapshots_.end()) return known->second;
  if (const auto refused = refused_snapshots_.find(name); refused != refused_snapshots_.end()) return refused->second;
  return NotFoundError("there is no " + SnapshotName(name));
}

StatusOr<SnapshotInfo> Broker::UpdateSnapshot(const ResourceName& name,
                                              const std::function<void(SubscriptionSettings&)>& change) {
  const std::lock_guard changing(changes_mutex_);
  MILLRACE_ASSIGN_OR_RETURN(SnapshotInfo snapshot, FindSnapshot(name));
  change(snapshot.state.settings);
  MILLRACE_RETURN_IF_ERROR(WriteStateFile(files_, PathOf(kSnapshots, name), snapshot.id, snapshot.state));
  const std::lock_guard lock(mutex_);
  return snapshots_[name] = std::move(snapshot);
}

Status Broker::DeleteSnapshot(const ResourceName& name) {
  const std::lock_guard changing(changes_mutex_);
  SnapshotInfo removed;
  {
    const std::lock_guard lock(mutex_);
    if (const auto known = snapshots_.find(name); known != snapshots_.end()) {
      removed = known->second;
    } else if (!refused_snapshots_.contains(name)) {
      return NotFoundError("there is no " + SnapshotName(name));
    }
  }
  const std::string path = PathOf(kSnapshots, name);
  MILLRACE_RETURN_IF_ERROR(files_.Remove(path));
  MILLRACE_RETURN_IF_ERROR(files_.SyncFolder(base::FolderOf(path)));
  RemoveHold(removed.id, removed.state.settings);
  const std::lock_guard lock(mutex_);
  snapshots_.erase(name);
  refused_snapshots_.erase(name);
  return OkStatus();
}

std::vector<SnapshotInfo> Broker::ListSnapshots() {
  const std::lock_guard lock(mutex_);
  std::vector<SnapshotInfo> all;
  for (const auto& [name, snapshot] : snapshots_) all.push_back(snapshot);
  return all;
}

}  // namespace millrace::pubsub
