// The windows of fixed size that are open at once: one while the input is in order, a few while it is not.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

namespace millrace::nexmark {

/// Holds a `Pane` per open window. A window closes when an event time has been seen that lies `max_disorder_ms` or
/// more after its end; closing is in the order of time and hands the pane out. A `Pane` is default constructible and
/// has `Clear()`; panes are used again. Not thread safe.
template <class Pane>
class OpenWindows {
 public:
  OpenWindows(std::int64_t size_ms, std::int64_t max_disorder_ms)
      : size_ms_(size_ms), max_disorder_ms_(max_disorder_ms) {}

  /// The pane of the window that holds `time_ms`. Windows that are over are closed first, each by
  /// `close(start_ms, pane)`.
  template <class Close>
  Pane& At(std::int64_t time_ms, Close&& close) {
    if (static_cast<std::uint64_t>(time_ms - current_start_ms_) >= static_cast<std::uint64_t>(size_ms_)) [[unlikely]] {
      CloseUpTo(time_ms - max_disorder_ms_, close);
      Switch(time_ms);
    }
    return *current_;
  }

  /// Closes every window.
  template <class Close>
  void CloseAll(Close&& close) {
    CloseUpTo(std::numeric_limits<std::int64_t>::max(), close);
  }

 private:
  struct Window {
    std::int64_t start_ms;
    std::unique_ptr<Pane> pane;
  };

  template <class Close>
  [[gnu::noinline]] void CloseUpTo(std::int64_t watermark_ms, Close& close) {
    std::size_t closed = 0;
    while (closed < open_.size() && open_[closed].start_ms + size_ms_ <= watermark_ms) {
      close(open_[closed].start_ms, *open_[closed].pane);
      open_[closed].pane->Clear();
      free_.push_back(std::move(open_[closed].pane));
      ++closed;
    }
    open_.erase(open_.begin(), open_.begin() + static_cast<std::ptrdiff_t>(closed));
  }

  [[gnu::noinline]] void Switch(std::int64_t time_ms) {
    current_start_ms_ = time_ms - time_ms % size_ms_;
    auto position = open_.begin();
    while (position != open_.end() && position->start_ms < current_start_ms_) ++position;
    if (position == open_.end() || position->start_ms != current_start_ms_) {
      std::unique_ptr<Pane> pane;
      if (free_.empty()) {
        pane = std::make_unique<Pane>();
      } else {
        pane = std::move(free_.back());
        free_.pop_back();
      }
      position = open_.insert(position, Window{current_start_ms_, std::move(pane)});
    }
    current_ = position->pane.get();
  }

  std::int64_t size_ms_;
  std::int64_t max_disorder_ms_;
  std::int64_t current_start_ms_ = std::numeric_limits<std::int64_t>::min() / 2;
  Pane* current_ = nullptr;
  std::vector<Window> open_;  // by start
  std::vector<std::unique_ptr<Pane>> free_;
};

}  // namespace millrace::nexmark
