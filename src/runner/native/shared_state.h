// What the workers of one run share: restrictions still to be read, side inputs, and how the run ends.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "exec/plan.h"
#include "exec/read.h"
#include "millrace/detail/side_input_kernel.h"

namespace millrace::native {

/// Of a source's positions, how many there are and how many have been read.
struct ReadSpan {
  double total = 0;
  double read = 0;
  bool bounded = true;  // false: there is no telling
};

/// By partition of a source, the first position that is read of it.
using Beginnings = std::map<std::string, std::int64_t, std::less<>>;

/// Takes in those of `restrictions`.
void AddBeginnings(const std::vector<Restriction>& restrictions, Beginnings* beginnings);

/// One source's restrictions. Bounded ones are handed out in order to whoever asks; unbounded ones are dealt to the
/// workers in turn, and each worker keeps its own.
class SharedRestrictions final : public exec::RestrictionQueue {
 public:
  SharedRestrictions(std::vector<Restriction> restrictions, int workers);
  /// How many there are in all, those included that an earlier run has finished.
  std::uint64_t total() const { return total_; }
  void set_total(std::uint64_t total) { total_ = total; }
  /// Before anything is claimed: where the reading of each partition began. Of those that are not in it that is not
  /// known.
  void set_beginnings(Beginnings beginnings) { beginnings_ = std::move(beginnings); }
  /// Before anything is claimed: the reading of each restriction begins with it, as if there was no other.
  void set_each_alone() { is_each_alone_ = true; }

  std::optional<Restriction> Claim(int worker) override;
  std::vector<Restriction> Pending() const override;
  /// By whole restrictions: a worker that claims another one has read the one before.
  ReadSpan span() const;
  std::int64_t Began(const Restriction& restriction) const override;
  Timestamp PendingLow() const override { return Timestamp::FromMicros(low_.load(std::memory_order_acquire)); }

 private:
  void UpdateLow();

  std::uint64_t total_;
  Beginnings beginnings_;
  bool is_each_alone_ = false;
  mutable std::mutex mutex_;
  std::deque<Restriction> bounded_;
  std::deque<Timestamp> bounded_low_;               // the least event time of each restriction and all behind it
  std::vector<std::deque<Restriction>> unbounded_;  // by worker
  std::vector<double> in_hand_;                     // the bounded positions that each worker is reading
  ReadSpan span_;
  std::atomic<std::int64_t> low_{Timestamp::Max().micros()};
};

/// One side input, by window of its own windowing.
class SharedSideInput final : public detail::SideInputStore {
 public:
  SharedSideInput(const WindowFn& fn, detail::SideInputValue empty) : fn_(fn), empty_(std::move(empty)) {}

  void Publish(const BoundedWindow& window, detail::SideInputValue value) override;
  void CompleteThrough(Timestamp watermark) override;
  /// The value for the window that `main_window` maps to (Beam: the earliest that holds its last timestamp), or null.
  detail::SideInputValue Get(const BoundedWindow& main_window) const;

 private:
  WindowFn fn_;
  detail::SideInputValue empty_;
  mutable std::mutex mutex_;
  std::map<BoundedWindow, detail::SideInputValue> values_;
  Timestamp complete_ = Timestamp::Min();
};

/// The first failure ends the run.
class RunState {
 public:
  void Fail(Status status);
  void Cancel() { ended_.store(true, std::memory_order_release); }
  /// The run has failed or was cancelled: everyone is to stop.
  bool ended() const { return ended_.load(std::memory_order_acquire); }
  Status status() const;

 private:
  mutable std::mutex mutex_;
  Status status_;
  std::atomic<bool> ended_{false};
};

}  // namespace millrace::native
