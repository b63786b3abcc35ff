// Opening and closing a broker, and its two threads: one wakes who waits for messages, the other keeps files in order.
#include "pubsub/broker.h"

#include <algorithm>
#include <iostream>
#include <random>
#include <utility>

#include "base/status_macros.h"
#include "log/holds.h"

namespace millrace::pubsub {

namespace {

constexpr auto kPollEvery = std::chrono::milliseconds(10);
constexpr auto kWakePause = std::chrono::microseconds(500);  // so that many Publishes share a wake
constexpr auto kFlushEvery = std::chrono::milliseconds(10);
constexpr Duration kSyncEvery = std::chrono::milliseconds(50);
constexpr Duration kKeepEvery = std::chrono::seconds(1);
constexpr Duration kHoldEvery = std::chrono::seconds(5);  // of one subscription
constexpr Duration kOldestEvery = std::chrono::minutes(1);

std::uint64_t RandomSeed() {
  std::random_device device;
  return (std::uint64_t{device()} << 32) | device();
}

}  // namespace

Broker::Broker(base::FileSystem& files, BrokerOptions options)
    : files_(files),
      options_(std::move(options)),
      clock_(options_.clock != nullptr ? *options_.clock : base::SystemClock()),
      folder_(options_.data_dir + "/pubsub"),
      log_folder_(options_.data_dir + "/log"),
      random_(RandomSeed()) {
  if (options_.report == nullptr) {
    options_.report = [](const std::string& message) { std::cerr << message << "\n"; };
  }
  writers_ = std::make_unique<TopicWriters>(files_, log_folder_,
                                            TopicWritersOptions{.partitions = options_.partitions,
                                                                .sync = options_.sync,
                                                                .idle_after = options_.writer_idle_after,
                                                                .holder = options_.holder},
                                            clock_, [this](const std::string& topic) { return RetentionOf(topic); });
}

StatusOr<std::unique_ptr<Broker>> Broker::Open(base::FileSystem& files, BrokerOptions options) {
  std::unique_ptr<Broker> broker(new Broker(files, std::move(options)));
  for (const char* folder : {"", "/topics", "/subscriptions", "/snapshots"}) {
    MILLRACE_RETURN_IF_ERROR(base::CreateDurableFolders(files, broker->folder_ + folder));
  }
  MILLRACE_RETURN_IF_ERROR(base::CreateDurableFolders(files, broker->log_folder_));
  StatusOr<std::unique_ptr<base::FileLock>> lock = files.Lock(broker->folder_ + "/lock");
  if (!lock.ok() && lock.status().code() == StatusCode::kFailedPrecondition) {
    return FailedPreconditionError("another process serves the Pub/Sub of " + broker->options_.data_dir +
                                   "; stop it, or publish and pull through it");
  }
  MILLRACE_RETURN_IF_ERROR(lock.status());
  broker->lock_ = *std::move(lock);
  MILLRACE_RETURN_IF_ERROR(broker->LoadAll());
  MILLRACE_RETURN_IF_ERROR(broker->RemoveLeftovers());
  broker->delivering_ = std::jthread([&self = *broker](const std::stop_token& stop) { self.DeliverLoop(stop); });
  broker->keeping_ = std::jthread([&self = *broker](const std::stop_token& stop) { self.KeepLoop(stop); });
  return broker;
}

Broker::~Broker() {
  for (std::jthread* thread : {&delivering_, &keeping_}) {
    thread->request_stop();
    if (thread->joinable()) thread->join();
  }
  for (const auto& subscription : ListSubscriptions()) {
    if (const Status flushed = subscription->journal().Flush(true); !flushed.ok()) {
      options_.report(subscription->settings().name + ": " + flushed.message());
    }
  }
}

std::string Broker::PathOf(std::string_view kind, const ResourceName& name) const {
  return folder_ + "/" + std::string(kind) + "/" + name.project + "/" + name.id;
}

StatusOr<std::shared_ptr<const log::LogReader>> Broker::ReaderOf(const std::string& topic) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto known = topics_.find(topic); known != topics_.end()) return known->second.reader;
  }
  MILLRACE_ASSIGN_OR_RETURN(std::unique_ptr<log::LogReader> reader, log::LogReader::Open(files_, log_folder_, topic));
  const std::lock_guard lock(mutex_);
  return topics_.try_emplace(topic, OpenedTopic{.reader = std::move(reader)}).first->second.reader;
}

Status Broker::LoadAll() {
  for (const bool is_snapshot : {false, true}) {
    const std::string kind = is_snapshot ? "snapshots" : "subscriptions";
    MILLRACE_ASSIGN_OR_RETURN(const std::vector<std::string> projects, files_.List(folder_ + "/" + kind));
    for (const std::string& project : projects) {
      MILLRACE_ASSIGN_OR_RETURN(const std::vector<std::string> ids, files_.List(folder_ + "/" + kind + "/" + project));
      for (const std::string& id : ids) {
        if (id.ends_with(".new")) continue;  // was never put in place
        const ResourceName name{.project = project, .id = id};
        const Status loaded = Load(PathOf(kind, name), name, is_snapshot);
        if (loaded.ok()) continue;
        options_.report(loaded.message());
        (is_snapshot ? refused_snapshots_ : refused_).emplace(name, loaded);
      }
    }
  }
  return OkStatus();
}

Status Broker::RemoveLeftovers() {
  MILLRACE_ASSIGN_OR_RETURN(const std::vector<std::string> names, files_.List(folder_));
  for (const std::string& name : names) {
    if (name.starts_with(kDeletedTopicPrefix)) MILLRACE_RETURN_IF_ERROR(RemoveFolder(files_, folder_ + "/" + name));
  }
  if (!refused_.empty() || !refused_snapshots_.empty()) return OkStatus();  // their holds are not known
  std::set<std::string> needed;
  for (const auto& [name, subscription] : subscriptions_) needed.insert(HoldNameOf(subscription->id()));
  for (const auto& [name, snapshot] : snapshots_) needed.insert(HoldNameOf(snapshot.id));
  MILLRACE_ASSIGN_OR_RETURN(const std::vector<std::string> topics, ListTopics());
  for (const std::string& topic : topics) {
    const StatusOr<std::vector<log::Hold>> holds = log::ListHolds(files_, log_folder_, topic);
    if (!holds.ok()) continue;  // retention says so
    for (const log::Hold& hold : *holds) {
      if (!hold.name.starts_with(kHoldPrefix) || needed.contains(hold.name)) continue;
      MILLRACE_RETURN_IF_ERROR(log::RemoveHold(files_, log_folder_, topic, hold.name));
    }
  }
  return OkStatus();
}

Status Broker::Load(const std::string& path, const ResourceName& name, bool is_snapshot) {
  MILLRACE_ASSIGN_OR_RETURN(RecoveredState recovered, ReadStateFile(files_, path));
  if (is_snapshot) {
    snapshots_[name] = {.id = recovered.id, .state = std::move(recovered.state)};
    return OkStatus();
  }
  if (recovered.torn_bytes > 0) {
    options_.report(path + ": cut off a torn end of " + std::to_string(recovered.torn_bytes) + " bytes at position " +
                    std::to_string(recovered.bytes) + "; nobody was told that it was written");
  }
  MILLRACE_ASSIGN_OR_RETURN(auto journal, StateJournal::Open(files_, path, recovered, options_.sync));
  MILLRACE_ASSIGN_OR_RETURN(auto feed, FeedOf(&recovered.state));
  subscriptions_[name] = std::make_shared<Subscription>(std::move(journal), std::move(recovered.state), std::move(feed),
                                                        clock_, options_.limits);
  return OkStatus();
}

// Null when the topic is not there any more, or the subscription was detached from it.
StatusOr<std::unique_ptr<RecordFeed>> Broker::FeedOf(SubscriptionState* state) {
  if (state->settings.detached) return std::unique_ptr<RecordFeed>();
  MILLRACE_ASSIGN_OR_RETURN(const ResourceName topic, ParseTopicName(state->settings.topic));
  const StatusOr<std::shared_ptr<const log::LogReader>> reader = ReaderOf(topic.id);
  if (!reader.ok() && reader.status().code() == StatusCode::kNotFound) return std::unique_ptr<RecordFeed>();
  MILLRACE_RETURN_IF_ERROR(reader.status());
  if ((*reader)->topic().id != state->settings.topic_id) return std::unique_ptr<RecordFeed>();
  MILLRACE_ASSIGN_OR_RETURN(const log::Cut end, (*reader)->End());
  if (end.size() != state->acked.size()) {
    return DataLossError(state->settings.name + " has " + std::to_string(state->acked.size()) +
                         " partitions and its topic " + std::to_string(end.size()));
  }
  for (std::size_t p = 0; p < end.size(); ++p) {
    if (state->acked[p].through() <= end[p]) continue;
    options_.report(state->settings.name + ": partition " + std::to_string(p) + " ends at offset " +
                    std::to_string(end[p]) + ", before " + std::to_string(state->acked[p].through()) +
                    ", which was acknowledged: the log has lost it in a crash of the machine");
    state->acked[p].Truncate(end[p]);
  }
  return std::make_unique<RecordFeed>(*reader, state->through());
}

StatusOr<log::Cut> Broker::EndOf(const std::string& topic, const log::LogReader& reader) {
  if (std::optional<log::Cut> written = writers_->EndOf(topic)) return *std::move(written);
  return reader.End();
}

void Broker::WakeTopic(const std::string& topic) {
  const std::lock_guard lock(wake_mutex_);
  woken_topics_.insert(topic);
  wake_.notify_one();
}

void Broker::DeliverLoop(const std::stop_token& stop) {
  Duration polled_at = clock_.Monotonic();
  while (!stop.stop_requested()) {
    std::set<std::string> woken;
    {
      std::unique_lock lock(wake_mutex_);
      wake_.wait_for(lock, stop, kPollEvery, [this] { return !woken_topics_.empty(); });
      woken.swap(woken_topics_);
    }
    const bool polls_all = clock_.Monotonic() - polled_at >= kPollEvery;
    if (polls_all) polled_at = clock_.Monotonic();
    for (const auto& subscription : ListSubscriptions()) {
      if (polls_all || woken.contains(subscription->log_topic())) subscription->Poll();
    }
    std::this_thread::sleep_for(kWakePause);
  }
}

void Broker::KeepLoop(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any stopped;
  std::unique_lock lock(mutex);
  Duration synced_at = clock_.Monotonic();
  Duration kept_at = synced_at;
  std::map<std::uint64_t, std::string> problems;  // that were told last, by subscription
  while (!stopped.wait_for(lock, stop, kFlushEvery, [&stop] { return stop.stop_requested(); })) {
    const Duration now = clock_.Monotonic();
    const bool syncs = options_.sync == log::SyncPolicy::kInterval && now - synced_at >= kSyncEvery;
    if (syncs) synced_at = now;
    for (const auto& subscription : ListSubscriptions()) {
      const Status flushed = subscription->journal().Flush(syncs);
      std::string& problem = problems[subscription->id()];
      if (!flushed.ok() && flushed.message() != problem) options_.report("acknowledgements: " + flushed.message());
      problem = flushed.ok() ? "" : flushed.message();
    }
    if (now - kept_at >= kKeepEvery) {
      kept_at = now;
      KeepSlowly();
      std::erase_if(problems, [](const auto& one) { return one.second.empty(); });
    }
  }
}

void Broker::KeepSlowly() {
  writers_->Keep();
  ExpireSnapshots();
  for (const auto& subscription : ListSubscriptions()) {
    if (!subscription->IsActive()) subscription->Rest();
    if (!subscription->HasTopic() || !IsHoldDue(subscription->id())) continue;
    UpdateHold(subscription->id(), subscription->settings(), subscription->through());
  }
}

void Broker::ExpireSnapshots() {
  const Timestamp now = clock_.Now();
  std::vector<ResourceName> expired;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [name, snapshot] : snapshots_) {
      if (snapshot.state.settings.expires_at.value_or(Timestamp::Max()) <= now) expired.push_back(name);
    }
  }
  for (const ResourceName& name : expired) {
    if (const Status deleted = DeleteSnapshot(name); !deleted.ok()) options_.report(deleted.message());
  }
}

// The first offsets that the log must keep.
StatusOr<log::Cut> Broker::HeldBy(const SubscriptionSettings& settings, log::Cut through, Hold* hold) {
  log::Cut cut = std::move(through);
  if (settings.expires_at) return cut;  // a snapshot, which has an end of its own
  MILLRACE_ASSIGN_OR_RETURN(const ResourceName topic, ParseTopicName(settings.topic));
  MILLRACE_ASSIGN_OR_RETURN(const auto reader, ReaderOf(topic.id));
  if (hold->oldest.empty() || clock_.Monotonic() - hold->oldest_at >= kOldestEvery) {
    log::Cut oldest;
    for (std::int32_t p = 0; p < reader->topic().partitions; ++p) {
      const Timestamp from = clock_.Now() - settings.message_retention;
      MILLRACE_ASSIGN_OR_RETURN(const std::int64_t offset, reader->OffsetOfPublishTime(p, from));
      oldest.push_back(offset);
    }
    hold->oldest = std::move(oldest);
    hold->oldest_at = clock_.Monotonic();
  }
  for (std::size_t p = 0; p < cut.size(); ++p) {
    cut[p] = settings.retain_acked_messages ? hold->oldest[p] : std::max(cut[p], hold->oldest[p]);
  }
  return cut;
}

bool Broker::IsHoldDue(std::uint64_t id) {
  const std::lock_guard lock(mutex_);
  Hold& hold = holds_[id];
  const Duration now = clock_.Monotonic();
  if (hold.updated_at != Duration::min() && now - hold.updated_at < kHoldEvery) return false;
  hold.updated_at = now;
  return true;
}

void Broker::UpdateHold(std::uint64_t id, const SubscriptionSettings& settings, log::Cut through) {
  Hold hold;
  {
    const std::lock_guard lock(mutex_);
    hold = holds_[id];
  }
  const StatusOr<log::Cut> cut = HeldBy(settings, std::move(through), &hold);
  if (!cut.ok() || *cut == hold.cut) return;
  const StatusOr<ResourceName> topic = ParseTopicName(settings.topic);
  if (!topic.ok()) return;
  hold.cut = *cut;
  const Status held = log::SetHold(
      files_, log_folder_, topic->id,
      {.name = HoldNameOf(id), .next_offsets = *cut, .updated_at = Timestamp::FromMillis(clock_.Now().millis())});
  // Retention may have removed what was out of the subscription's retention; what is left is held the next time.
  if (!held.ok() && held.code() != StatusCode::kOutOfRange) options_.report(held.message());
  if (!held.ok()) return;
  const std::lock_guard lock(mutex_);
  holds_[id] = std::move(hold);
}

// Before a seek: what is there now and what will be wanted then.
void Broker::HoldForSeek(const Subscription& subscription, const SubscriptionState& target) {
  log::Cut cut = subscription.through();
  for (std::size_t p = 0; p < cut.size() && p < target.acked.size(); ++p) {
    cut[p] = std::min(cut[p], target.acked[p].through());
  }
  UpdateHold(subscription.id(), target.settings, std::move(cut));
}

void Broker::RemoveHold(std::uint64_t id, const SubscriptionSettings& settings) {
  {
    const std::lock_guard lock(mutex_);
    holds_.erase(id);
  }
  const StatusOr<ResourceName> topic = ParseTopicName(settings.topic);
  if (!topic.ok()) return;
  const Status removed = log::RemoveHold(files_, log_folder_, topic->id, HoldNameOf(id));
  if (!removed.ok() && removed.code() != StatusCode::kNotFound) options_.report(removed.message());
}

}  // namespace millrace::pubsub
