// The writers of the log's topics that this process publishes to. A topic has one writer at a time in all processes:
// it is taken at the first Publish and given back when nothing was published for a while.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/file_system.h"
#include "log/log_writer.h"
#include "millrace/core/status.h"

namespace millrace::pubsub {

struct TopicWritersOptions {
  std::int32_t partitions = log::kPartitionsDefault;  // of new topics
  log::SyncPolicy sync = log::SyncPolicy::kAlways;
  Duration idle_after = std::chrono::seconds(5);
  std::string holder = "a Pub/Sub server";
};

/// What a topic keeps; nothing: all.
using RetentionOf = std::function<std::optional<Duration>(const std::string& topic)>;

/// Thread safe.
class TopicWriters {
 public:
  TopicWriters(base::FileSystem& files, std::string log_folder, TopicWritersOptions options,
               const base::WallClock& clock, RetentionOf retention_of);
  /// Closes all.
  ~TopicWriters();

  /// Makes a topic. ALREADY_EXISTS.
  Status Create(const std::string& topic);
  /// Calls `use` with the topic's writer. NOT_FOUND; UNAVAILABLE names the process that holds it.
  Status Use(const std::string& topic, const std::function<Status(log::LogWriter&)>& use);
  /// The end of each partition as this process has written it; nothing when it does not write the topic now.
  std::optional<log::Cut> EndOf(const std::string& topic);
  /// Closes the topic's writer, when nobody uses it any more.
  Status GiveBack(const std::string& topic);

  /// Closes the writers that were idle for long enough, and lets retention remove what it may. From time to time.
  void Keep();

 private:
  struct Entry {
    std::mutex opening;
    std::unique_ptr<log::LogWriter> writer;
    int users = 0;
    bool closing = false;
    Duration used_at = {};
  };
  StatusOr<std::shared_ptr<Entry>> Acquire(const std::string& topic, bool creates);
  void Release(Entry& entry);
  Status Close(const std::shared_ptr<Entry>& entry, std::unique_lock<std::mutex>& lock);
  Status Open(const std::string& topic, bool creates, Entry& entry);

  base::FileSystem& files_;
  const std::string log_folder_;
  const TopicWritersOptions options_;
  const base::WallClock& clock_;
  const RetentionOf retention_of_;
  std::mutex mutex_;
  std::condition_variable released_;
  std::map<std::string, std::shared_ptr<Entry>> entries_;
};

}  // namespace millrace::pubsub
