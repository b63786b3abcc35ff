// Ctrl-C: the first SIGINT or SIGTERM asks the run to stop, the second one ends the process.
#pragma once

#include <signal.h>

#include <atomic>
#include <memory>

namespace millrace::cli {

/// Takes the signals over as long as it lives. One at a time in a process.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  /// True once a signal has come; for `RunOptions::cancel`.
  const std::shared_ptr<std::atomic<bool>>& stop() const { return stop_; }
  /// The signal that came, or 0.
  int signal() const;

 private:
  std::shared_ptr<std::atomic<bool>> stop_;
  struct sigaction old_interrupt_{};
  struct sigaction old_terminate_{};
};

}  // namespace millrace::cli
