// The trigger state of one key and window, and the rule by which it fires. The rest of the trigger machinery, which
// needs no inlining, is `engine/window_set.h`.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "millrace/core/windowing.h"
#include "millrace/detail/state_coder.h"

namespace millrace::detail {

inline constexpr std::int64_t kNoDeadline = std::numeric_limits<std::int64_t>::max();

/// What a key and window remember between panes.
struct PaneCell {
  std::int64_t count = 0;                      // elements since the last pane
  std::int64_t deadline_micros = kNoDeadline;  // of processing time
  std::int32_t index = 0;                      // of the next pane
  std::int32_t nonspeculative_index : 31 = 0;  // of the next on-time or late pane
  bool all_late : 1 = false;                   // the first element came after the on-time firing of its window

  /// `elements` more have come, `past` the end of their window or not: true if the pane is to fire now.
  bool Add(const Trigger& window_trigger, bool past, std::int64_t elements, std::int64_t now_micros) {
    const PaneTrigger& trigger = past ? window_trigger.late : window_trigger.early;
    const bool first = count == 0;
    count += elements;
    if (past && first && index == 0) {
      all_late = true;
      // The watermark has passed already, and each key has a firing for that.
      if (window_trigger.on_time) return true;
    }
    if (trigger.count > 0 && count >= trigger.count) return true;
    if (first && trigger.delay_micros >= 0) deadline_micros = now_micros + trigger.delay_micros;
    return false;
  }

  /// The timing of a pane that fires now, as in Beam: without a firing at the watermark, the first pane after the end
  /// of the window is the on-time one, unless nothing of it had come by then.
  PaneInfo::Timing TimingOf(const Trigger& trigger, bool past) const {
    if (!past) return PaneInfo::Timing::kEarly;
    const bool on_time = !trigger.on_time && nonspeculative_index == 0 && !all_late;
    return on_time ? PaneInfo::Timing::kOnTime : PaneInfo::Timing::kLate;
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
    if (!speculative) nonspeculative_index = nonspeculative_index + 1;
    count = 0;
    deadline_micros = kNoDeadline;
    return info;
  }
};

/// A cell's bytes in a checkpoint (docs/formats/state.md).
[[gnu::noinline]] inline void AppendPane(const PaneCell& pane, std::string* out) {
  AppendVarint(static_cast<std::uint64_t>(pane.count), out);
  AppendFixed(pane.deadline_micros, out);
  AppendVarint(static_cast<std::uint64_t>(pane.index), out);
  AppendVarint(static_cast<std::uint64_t>(pane.nonspeculative_index) << 1 | (pane.all_late ? 1U : 0U), out);
}

[[gnu::noinline]] inline bool ReadPane(std::string_view* in, PaneCell* pane) {
  constexpr std::uint64_t kIndexMax = 0x3fff'ffff;
  std::uint64_t count = 0;
  std::uint64_t index = 0;
  std::uint64_t rest = 0;
  if (!ReadVarint(in, &count) || !ReadFixed(in, &pane->deadline_micros) || !ReadVarint(in, &index) ||
      !ReadVarint(in, &rest) || index > kIndexMax || rest >> 1 > kIndexMax || count >> 63 != 0) {
    return false;
  }
  pane->count = static_cast<std::int64_t>(count);
  pane->index = static_cast<std::int32_t>(index);
  pane->nonspeculative_index = static_cast<std::int32_t>(rest >> 1) & 0x3fff'ffff;
  pane->all_late = (rest & 1) != 0;
  return true;
}

}  // namespace millrace::detail
