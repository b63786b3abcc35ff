// Triggers and the windowing strategy: when a window's result is computed and what a later firing contains
// (https://beam.apache.org/documentation/programming-guide/#triggers).
#pragma once

#include <cstdint>
#include <string>

#include "millrace/core/window.h"

namespace millrace {

/// Fires when at least `count` elements have come for a key and window since its last firing. A firing happens at an
/// element, so every count is seen, but a runner that receives accumulators may see several elements at once.
struct AfterCount {
  std::int64_t count = 1;
};

/// Fires `delay` of processing time after the first element since the last firing of a key and window; never earlier,
/// and at most an eighth of `delay` (10 ms at least) later.
struct AfterProcessingTime {
  Duration delay{0};
};

/// What may fire before or after the watermark: nothing, or repeatedly at a count, a delay, or whichever comes first.
struct PaneTrigger {
  std::int64_t count = 0;          // 0: no count
  std::int64_t delay_micros = -1;  // −1: no delay

  constexpr PaneTrigger() = default;
  constexpr PaneTrigger(AfterCount after) : count(after.count) {}  // NOLINT: implicit by design, as is the next
  constexpr PaneTrigger(AfterProcessingTime after) : delay_micros(after.delay.count()) {}
  constexpr PaneTrigger(AfterCount at, AfterProcessingTime after)
      : count(at.count), delay_micros(after.delay.count()) {}

  constexpr bool fires() const { return count > 0 || delay_micros >= 0; }
  friend constexpr bool operator==(const PaneTrigger&, const PaneTrigger&) = default;
};

/// Beam's AfterWatermark.pastEndOfWindow() with early and late firings. Without `late`, what comes after the on-time
/// firing is lost, so Millrace, as Beam, refuses it together with an allowed lateness.
struct AfterWatermark {
  PaneTrigger early{};
  PaneTrigger late{};
};

/// Beam's default: at the watermark, then for each late element.
struct DefaultTrigger {};

/// Beam's Repeatedly.forever(...): no firing at the watermark, only by count or delay.
struct Repeatedly {
  PaneTrigger trigger{};
};

/// A trigger as the engine sees it.
struct Trigger {
  bool on_time = true;
  PaneTrigger early{};
  PaneTrigger late{};

  constexpr Trigger() : late(AfterCount{1}) {}
  constexpr Trigger(DefaultTrigger) : Trigger() {}  // NOLINT: implicit by design, as are the next two
  constexpr Trigger(AfterWatermark after) : early(after.early), late(after.late) {}
  constexpr Trigger(Repeatedly repeatedly) : on_time(false), early(repeatedly.trigger), late(repeatedly.trigger) {}

  std::string ToString() const;
  friend constexpr bool operator==(const Trigger&, const Trigger&) = default;
};

/// Whether a later pane of the same key and window contains what earlier ones did.
enum class AccumulationMode : std::uint8_t { kDiscarding, kAccumulating };

/// All that `WindowInto` sets; every PCollection has one.
struct WindowingStrategy {
  WindowFn window_fn{};
  Trigger trigger{};
  AccumulationMode accumulation_mode = AccumulationMode::kDiscarding;
  bool accumulation_mode_set = false;
  Duration allowed_lateness{0};
  /// The windows have been merged by an aggregation, so the next one takes them as they are, as in Beam.
  bool already_merged = false;

  /// An aggregation merges the windows of each key.
  constexpr bool merges() const { return window_fn.merges() && !already_merged; }
  /// When the watermark has passed this, the window is given up and what still comes for it is late: the window's last
  /// timestamp plus the allowed lateness, but, as in Beam, not beyond the end of the global window, so that time ends
  /// for every window.
  constexpr Timestamp ExpiryOf(const BoundedWindow& window) const {
    const Timestamp last = window.max_timestamp();
    const Timestamp end_of_time = BoundedWindow::Global().max_timestamp();
    const Timestamp expiry = last + allowed_lateness;
    return expiry <= end_of_time ? expiry : last > end_of_time ? last : end_of_time;
  }
  /// A window gives one pane only: nothing fires before the watermark and nothing can come after it.
  constexpr bool fires_once() const {
    return trigger.on_time && !trigger.early.fires() && allowed_lateness.count() == 0;
  }
  std::string ToString() const;
};

}  // namespace millrace
