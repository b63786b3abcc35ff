// How fast all sources of a run may read together, and whether they may at all.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <utility>

namespace millrace::native {

/// Any thread may call it. What was not read in time is made up for, but for no more than a second.
class ReadPace {
 public:
  ReadPace(double elements_per_s_max, std::shared_ptr<std::atomic<bool>> paused)
      : ns_per_element_(elements_per_s_max > 0 ? 1e9 / elements_per_s_max : 0), paused_(std::move(paused)) {}

  bool MayRead() const {
    if (paused_ != nullptr && paused_->load(std::memory_order_relaxed)) return false;
    return ns_per_element_ == 0 || next_ns_.load(std::memory_order_relaxed) <= NowNs();
  }
  void Count(std::int64_t elements) {
    if (ns_per_element_ == 0) return;
    const auto cost = static_cast<std::int64_t>(static_cast<double>(elements) * ns_per_element_);
    const std::int64_t earliest = NowNs() - kBurstNs;
    std::int64_t next = next_ns_.load(std::memory_order_relaxed);
    while (!next_ns_.compare_exchange_weak(next, std::max(next, earliest) + cost, std::memory_order_relaxed)) {
    }
  }
  bool limits() const { return ns_per_element_ > 0 || paused_ != nullptr; }

 private:
  static constexpr std::int64_t kBurstNs = 1'000'000'000;
  static std::int64_t NowNs() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
  }

  const double ns_per_element_;
  const std::shared_ptr<std::atomic<bool>> paused_;
  std::atomic<std::int64_t> next_ns_{NowNs()};
};

}  // namespace millrace::native
