#include "cli/publish_plan.h"

#include <algorithm>
#include <utility>

#include "base/status_macros.h"

namespace millrace::cli {

std::string_view PublishedKindName(PublishedKind kind) {
  switch (kind) {
    case PublishedKind::kEvent: return "event";
    case PublishedKind::kLate: return "late";
    case PublishedKind::kDuplicate: return "duplicate";
    case PublishedKind::kGarbage: return "garbage";
  }
  return "";
}

PublishPlan::PublishPlan(PublishPlanOptions options, const Publishing& publishing, Emit emit)
    : options_(options), publishing_(publishing), emit_(std::move(emit)), random_(options.seed) {}

Status PublishPlan::Add(ProducerRecord event) {
  event_time_ = std::max(event_time_, event.event_time);
  MILLRACE_RETURN_IF_ERROR(EmitDue(event_time_));
  // All that is decided of an event is drawn here and in this order, whatever comes of it.
  const bool is_late = random_.Chance(options_.late);
  const bool is_sent_again = random_.Chance(options_.duplicates);
  const bool has_garbage = random_.Chance(options_.garbage);
  const Timestamp due = is_late ? event.event_time + options_.late_by : event_time_;
  ProducerRecord garbage;
  ProducerRecord copy;
  if (has_garbage) garbage = Garbage(event);
  if (is_sent_again) copy = event;
  MILLRACE_RETURN_IF_ERROR(is_late ? HoldBack(due, PublishedKind::kLate, std::move(event))
                                   : EmitNow(PublishedKind::kEvent, std::move(event)));
  if (is_sent_again) {
    const auto after = Duration(random_.Between(0, kDuplicateAfterMax.count()));
    MILLRACE_RETURN_IF_ERROR(HoldBack(due + after, PublishedKind::kDuplicate, std::move(copy)));
  }
  return has_garbage ? EmitNow(PublishedKind::kGarbage, std::move(garbage)) : OkStatus();
}

Status PublishPlan::Finish() { return EmitDue(Timestamp::Max()); }

Status PublishPlan::HoldBack(Timestamp due, PublishedKind kind, ProducerRecord record) {
  if (held_back_.size() >= kHeldBackMax) {
    return ResourceExhaustedError("more than " + std::to_string(kHeldBackMax) +
                                  " records are held back; give a smaller --late_by, --late or --duplicates");
  }
  held_back_.push_back({.due = due, .order = held_back_order_++, .kind = kind, .record = std::move(record)});
  std::push_heap(held_back_.begin(), held_back_.end(), DueLater{});
  return OkStatus();
}

Status PublishPlan::EmitDue(Timestamp until) {
  while (!held_back_.empty() && held_back_.front().due <= until) {
    std::pop_heap(held_back_.begin(), held_back_.end(), DueLater{});
    HeldBack due = std::move(held_back_.back());
    held_back_.pop_back();
    MILLRACE_RETURN_IF_ERROR(EmitNow(due.kind, std::move(due.record)));
  }
  return OkStatus();
}

Status PublishPlan::EmitNow(PublishedKind kind, ProducerRecord record) {
  ++counts_[static_cast<std::size_t>(kind)];
  return emit_({.kind = kind, .sequence = next_sequence_++, .record = std::move(record)});
}

// As late and in the same partition as the good one, with an id of its own.
ProducerRecord PublishPlan::Garbage(const ProducerRecord& good) {
  ProducerRecord garbage{.id = "garbage-" + std::to_string(garbage_number_++),
                         .event_time = good.event_time,
                         .key = good.key,
                         .attributes = good.attributes};
  const std::uint64_t random = random_.Next();
  garbage.data = publishing_.garbage ? publishing_.garbage(good, random) : good.data.substr(0, good.data.size() / 2);
  return garbage;
}

}  // namespace millrace::cli
