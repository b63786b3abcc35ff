#include "millrace/core/windowing.h"

#include <string>

#include "millrace/core/window.h"

namespace millrace {

std::string BoundedWindow::ToString() const {
  if (is_global()) return "global";
  return "[" + start.ToString() + ", " + end.ToString() + ")";
}

std::ostream& operator<<(std::ostream& out, const BoundedWindow& window) { return out << window.ToString(); }

std::string ToString(PaneInfo::Timing timing) {
  switch (timing) {
    case PaneInfo::Timing::kEarly: return "EARLY";
    case PaneInfo::Timing::kOnTime: return "ON_TIME";
    case PaneInfo::Timing::kLate: return "LATE";
    case PaneInfo::Timing::kUnknown: return "UNKNOWN";
  }
  return "UNKNOWN";
}

std::string WindowFn::ToString() const {
  const std::string offset = offset_micros == 0 ? "" : ", offset " + DurationToString(Duration(offset_micros));
  switch (kind) {
    case Kind::kGlobal: return "GlobalWindows";
    case Kind::kFixed: return "FixedWindows(" + DurationToString(Duration(size_micros)) + offset + ")";
    case Kind::kSliding:
      return "SlidingWindows(" + DurationToString(Duration(size_micros)) + " every " +
             DurationToString(Duration(period_micros)) + offset + ")";
    case Kind::kSessions: return "Sessions(gap " + DurationToString(Duration(size_micros)) + ")";
  }
  return "";
}

namespace {

std::string PaneTriggerText(const PaneTrigger& trigger) {
  const std::string count = trigger.count > 0 ? "AfterCount(" + std::to_string(trigger.count) + ")" : "";
  const std::string delay =
      trigger.delay_micros >= 0 ? "AfterProcessingTime(" + DurationToString(Duration(trigger.delay_micros)) + ")" : "";
  if (!count.empty() && !delay.empty()) return "first of " + count + " and " + delay;
  return count.empty() && delay.empty() ? "never" : count + delay;
}

}  // namespace

std::string Trigger::ToString() const {
  if (!on_time) return "Repeatedly(" + PaneTriggerText(early) + ")";
  if (*this == Trigger()) return "DefaultTrigger";
  std::string text = "AfterWatermark(";
  if (early.fires()) text += "early " + PaneTriggerText(early);
  if (early.fires() && late.fires()) text += ", ";
  if (late.fires()) text += "late " + PaneTriggerText(late);
  return text + ")";
}

std::string WindowingStrategy::ToString() const {
  std::string text = window_fn.ToString() + (already_merged ? " merged" : "") + ", " + trigger.ToString();
  text += accumulation_mode == AccumulationMode::kAccumulating ? ", accumulating" : ", discarding";
  return text + ", allowed lateness " + DurationToString(allowed_lateness);
}

}  // namespace millrace
