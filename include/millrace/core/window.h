// Windows, window functions and panes, with the meaning they have in the Beam model
// (https://beam.apache.org/documentation/programming-guide/#windowing).
#pragma once

#include <compare>
#include <cstdint>
#include <ostream>
#include <string>

#include "millrace/core/timestamp.h"

namespace millrace {

/// A finite span of event time, `start` inclusive and `end` exclusive; the global window is one of them.
/// Beam's IntervalWindow and GlobalWindow in one trivially copyable type.
struct BoundedWindow {
  Timestamp start = Timestamp::Min();
  Timestamp end = Timestamp::Max() - std::chrono::days(1);

  static constexpr BoundedWindow Global() { return {}; }
  constexpr bool is_global() const { return *this == Global(); }
  /// The last timestamp that belongs to the window, and the timestamp of what is computed from it.
  constexpr Timestamp max_timestamp() const { return end - Duration(1); }
  /// "[2001-01-01T00:00:00Z, 2001-01-01T01:00:00Z)" or "global".
  std::string ToString() const;

  friend constexpr auto operator<=>(const BoundedWindow&, const BoundedWindow&) = default;
};
std::ostream& operator<<(std::ostream& out, const BoundedWindow& window);

/// Beam's PaneInfo: which of a window's firings produced an element.
struct PaneInfo {
  enum class Timing : std::uint8_t { kEarly, kOnTime, kLate, kUnknown };

  Timing timing = Timing::kUnknown;
  bool is_first = true;
  bool is_last = true;
  std::int64_t index = 0;                 // of all panes of this key and window, from 0
  std::int64_t nonspeculative_index = 0;  // of the on-time and late panes, from 0; −1 for an early pane

  friend constexpr bool operator==(const PaneInfo&, const PaneInfo&) = default;
};
/// "EARLY", "ON_TIME", "LATE" or "UNKNOWN".
std::string ToString(PaneInfo::Timing timing);

/// One window for all of time: what a PCollection has until `WindowInto` says otherwise.
struct GlobalWindows {};

/// Consecutive windows of `size`, each starting at a multiple of it plus `offset` since the epoch.
struct FixedWindows {
  Duration size;
  Duration offset{0};
};

/// Windows of `size`, one starting every `period`; an element belongs to about size/period of them.
struct SlidingWindows {
  Duration size;
  Duration period;
  Duration offset{0};
};

/// Windows of activity, for each key its own: an element begins a window that ends `gap` after it, and windows of one
/// key that overlap are merged by the next aggregation. So a session ends when nothing has come for `gap`.
struct Sessions {
  Duration gap;
};

/// A window function as the engine sees it.
struct WindowFn {
  enum class Kind : std::uint8_t { kGlobal, kFixed, kSliding, kSessions };

  Kind kind = Kind::kGlobal;
  std::int64_t size_micros = 0;    // of sessions: the gap
  std::int64_t period_micros = 0;  // of fixed windows: the size; of sessions: 1, so that a window starts at its element
  std::int64_t offset_micros = 0;

  constexpr WindowFn() = default;
  constexpr WindowFn(GlobalWindows) {}  // NOLINT: implicit by design, as are the next three
  constexpr WindowFn(FixedWindows fixed)
      : kind(Kind::kFixed),
        size_micros(fixed.size.count()),
        period_micros(fixed.size.count()),
        offset_micros(fixed.offset.count()) {}
  constexpr WindowFn(SlidingWindows sliding)
      : kind(Kind::kSliding),
        size_micros(sliding.size.count()),
        period_micros(sliding.period.count()),
        offset_micros(sliding.offset.count()) {}
  constexpr WindowFn(Sessions sessions) : kind(Kind::kSessions), size_micros(sessions.gap.count()), period_micros(1) {}

  /// An element may belong to more than one window.
  constexpr bool assigns_many() const { return kind == Kind::kSliding; }
  /// Windows of one key that overlap are merged; what the window function gives are windows of single elements.
  constexpr bool merges() const { return kind == Kind::kSessions; }
  /// The start of the last window that holds `time`, in microseconds. A window that would start before
  /// `Timestamp::Min()` is cut off there. Not for the global window.
  constexpr std::int64_t LastStart(Timestamp time) const {
    std::int64_t shifted = 0;
    std::int64_t start = 0;
    if (!__builtin_sub_overflow(time.micros(), offset_micros, &shifted)) [[likely]] {
      std::int64_t remainder = shifted % period_micros;
      if (remainder < 0) remainder += period_micros;
      if (!__builtin_sub_overflow(time.micros(), remainder, &start) && start >= Timestamp::Min().micros()) [[likely]] {
        return start;
      }
    }
    return Cut(WideLastStart(time));
  }
  /// The last window that starts at `start_micros`, which `LastStart` gave.
  constexpr BoundedWindow At(std::int64_t start_micros) const {
    const Timestamp start = Timestamp::FromMicros(start_micros);
    if (start == Timestamp::Min()) [[unlikely]] {
      return {start, Timestamp::FromMicros(Cut(WideLastStart(start) + size_micros))};
    }
    return {start, start + Duration(size_micros)};
  }
  /// Some window of `time` may be cut off by the beginning or the end of time.
  constexpr bool NearEndsOfTime(Timestamp time) const {
    const Duration size(size_micros);
    const Duration period(period_micros);
    return time < Timestamp::Min() + size + size + period || time > Timestamp::Max() - size - size - period;
  }
  /// Calls `visit(BoundedWindow)` for each window of `time`, the earliest first.
  template <class Visit>
  constexpr void ForEachWindow(Timestamp time, Visit&& visit) const {
    if (kind == Kind::kGlobal) {
      visit(BoundedWindow::Global());
      return;
    }
    if (kind == Kind::kSessions) {
      visit(At(LastStart(time)));
      return;
    }
    if (NearEndsOfTime(time)) [[unlikely]] {
      ForEachWideWindow(time, visit);
      return;
    }
    const std::int64_t last = LastStart(time);
    std::int64_t first = last - (size_micros - 1) / period_micros * period_micros;
    while (first + size_micros <= time.micros()) first += period_micros;
    for (std::int64_t start = first; start <= last; start += period_micros) visit(At(start));
  }

  /// "GlobalWindows", "FixedWindows(1h)", "SlidingWindows(6h every 1h)", "Sessions(gap 30m)".
  std::string ToString() const;
  friend constexpr bool operator==(const WindowFn&, const WindowFn&) = default;

 private:
  // Near the ends of time the starts of windows do not fit into 64 bits.
  __extension__ using Wide = __int128;

  constexpr Wide WideLastStart(Timestamp time) const {
    Wide remainder = (static_cast<Wide>(time.micros()) - offset_micros) % period_micros;
    if (remainder < 0) remainder += period_micros;
    return time.micros() - remainder;
  }
  static constexpr std::int64_t Cut(Wide micros) {
    if (micros < Timestamp::Min().micros()) return Timestamp::Min().micros();
    return static_cast<std::int64_t>(micros > Timestamp::Max().micros() ? Timestamp::Max().micros() : micros);
  }
  template <class Visit>
  constexpr void ForEachWideWindow(Timestamp time, Visit& visit) const {
    const Wide last = WideLastStart(time);
    Wide first = last - static_cast<Wide>((size_micros - 1) / period_micros) * period_micros;
    while (first + size_micros <= time.micros()) first += period_micros;
    for (Wide start = first; start <= last; start += period_micros) {
      visit(BoundedWindow{Timestamp::FromMicros(Cut(start)), Timestamp::FromMicros(Cut(start + size_micros))});
    }
  }
};

}  // namespace millrace
