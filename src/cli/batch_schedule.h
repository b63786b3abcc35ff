// Has the batch layer compute what is due, beside a run: in a process of its own that gives way to the run.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "cli/verbs.h"
#include "millrace/core/status.h"

namespace millrace::cli {

/// `recompute`, with the options of this process, to its end. CANCELLED where `stop` became true: it is then told to
/// stop, too, and awaited. UNKNOWN where it failed; what it has to say is on the standard error.
Status RunRecompute(const Invocation& invocation, const std::atomic<bool>& stop);

/// One thread of its own. A partition is due once the watermark of a committed checkpoint has passed it by
/// `--batch_delay` and all that this checkpoint has read is archived; then what late records have made dirty is
/// computed as well. An error is told and tried again with the next partition that is due.
class BatchSchedule {
 public:
  BatchSchedule(const Invocation& invocation, std::function<void(const std::string& message)> report);
  ~BatchSchedule();
  BatchSchedule(const BatchSchedule&) = delete;
  BatchSchedule& operator=(const BatchSchedule&) = delete;

 private:
  void Loop(const Invocation& invocation);

  const std::function<void(const std::string& message)> report_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace millrace::cli
