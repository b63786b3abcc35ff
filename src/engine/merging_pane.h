// The trigger of a key and window where windows merge, by the rules of Beam's Java SDK (ReduceFnRunner and the state
// machines of its triggers). Beside what `detail/pane.h` has for windows that stay as they are, both of the triggers
// that may fire repeatedly, before and after the watermark, are kept going: a merged window may have its end before it
// again.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "millrace/core/windowing.h"
#include "millrace/detail/pane.h"

namespace millrace::engine {

/// One of two triggers that fire repeatedly.
struct RepeatedTrigger {
  std::int64_t count = 0;                              // elements since it fired
  std::int64_t deadline_micros = detail::kNoDeadline;  // of processing time

  void OnElement(const PaneTrigger& trigger, std::int64_t now_micros);
  bool Reached(const PaneTrigger& trigger) const { return trigger.count > 0 && count >= trigger.count; }
  void Clear() { *this = {}; }
};

/// What a key and a window remember between panes. `past` is always whether the watermark has passed the window's end.
struct MergingPane {
  RepeatedTrigger early;     // of a trigger without a firing at the watermark: the only one
  RepeatedTrigger late;      // used once `early_finished`
  std::int64_t pending = 0;  // elements since the last pane
  std::int32_t index = 0;    // of the next pane
  std::int32_t nonspeculative_index = 0;
  bool early_finished = false;  // the firing at the watermark has been made
  bool held = false;            // an element came before the window's end, and no pane has shown it

  /// An element has come: true if a pane is to fire now.
  bool OnElement(const Trigger& trigger, bool past, std::int64_t now_micros);
  /// When processing time makes a pane fire; kNoDeadline if it does not.
  std::int64_t DeadlineMicros() const { return early_finished ? late.deadline_micros : early.deadline_micros; }
  /// The firing at the watermark is still to come.
  bool AwaitsWatermark(const Trigger& trigger) const { return trigger.on_time && !early_finished; }
  /// The pane that fires now, `at_watermark`: because the watermark has passed the end. Afterwards ready for the next.
  PaneInfo Fire(const Trigger& trigger, bool past, bool at_watermark, bool is_last);

  /// For checkpoints; docs/formats/state.md.
  void AppendTo(std::string* out) const;
  bool ReadFrom(std::string_view* in);
};

/// What the windows with these panes become when they are merged. `survivor` is the one of them whose window is that of
/// the result, which goes on with its panes; where there is none, the result begins with its first pane.
MergingPane MergePanes(const Trigger& trigger, std::span<const MergingPane* const> parts, const MergingPane* survivor,
                       bool past);

}  // namespace millrace::engine
