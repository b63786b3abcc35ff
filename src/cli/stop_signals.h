// Ctrl-C: the first SIGINT or SIGTERM asks the run to stop, the second one ends the process. SIGUSR1, which the verb
// `drain --close_windows` sends, asks it to take its input as ended.
#pragma once

#include <signal.h>

#include <atomic>
#include <memory>

namespace millrace::cli {

/// Takes the signals over as long as it lives. One at a time in a process.
class StopSignals {
 public:
  /// `stop`: where others say so too; null: nobody does.
  explicit StopSignals(std::shared_ptr<std::atomic<bool>> stop = nullptr);
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  /// True once a signal has come; for `RunOptions::cancel`.
  const std::shared_ptr<std::atomic<bool>>& stop() const { return stop_; }
  /// True once SIGUSR1 has come; for `RunOptions::close_windows`.
  const std::shared_ptr<std::atomic<bool>>& close_windows() const { return close_windows_; }
  /// The signal that came, or 0.
  int signal() const;

 private:
  std::shared_ptr<std::atomic<bool>> stop_;
  std::shared_ptr<std::atomic<bool>> close_windows_;
  struct sigaction old_interrupt_{};
  struct sigaction old_terminate_{};
  struct sigaction old_close_{};
};

}  // namespace millrace::cli
