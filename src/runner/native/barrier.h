// Where the workers of a run meet: all of them come to a point before any goes on. Who waits goes on receiving, so that
// nobody waits for room in a queue for ever. Used before a run starts from a checkpoint, and to take one.
#pragma once

#include <atomic>
#include <cstdint>

namespace millrace::native {

/// Thread safe. The workers call `Arrive` equally often, each in the same order.
class Barrier {
 public:
  explicit Barrier(int workers) : workers_(static_cast<std::uint64_t>(workers)) {}

  /// Asks the workers to come; each looks at `requested` between two bundles.
  void Request() { requested_.store(true, std::memory_order_release); }
  void Answered() { requested_.store(false, std::memory_order_release); }
  bool requested() const { return requested_.load(std::memory_order_acquire); }

  /// Comes to the next point. `Reached` of the ticket tells when all have.
  std::uint64_t Arrive() {
    const std::uint64_t arrival = arrivals_.fetch_add(1, std::memory_order_acq_rel);
    return (arrival / workers_ + 1) * workers_;
  }
  bool Reached(std::uint64_t ticket) const { return arrivals_.load(std::memory_order_acquire) >= ticket; }

  /// A worker will not come any more: all have come to the end of their input, or the run ends.
  void Leave() { left_.fetch_add(1, std::memory_order_acq_rel); }
  bool deserted() const { return left_.load(std::memory_order_acquire) > 0; }

 private:
  const std::uint64_t workers_;
  std::atomic<bool> requested_{false};
  std::atomic<std::uint64_t> arrivals_{0};
  std::atomic<std::uint64_t> left_{0};
};

}  // namespace millrace::native
