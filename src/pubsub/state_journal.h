// A subscription's file: grows by what is acknowledged, several callers at a time, and is made small again. Format:
// docs/formats/pubsub.md.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/file_system.h"
#include "log/log_writer.h"
#include "millrace/core/status.h"
#include "pubsub/subscription_state.h"

namespace millrace::pubsub {

/// Thread safe. What is queued is written in the order of queueing.
class StateJournal {
 public:
  /// All that is acknowledged now, with what was queued before the call; called without locks of the journal.
  using CurrentState = std::function<SubscriptionState()>;

  /// Makes the file. ALREADY_EXISTS when it is there.
  static StatusOr<std::unique_ptr<StateJournal>> Create(base::FileSystem& files, const std::string& path,
                                                        std::uint64_t id, const SubscriptionState& state,
                                                        log::SyncPolicy sync);
  /// Opens a file that was read, and cuts its torn end off.
  static StatusOr<std::unique_ptr<StateJournal>> Open(base::FileSystem& files, const std::string& path,
                                                      const RecoveredState& recovered, log::SyncPolicy sync);

  /// Before the first call of the others.
  void SetCurrentState(CurrentState current) { current_ = std::move(current); }

  struct Group {
    bool done = false;
    Status status = {};
  };
  /// What to wait for.
  using Ticket = std::shared_ptr<Group>;

  Ticket QueueAcked(std::span<const AckedRange> ranges);
  Ticket QueueState(const SubscriptionState& state);
  /// Until it is as safe as the policy says. After an error nothing is known about it, but that the journal will be
  /// written anew before anything else.
  Status Await(const Ticket& ticket);
  /// Writes what nobody waits for; under kInterval, syncs what is not synced.
  Status Flush(bool sync);

  std::uint64_t id() const { return id_; }

 private:
  StateJournal(base::FileSystem& files, std::string path, std::uint64_t id, log::SyncPolicy sync)
      : files_(files), path_(std::move(path)), id_(id), sync_(sync) {}

  struct Pending {
    std::optional<SubscriptionState> state;
    std::vector<AckedRange> acked;  // behind it
    bool empty() const { return !state && acked.empty(); }
  };
  void Commit(std::unique_lock<std::mutex>& lock);
  Status Write(const Pending& pending);
  Status WriteAnew();

  base::FileSystem& files_;
  const std::string path_;
  const std::uint64_t id_;
  const log::SyncPolicy sync_;
  CurrentState current_;

  std::mutex mutex_;
  std::condition_variable changed_;
  Pending pending_;
  Ticket collecting_ = std::make_shared<Group>();
  bool committing_ = false;

  // Of who commits.
  std::unique_ptr<base::File> file_;
  std::uint64_t bytes_ = 0;
  std::uint64_t state_bytes_ = 0;  // when it was written anew last
  bool dirty_ = false;             // not synced
  bool broken_ = false;
};

}  // namespace millrace::pubsub
