#include "exec/view.h"

#include <memory>

namespace millrace::exec {

namespace {

CellTiming TimingOf(PaneInfo::Timing timing) {
  switch (timing) {
    case PaneInfo::Timing::kEarly: return CellTiming::kEarly;
    case PaneInfo::Timing::kOnTime: return CellTiming::kOnTime;
    case PaneInfo::Timing::kLate: return CellTiming::kLate;
    case PaneInfo::Timing::kUnknown: return CellTiming::kUnknown;
  }
  return CellTiming::kUnknown;
}

}  // namespace

void ViewOperator::Process(detail::BatchBase& batch, int /*input*/) {
  if (batch.windows.many()) {
    const std::unique_ptr<detail::BatchBase> exploded = batch.MakeEmpty();
    detail::ExplodeWindows(batch, *exploded);
    return Process(*exploded, 0);
  }
  detail::Add(context().metrics().Cell(detail::MetricKind::kCounter, "cells").count,
              static_cast<std::int64_t>(batch.size()));
  ledger_.units += static_cast<std::int64_t>(batch.size());
  if (sink_ == nullptr) {
    ledger_.taken += static_cast<std::int64_t>(batch.size());
    return;
  }
  cells_.clear();
  for (std::size_t row = 0; row < batch.size(); ++row) {
    const char* element = static_cast<const char*>(batch.ValueAt(row));
    const BoundedWindow window = batch.windows.Of(row, batch.timestamps[row]);
    const PaneInfo& pane = batch.panes.Of(row);
    Cell cell;
    cell.key = element + view_.key_offset;
    cell.value = element + view_.value_offset;
    cell.window_start = window.start;
    cell.window_end = window.is_global() ? Timestamp::Max() : window.end;
    cell.version.pane = static_cast<std::uint64_t>(pane.index);
    cell.timing = TimingOf(pane.timing);
    cell.is_final = pane.is_last;
    cells_.push_back(cell);
  }
  const Status written = sink_->Write(view_.name, cells_);
  if (!written.ok()) throw detail::PipelineFailure(written.WithContext(context().label()));
  ledger_.taken += static_cast<std::int64_t>(cells_.size());
}

}  // namespace millrace::exec
