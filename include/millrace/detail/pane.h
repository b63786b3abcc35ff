// The trigger state of one key and window, and the rule by which it fires. The rest of the trigger machinery, which
// needs no inlining, is `engine/window_set.h`.
#pragma once

#include <cstdint>
#include <limits>

#include "millrace/core/windowing.h"

namespace millrace::detail {

inline constexpr std::int64_t kNoDeadline = std::numeric_limits<std::int64_t>::max();

/// What a key and window remember between panes.
struct PaneCell {
  std::int64_t count = 0;                    // elements since the last pane
  std::int64_t deadline_micros = kNoDeadline;  // of processing time
  std::int32_t index = 0;                    // of the next pane
  std::int32_t nonspeculative_index = 0;     // of the next on-time or late pane

  /// `elements` more have come: true if the pane is to fire now.
  bool Add(const PaneTrigger& trigger, std::int64_t elements, std::int64_t now_micros) {
    const bool first = count == 0;
    count += elements;
    if (trigger.count > 0 && count >= trigger.count) return true;
    if (first && trigger.delay_micros >= 0) deadline_micros = now_micros + trigger.delay_micros;
    return false;
  }

  /// The pane that fires now; the cell is then ready for the next.
  PaneInfo Fire(PaneInfo::Timing timing, bool is_last) {
    const bool speculative = timing == PaneInfo::Timing::kEarly;
    const PaneInfo info{.timing = timing,
                        .is_first = index == 0,
                        .is_last = is_last,
                        .index = index,
                        .nonspeculative_index = speculative ? -1 : nonspeculative_index};
    ++index;
    if (!speculative) ++nonspeculative_index;
    count = 0;
    deadline_micros = kNoDeadline;
    return info;
  }
};

}  // namespace millrace::detail
