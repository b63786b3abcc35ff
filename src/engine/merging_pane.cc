#include "engine/merging_pane.h"

#include <algorithm>

#include "millrace/detail/state_coder.h"

namespace millrace::engine {

using detail::AppendVarint;
using detail::kNoDeadline;
using detail::ReadVarint;

void RepeatedTrigger::OnElement(const PaneTrigger& trigger, std::int64_t now_micros) {
  if (trigger.count > 0) ++count;
  if (trigger.delay_micros < 0 || deadline_micros != kNoDeadline) return;
  if (__builtin_add_overflow(now_micros, trigger.delay_micros, &deadline_micros)) deadline_micros = kNoDeadline;
}

bool MergingPane::OnElement(const Trigger& trigger, bool past, std::int64_t now_micros) {
  ++pending;
  held = held || !past;
  early.OnElement(trigger.early, now_micros);
  if (!trigger.on_time) return early.Reached(trigger.early);
  late.OnElement(trigger.late, now_micros);
  return early_finished ? late.Reached(trigger.late) : past || early.Reached(trigger.early);
}

PaneInfo MergingPane::Fire(const Trigger& trigger, bool past, bool at_watermark, bool is_last) {
  PaneInfo::Timing timing = PaneInfo::Timing::kEarly;
  if (past) {
    const bool on_time = nonspeculative_index == 0 && (at_watermark || held);
    timing = on_time ? PaneInfo::Timing::kOnTime : PaneInfo::Timing::kLate;
  }
  const PaneInfo info{.timing = timing,
                      .is_first = index == 0,
                      .is_last = is_last,
                      .index = index,
                      .nonspeculative_index = past ? nonspeculative_index : -1};
  ++index;
  if (past) ++nonspeculative_index;
  if (!early_finished) early.Clear();
  if (trigger.on_time && past) {
    early_finished = true;
    late.Clear();
  }
  pending = 0;
  held = false;
  return info;
}

MergingPane MergePanes(const Trigger& trigger, std::span<const MergingPane* const> parts, const MergingPane* survivor,
                       bool past) {
  MergingPane merged;
  if (survivor != nullptr) {
    merged.index = survivor->index;
    merged.nonspeculative_index = survivor->nonspeculative_index;
  }
  bool all_finished = true;
  bool any_finished = false;
  for (const MergingPane* part : parts) {
    all_finished = all_finished && part->early_finished;
    any_finished = any_finished || part->early_finished;
    merged.pending += part->pending;
    merged.held = merged.held || part->held;
  }
  // Once the watermark is past the end of all of them and of the result, it is done with; else it is to come (again).
  merged.early_finished = trigger.on_time && all_finished && past;
  for (const MergingPane* part : parts) {
    const RepeatedTrigger& from = merged.early_finished ? part->late : part->early;
    RepeatedTrigger& into = merged.early_finished ? merged.late : merged.early;
    into.count += from.count;
    into.deadline_micros = std::min(into.deadline_micros, from.deadline_micros);
  }
  if (merged.early_finished) return merged;
  // What a window has counted after its on-time firing does not count before that of the result.
  if (any_finished) merged.early.count = 0;
  if (survivor != nullptr && survivor->early_finished) merged.early.deadline_micros = kNoDeadline;
  return merged;
}

void MergingPane::AppendTo(std::string* out) const {
  AppendVarint(static_cast<std::uint64_t>(pending), out);
  for (const RepeatedTrigger* trigger : {&early, &late}) {
    AppendVarint(static_cast<std::uint64_t>(trigger->count), out);
    detail::AppendFixed(trigger->deadline_micros, out);
  }
  AppendVarint(static_cast<std::uint64_t>(index), out);
  AppendVarint(static_cast<std::uint64_t>(nonspeculative_index), out);
  out->push_back(static_cast<char>((early_finished ? 1 : 0) | (held ? 2 : 0)));
}

bool MergingPane::ReadFrom(std::string_view* in) {
  constexpr std::uint64_t kIndexMax = 0x7fff'ffff;
  constexpr std::uint64_t kCountMax = 0x7fff'ffff'ffff'ffff;
  std::uint64_t numbers[5] = {};
  std::uint8_t flags = 0;
  const bool read = ReadVarint(in, &numbers[0]) && ReadVarint(in, &numbers[1]) &&
                    detail::ReadFixed(in, &early.deadline_micros) && ReadVarint(in, &numbers[2]) &&
                    detail::ReadFixed(in, &late.deadline_micros) && ReadVarint(in, &numbers[3]) &&
                    ReadVarint(in, &numbers[4]) && detail::ReadFixed(in, &flags);
  if (!read || flags > 3 || std::max({numbers[0], numbers[1], numbers[2]}) > kCountMax ||
      std::max(numbers[3], numbers[4]) > kIndexMax) {
    return false;
  }
  pending = static_cast<std::int64_t>(numbers[0]);
  early.count = static_cast<std::int64_t>(numbers[1]);
  late.count = static_cast<std::int64_t>(numbers[2]);
  index = static_cast<std::int32_t>(numbers[3]);
  nonspeculative_index = static_cast<std::int32_t>(numbers[4]);
  early_finished = (flags & 1) != 0;
  held = (flags & 2) != 0;
  return true;
}

}  // namespace millrace::engine
