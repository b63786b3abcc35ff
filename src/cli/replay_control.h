// Follows a replay: how far it has come, whether it has caught up, and what becomes of it then.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "cli/topic_archiver.h"
#include "cli/verbs.h"
#include "log/topic.h"
#include "millrace/runner/run_options.h"
#include "millrace/runner/status.h"

namespace millrace::cli {

/// When a replay takes the place of what is read.
struct PromotePolicy {
  enum class When { kNever, kCaughtUp, kEqual, kExpected };
  When when = When::kCaughtUp;
  std::string expectation;  // the file of kExpected
  std::string text;         // as it was given

  /// INVALID_ARGUMENT for anything else than `ReplayOptions::promote` says.
  static StatusOr<PromotePolicy> Parse(const std::string& text);
};

/// Of one process. It watches on a thread of its own.
///
/// A replay has caught up when it has read all that the log held when it was looked at, and a checkpoint that began
/// after that is committed: then its results are no older than those of a run beside it, and it archives the topic when
/// nobody else does.
class ReplayControl {
 public:
  ReplayControl(const Invocation& invocation, const Pipeline& pipeline, std::uint64_t generation, PromotePolicy policy,
                log::Cut cut);
  ~ReplayControl();
  ReplayControl(const ReplayControl&) = delete;
  ReplayControl& operator=(const ReplayControl&) = delete;

  /// Begins to watch; until `Stop`.
  void Watch(std::shared_ptr<StatusBoard> board);
  void Stop();

  /// For `StatusBoard::Add`: adds how far the replay has come.
  void AddTo(RunStatus& status);
  /// Gives the progress a fraction.
  void AddTo(Progress& progress);
  /// `pause`, `resume` and `cancel`, for the server.
  std::map<std::string, std::function<StatusOr<std::string>()>> Actions();

  const std::shared_ptr<std::atomic<bool>>& paused() const { return paused_; }
  const std::shared_ptr<std::atomic<bool>>& cancel() const { return cancel_; }
  /// Whether it was cancelled, and its generation is to be removed.
  bool cancelled() const { return cancelled_; }
  /// After a run that has come to its end, as that of a closed topic does: what was not promoted yet is now.
  void ConcludeFinished();
  /// OK, or why it was not promoted when it had caught up.
  Status refusal() const;

 private:
  void Loop();
  bool HasCaughtUp(const RunStatus& status);
  bool IsComparable();
  void Decide();
  Status Promote();
  Status CheckDifference();
  void Say(const std::string& text) const;

  const Invocation& invocation_;
  const Pipeline& pipeline_;
  const std::uint64_t generation_;
  const PromotePolicy policy_;
  const log::Cut cut_;
  const std::shared_ptr<std::atomic<bool>> paused_ = std::make_shared<std::atomic<bool>>(false);
  const std::shared_ptr<std::atomic<bool>> cancel_ = std::make_shared<std::atomic<bool>>(false);
  std::atomic<bool> cancelled_{false};
  std::atomic<bool> stop_{false};
  std::shared_ptr<StatusBoard> board_;
  std::thread thread_;

  // Of the watching thread.
  std::optional<std::uint64_t> caught_up_in_;  // the epoch that was committed last when all was read
  std::optional<Timestamp> compared_from_;     // the watermark of what it is compared with, when all was read
  std::unique_ptr<TopicArchiver> archiver_;

  mutable std::mutex mutex_;  // guards what follows
  ReplayStatus status_;
  Status refusal_;
};

}  // namespace millrace::cli
