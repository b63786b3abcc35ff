// Archives a topic as long as it lives: what a process of a topology does beside its pipeline.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <thread>

#include "cli/directory_lock.h"
#include "cli/verbs.h"
#include "millrace/core/status.h"

namespace millrace::cli {

/// One thread of its own. Of the processes of a data directory that have one, the first archives; the others wait for
/// it to end, however it ends, and the first to see it goes on. An error that may pass is tried again; where a process
/// that is none of these, as the verb `archive run`, has taken the archive over, it is left to that one.
class TopicArchiver {
 public:
  TopicArchiver(const Invocation& invocation, std::function<void(const std::string& message)> report);
  /// Waits for the round that goes on.
  ~TopicArchiver();
  TopicArchiver(const TopicArchiver&) = delete;
  TopicArchiver& operator=(const TopicArchiver&) = delete;

 private:
  void Loop(const Invocation& invocation);
  StatusOr<DirectoryLock> TakeTurn(const Invocation& invocation);
  void Pause(const Invocation& invocation) const;
  Status Archive(const Invocation& invocation);

  const std::function<void(const std::string& message)> report_;
  std::atomic<bool> stop_{false};
  std::string told_;  // of the thread: the process that it says it waits for
  std::thread thread_;
};

}  // namespace millrace::cli
