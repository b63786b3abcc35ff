// Which windows of an aggregation are open, which are due to fire and which have expired. No thread, no clock: it is
// driven by what it is told of the watermark.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "millrace/core/windowing.h"

namespace millrace::engine {

/// What is due for a window.
struct Firing {
  enum class Kind : std::uint8_t { kOnTime, kExpired };
  BoundedWindow window;
  Kind kind;
};

/// Beam's rules: a window fires on time when the watermark is past its end, and expires when the watermark is past its
/// end by the allowed lateness; an element is late if its window has expired.
class WindowSet {
 public:
  explicit WindowSet(WindowingStrategy strategy) : strategy_(strategy) {}

  /// Opens the window unless it is open or has expired; false if it has expired.
  bool Admit(const BoundedWindow& window);
  bool Expired(const BoundedWindow& window) const;
  bool PastOnTime(const BoundedWindow& window) const;

  /// Moves the watermark; going back is ignored. Then `Next` gives what is due, the earliest first, until nothing is.
  void AdvanceWatermark(Timestamp watermark);
  std::optional<Firing> Next();

  Timestamp watermark() const { return watermark_; }
  std::size_t open() const { return expiries_.size(); }
  /// The open window that ends first.
  std::optional<BoundedWindow> Oldest() const {
    return expiries_.empty() ? std::nullopt : std::optional(*expiries_.begin());
  }
  std::vector<BoundedWindow> OpenWindows() const;
  bool IsOpen(const BoundedWindow& window) const { return expiries_.contains(window); }
  bool IsUnfired(const BoundedWindow& window) const { return unfired_.contains(window); }

  /// Opens a window as it was when a checkpoint was taken. Before the watermark is set again.
  void Restore(const BoundedWindow& window, bool unfired);

 private:
  // Ordered by end, as that is what the watermark passes.
  struct ByEnd {
    bool operator()(const BoundedWindow& a, const BoundedWindow& b) const {
      return a.end != b.end ? a.end < b.end : a.start < b.start;
    }
  };

  WindowingStrategy strategy_;
  Timestamp watermark_ = Timestamp::Min();
  std::set<BoundedWindow, ByEnd> unfired_;   // open, on-time firing still to come
  std::set<BoundedWindow, ByEnd> expiries_;  // all open windows
};

/// The windows of sliding windows that contain a slice, the earliest first, and the slices of a window.
std::vector<BoundedWindow> WindowsOfSlice(const WindowFn& fn, const BoundedWindow& slice);
std::vector<BoundedWindow> SlicesOfWindow(const BoundedWindow& window, std::int64_t slice_micros);
/// The greatest length that divides both size and period.
std::int64_t SliceMicros(const WindowFn& fn);

}  // namespace millrace::engine
