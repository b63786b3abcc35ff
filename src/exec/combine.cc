#include "exec/combine.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "millrace/detail/combine_row.h"
#include "millrace/detail/hash.h"
#include "millrace/detail/state_coder.h"

namespace millrace::exec {

using detail::FiringReason;
using engine::Firing;

namespace {

constexpr std::size_t kWindowsState = 0;
constexpr std::size_t kAccumulatorsState = 1;
constexpr std::size_t kContentsState = 2;

}  // namespace

CombineOperator::CombineOperator(std::unique_ptr<detail::AggregateKernel> kernel, const CombineSettings& settings)
    : kernel_(std::move(kernel)), settings_(settings), windows_(settings.windowing) {}

void CombineOperator::Open(detail::OperatorContext& context) {
  Operator::Open(context);
  plan_.windowing = settings_.windowing;
  // In batch mode the input is complete before a window fires, so it fires once.
  plan_.panes = context.streaming() && !settings_.windowing.fires_once();
  const WindowFn& fn = settings_.windowing.window_fn;
  plan_.slice_micros = !plan_.panes && fn.assigns_many() ? engine::SliceMicros(fn) : 0;
  kernel_->Open(context, plan_, *this);
}

void CombineOperator::Process(detail::BatchBase& batch, int /*input*/) {
  ledger_.units += detail::CountInWindows(batch);
  kernel_->Add(batch);
}
void CombineOperator::ProcessRemote(detail::BatchBase& batch) { kernel_->AddRemote(batch); }
void CombineOperator::FlushRemoteBefore(Timestamp watermark) { kernel_->FlushRemote(watermark); }

Timestamp CombineOperator::AdvanceWatermark(Timestamp watermark) {
  windows_.AdvanceWatermark(watermark);
  kernel_->ForgetAdmissions();
  while (const std::optional<Firing> firing = windows_.Next()) Fire(*firing);
  if (watermark == Timestamp::Max() && settings_.emit_default && !any_window_) {
    any_window_ = true;
    if (detail::OwnerOf(detail::KeyHash(detail::SingleKey{}), context().workers()) == context().worker()) {
      kernel_->EmitDefault();
    }
  }
  return watermark;
}

void CombineOperator::Fire(const Firing& firing) {
  if (!plan_.panes) {
    if (firing.kind == Firing::Kind::kOnTime) FireOnce(firing.window);
    return;
  }
  const bool keeps_open = settings_.windowing.allowed_lateness > Duration(0);
  if (firing.kind == Firing::Kind::kOnTime) {
    if (settings_.windowing.trigger.on_time) kernel_->FirePanes(firing.window, FiringReason::kOnTime, !keeps_open);
    return;
  }
  kernel_->FirePanes(firing.window, FiringReason::kExpired, true);
  kernel_->Drop(firing.window);
  deadlines_.erase(firing.window);
}

void CombineOperator::FireOnce(const BoundedWindow& window) {
  std::vector<BoundedWindow> slices;
  if (plan_.slice_micros > 0) slices = engine::SlicesOfWindow(window, plan_.slice_micros);
  kernel_->FireOnce(window, slices);
  // Windows fire in the order of their ends: no later one contains the slices before the next window's start.
  const Timestamp next_start = window.start + Duration(settings_.windowing.window_fn.period_micros);
  for (const BoundedWindow& slice : slices) {
    if (slice.start < next_start) kernel_->Drop(slice);
  }
}

bool CombineOperator::IsOpen(const BoundedWindow& window, bool is_slice) const {
  if (!is_slice) return windows_.IsOpen(window);
  const std::vector<BoundedWindow> windows = engine::WindowsOfSlice(settings_.windowing.window_fn, window);
  return std::any_of(windows.begin(), windows.end(), [this](const auto& of) { return windows_.IsOpen(of); });
}

// Windows: whether there was any, then each open one and whether its on-time firing is still to come. It is read before
// the accumulators, which are of these windows. Its layout names the windowing, for a window that was opened under
// another one means nothing. Contents: what the tables hold, for the ledger.
std::vector<detail::StateDescription> CombineOperator::States() const {
  const std::string slices = plan_.slice_micros > 0 ? ", slices of " + std::to_string(plan_.slice_micros) + " us" : "";
  return {{.name = "windows",
           .layout = settings_.windowing.ToString() + (plan_.panes ? ", panes" : ", once") + slices,
           .problem = {},
           .always_full = true},
          kernel_->DescribeState(),
          {.name = "contents",
           .layout = detail::StateLayout<std::vector<detail::TableContent>>(),
           .problem = {},
           .always_full = true}};
}

void CombineOperator::SaveState(detail::StateWriter& writer) {
  std::string* out = writer.To(kWindowsState);
  detail::AppendFixed(any_window_, out);
  const std::vector<BoundedWindow> open = windows_.OpenWindows();
  detail::AppendVarint(open.size(), out);
  for (const BoundedWindow& window : open) {
    detail::AppendState(window, out);
    detail::AppendFixed(windows_.IsUnfired(window), out);
  }
  kernel_->SaveState(writer, kAccumulatorsState);
  detail::AppendState(kernel_->Contents(), writer.To(kContentsState));
}

Status CombineOperator::RestoreState(const detail::SavedSection& section) {
  switch (section.state) {
    case kWindowsState: return RestoreWindows(section);
    case kContentsState: return RestoreContents(section);
    default: return kernel_->RestoreState(section);
  }
}

// Once per worker that wrote it.
Status CombineOperator::RestoreContents(const detail::SavedSection& section) {
  if (!expected_) expected_.emplace();
  std::string_view rest = section.bytes;
  while (!rest.empty()) {
    std::vector<detail::TableContent> contents;
    if (!detail::ReadState(&rest, &contents)) return detail::DamagedSection(section, rest);
    expected_->insert(expected_->end(), contents.begin(), contents.end());
  }
  return OkStatus();
}

// The tables of all workers together hold as many keys as they did. How many elements went into a table is known for
// all workers together only: worker 0 has them.
void CombineOperator::AddExpected() {
  if (!expected_) return;
  for (const detail::TableContent& content : kernel_->Contents()) ledger_.keys_lost -= content.keys;
  if (context().worker() == 0) {
    for (const detail::TableContent& content : *expected_) {
      if (!IsOpen(content.window, content.is_slice)) continue;
      ledger_.keys_lost += content.keys;
      kernel_->AddUnits(content.window, content.is_slice, content.units);
    }
  }
  expected_.reset();
}

Status CombineOperator::RestoreWindows(const detail::SavedSection& section) {
  std::string_view rest = section.bytes;
  while (!rest.empty()) {  // once per worker that wrote it
    bool any = false;
    std::uint64_t count = 0;
    if (!detail::ReadState(&rest, &any) || !detail::ReadStateCount(&rest, &count)) {
      return detail::DamagedSection(section, rest);
    }
    any_window_ = any_window_ || any;
    for (std::uint64_t i = 0; i < count; ++i) {
      BoundedWindow window;
      bool unfired = false;
      if (!detail::ReadState(&rest, &window) || !detail::ReadState(&rest, &unfired)) {
        return detail::DamagedSection(section, rest);
      }
      windows_.Restore(window, unfired);
    }
  }
  return OkStatus();
}

void CombineOperator::FinishRestore(Timestamp watermark) {
  windows_.AdvanceWatermark(watermark);
  kernel_->FinishRestore();
  AddExpected();
}

// A slice's elements are open in each window that contains it and has not fired.
detail::LedgerCounts CombineOperator::Ledger() const {
  detail::LedgerCounts counts = ledger_;
  counts.closed += kernel_->counts().closed;
  counts.keys_lost += kernel_->counts().keys_lost;
  std::vector<std::pair<Timestamp, std::int64_t>> until;  // for each slice, the elements of all before its end
  std::int64_t sum = 0;
  for (const detail::TableContent& content : kernel_->Contents()) {
    if (!content.is_slice) {
      counts.open += content.units;
      continue;
    }
    sum += content.units;
    until.emplace_back(content.window.end, sum);
  }
  if (until.empty()) return counts;
  const auto before = [&until](Timestamp time) {
    const auto next = std::upper_bound(until.begin(), until.end(), time,
                                       [](Timestamp at, const auto& slice) { return at < slice.first; });
    return next == until.begin() ? 0 : std::prev(next)->second;
  };
  for (const BoundedWindow& window : windows_.OpenWindows()) {
    if (windows_.IsUnfired(window)) counts.open += before(window.end) - before(window.start);
  }
  return counts;
}

void CombineOperator::AdvanceProcessingTime(Timestamp now) {
  std::vector<BoundedWindow> due;
  for (const auto& [window, deadline] : deadlines_) {
    if (deadline.due() <= now.micros()) due.push_back(window);
  }
  const std::int64_t delay =
      std::max(settings_.windowing.trigger.early.delay_micros, settings_.windowing.trigger.late.delay_micros);
  for (const BoundedWindow& window : due) {
    Deadline& deadline = deadlines_[window];
    deadline.at_micros = detail::kNoDeadline;
    deadline.not_before_micros = now.micros() + std::min(delay, std::max<std::int64_t>(delay / 8, 10'000));
    kernel_->FirePanes(window, FiringReason::kDeadline, false);
  }
}

Timestamp CombineOperator::NextProcessingTime() const {
  Timestamp next = Timestamp::Max();
  for (const auto& [window, deadline] : deadlines_) {
    if (deadline.at_micros == detail::kNoDeadline) continue;
    next = std::min(next, Timestamp::FromMicros(deadline.due()));
  }
  return next;
}

bool CombineOperator::Admit(const BoundedWindow& window) {
  any_window_ = true;
  return windows_.Admit(window);
}

int CombineOperator::AdmitSlice(const BoundedWindow& slice, int* expired) {
  any_window_ = true;
  int open = 0;
  for (const BoundedWindow& window : engine::WindowsOfSlice(settings_.windowing.window_fn, slice)) {
    windows_.Admit(window) ? ++open : ++*expired;
  }
  return open;
}

void CombineOperator::SetDeadline(const BoundedWindow& window, std::int64_t deadline_micros) {
  Deadline& deadline = deadlines_.try_emplace(window, Deadline{detail::kNoDeadline, 0}).first->second;
  deadline.at_micros = std::min(deadline.at_micros, deadline_micros);
}

void CombineOperator::DropLate(const BoundedWindow& window, bool is_slice, Timestamp time, const void* element,
                               detail::Origin origin) {
  if (!context().streaming()) {
    throw detail::PipelineFailure(DataLossError(
        context().label() + ": an element came for the window " + window.ToString() +
        " after its source had said that no more would; check the source's watermark or file statistics"));
  }
  const std::vector<BoundedWindow> windows =
      is_slice ? engine::WindowsOfSlice(settings_.windowing.window_fn, window) : std::vector<BoundedWindow>{window};
  for (const BoundedWindow& of : windows) {
    if (!windows_.Expired(of)) continue;
    detail::Add(context().metrics().Cell(detail::MetricKind::kCounter, "late_dropped").count, 1);
    ++ledger_.late;
    context().RecordLate(of, time, element, origin);
  }
}

bool CombineOperator::MayBeLateElsewhere(const BoundedWindow& window, bool is_slice) const {
  if (!is_slice) return settings_.windowing.ExpiryOf(window) < sent_watermark_;
  // The first of its windows expires first.
  const std::vector<BoundedWindow> windows = engine::WindowsOfSlice(settings_.windowing.window_fn, window);
  return settings_.windowing.ExpiryOf(windows.front()) < sent_watermark_;
}

}  // namespace millrace::exec
