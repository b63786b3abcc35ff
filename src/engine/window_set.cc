#include "engine/window_set.h"

#include <numeric>

namespace millrace::engine {

bool WindowSet::Expired(const BoundedWindow& window) const { return strategy_.ExpiryOf(window) < watermark_; }

bool WindowSet::PastOnTime(const BoundedWindow& window) const {
  return window.max_timestamp() < watermark_ && !unfired_.contains(window);
}

bool WindowSet::Admit(const BoundedWindow& window) {
  if (Expired(window)) return false;
  if (expiries_.insert(window).second) {
    // A window that begins after its end has passed has no on-time firing: it has only late elements.
    if (window.max_timestamp() >= watermark_) unfired_.insert(window);
  }
  return true;
}

void WindowSet::AdvanceWatermark(Timestamp watermark) {
  if (watermark > watermark_) watermark_ = watermark;
}

std::optional<Firing> WindowSet::Next() {
  const bool fires = !unfired_.empty() && unfired_.begin()->max_timestamp() < watermark_;
  const bool expires = !expiries_.empty() && Expired(*expiries_.begin());
  if (fires && (!expires || unfired_.begin()->max_timestamp() <= strategy_.ExpiryOf(*expiries_.begin()))) {
    const BoundedWindow window = *unfired_.begin();
    unfired_.erase(unfired_.begin());
    return Firing{window, Firing::Kind::kOnTime};
  }
  if (expires) {
    const BoundedWindow window = *expiries_.begin();
    expiries_.erase(expiries_.begin());
    unfired_.erase(window);
    return Firing{window, Firing::Kind::kExpired};
  }
  return std::nullopt;
}

void WindowSet::Restore(const BoundedWindow& window, bool unfired) {
  expiries_.insert(window);
  if (unfired) unfired_.insert(window);
}

std::vector<BoundedWindow> WindowSet::OpenWindows() const { return {expiries_.begin(), expiries_.end()}; }

std::vector<BoundedWindow> WindowsOfSlice(const WindowFn& fn, const BoundedWindow& slice) {
  std::vector<BoundedWindow> windows;
  fn.ForEachWindow(slice.start, [&](const BoundedWindow& window) { windows.push_back(window); });
  return windows;
}

std::vector<BoundedWindow> SlicesOfWindow(const BoundedWindow& window, std::int64_t slice_micros) {
  std::vector<BoundedWindow> slices;
  for (Timestamp start = window.start; start < window.end; start += Duration(slice_micros)) {
    slices.push_back({start, start + Duration(slice_micros)});
  }
  return slices;
}

std::int64_t SliceMicros(const WindowFn& fn) { return std::gcd(fn.size_micros, fn.period_micros); }

}  // namespace millrace::engine
