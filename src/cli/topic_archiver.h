// Archives a topic as long as it lives: what a run of a topology does beside its pipeline.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <thread>

#include "cli/verbs.h"
#include "millrace/core/status.h"

namespace millrace::cli {

/// One thread of its own. An error that may pass is tried again; where another process has taken the archive over, this
/// one leaves it alone.
class TopicArchiver {
 public:
  TopicArchiver(const Invocation& invocation, std::function<void(const std::string& message)> report);
  /// Waits for the round that goes on.
  ~TopicArchiver();
  TopicArchiver(const TopicArchiver&) = delete;
  TopicArchiver& operator=(const TopicArchiver&) = delete;

 private:
  void Loop(const Invocation& invocation);
  Status Archive(const Invocation& invocation);

  const std::function<void(const std::string& message)> report_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace millrace::cli
