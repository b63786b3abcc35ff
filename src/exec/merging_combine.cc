#include "exec/merging_combine.h"

#include <algorithm>
#include <string>
#include <utility>

#include "millrace/detail/state_coder.h"

namespace millrace::exec {

using detail::BatchBase;

void MergingCombineOperator::Open(detail::OperatorContext& context) {
  Operator::Open(context);
  kernel_->Open(context);
  if (!context.streaming()) {
    windowing_.trigger = AfterWatermark{};
    windowing_.allowed_lateness = Duration(0);
  }
  outboxes_.resize(static_cast<std::size_t>(context.workers()));
  if (kernel_->DescribeState().problem.empty()) spiller_ = context.MakeSpiller();
}

void MergingCombineOperator::Process(BatchBase& batch, int /*input*/) {
  if (batch.windows.many()) {
    const std::unique_ptr<BatchBase> exploded = batch.MakeEmpty();
    detail::ExplodeWindows(batch, *exploded);
    return Process(*exploded, 0);
  }
  ledger_.units += static_cast<std::int64_t>(batch.size());
  AddRows(batch, context().workers() == 1);
  ShipFull();
}

void MergingCombineOperator::ProcessRemote(BatchBase& batch) { AddRows(batch, true); }

void MergingCombineOperator::AddRows(BatchBase& batch, bool are_own) {
  now_micros_ = context().processing_time().micros();
  hashes_.Clear();
  kernel_->Hash(batch, &hashes_);
  for (std::size_t row = 0; row < batch.size(); ++row) {
    const int owner = are_own ? context().worker() : detail::OwnerOf(hashes_[row], context().workers());
    if (owner != context().worker()) {
      SendAway(batch, row, static_cast<std::size_t>(owner));
    } else {
      AddRow(batch, row, hashes_[row], batch.windows.Of(row, batch.timestamps[row]));
    }
  }
  kernel_->FlushOutput();
}

void MergingCombineOperator::SendAway(const BatchBase& batch, std::size_t row, std::size_t worker) {
  std::unique_ptr<BatchBase>& outbox = outboxes_[worker];
  if (outbox != nullptr && (outbox->size() >= detail::kBatchElements || !outbox->SameHeader(batch))) {
    full_.emplace_back(static_cast<int>(worker), std::move(outbox));
  }
  if (outbox == nullptr) {
    outbox = batch.MakeEmpty();
    outbox->CopyHeader(batch);
  }
  outbox->CopyRow(batch, row);
}

void MergingCombineOperator::ShipFull() {
  while (!full_.empty()) {
    auto [worker, batch] = std::move(full_.back());
    full_.pop_back();
    context().Ship(worker, std::move(batch));
  }
}

void MergingCombineOperator::FlushRemote() {
  ShipFull();
  for (std::size_t worker = 0; worker < outboxes_.size(); ++worker) {
    if (outboxes_[worker] != nullptr) context().Ship(static_cast<int>(worker), std::move(outboxes_[worker]));
  }
}

void MergingCombineOperator::AddRow(const BatchBase& batch, std::size_t row, std::uint64_t hash,
                                    const BoundedWindow& window) {
  // Beam: an element is late if the window that it was assigned has expired, whatever that could be merged with.
  if (Expired(window)) return DropLate(batch, row, window);
  key_.hash = hash;
  key_.bytes.clear();
  kernel_->AppendKey(batch, row, &key_.bytes);
  Entry& entry = table_.FindOrInsert(hash, key_, [] { return MergingWindows(); });
  MergingWindows& of_key = entry.value;
  of_key.kernel = kernel_.get();
  MergingWindow& into = Place(of_key, window);
  kernel_->Add(of_key.Accumulator(into), batch, row);
  ++into.units;
  ++ledger_.open;
  if (into.pane.OnElement(windowing_.trigger, Past(into.window), now_micros_)) FirePane(entry, into, false, false);
  Schedule(entry.key, of_key);
}

// The window of the key that an element of `window` belongs to, after merging.
MergingWindow& MergingCombineOperator::Place(MergingWindows& of_key, const BoundedWindow& window) {
  std::vector<MergingWindow>& windows = of_key.windows;
  // Most elements are of the last window.
  std::size_t end = windows.size();
  while (end > 0 && windows[end - 1].window.start >= window.end) --end;
  std::size_t first = end;
  while (first > 0 && windows[first - 1].window.end > window.start) --first;
  if (first == end) {
    ++open_;
    MergingWindow fresh;
    fresh.window = window;
    fresh.accumulator = kernel_->Create();
    return *windows.insert(windows.begin() + static_cast<std::ptrdiff_t>(end), std::move(fresh));
  }
  if (end - first == 1 && windows[first].window == window) return windows[first];
  const BoundedWindow result{std::min(window.start, windows[first].window.start),
                             std::max(window.end, windows[end - 1].window.end)};
  return Merge(of_key, first, end - first, result);
}

// Makes one of `count` windows and that of the element.
MergingWindow& MergingCombineOperator::Merge(MergingWindows& of_key, std::size_t first, std::size_t count,
                                             const BoundedWindow& result) {
  MergingWindow* const parts = &of_key.windows[first];
  std::vector<const engine::MergingPane*> panes;
  const engine::MergingPane* survivor = nullptr;
  for (std::size_t i = 0; i < count; ++i) {
    panes.push_back(&parts[i].pane);
    if (parts[i].window == result) survivor = &parts[i].pane;
  }
  const engine::MergingPane merged = engine::MergePanes(windowing_.trigger, panes, survivor, Past(result));
  for (std::size_t i = 1; i < count; ++i) {
    kernel_->Merge(of_key.Accumulator(parts[0]), of_key.Accumulator(parts[i]));
    parts[0].units += parts[i].units;
  }
  parts[0].window = result;
  parts[0].pane = merged;
  const auto begin = of_key.windows.begin() + static_cast<std::ptrdiff_t>(first);
  of_key.windows.erase(begin + 1, begin + static_cast<std::ptrdiff_t>(count));
  open_ -= count - 1;
  return of_key.windows[first];
}

void MergingCombineOperator::FirePane(Entry& entry, MergingWindow& window, bool at_watermark, bool is_last) {
  const PaneInfo pane = window.pane.Fire(windowing_.trigger, Past(window.window), at_watermark, is_last);
  kernel_->Emit(entry.key.bytes, entry.value.Accumulator(window), window.window, pane);
  if (windowing_.accumulation_mode == AccumulationMode::kDiscarding) window.accumulator = kernel_->Create();
}

// Puts the key into the queues, unless it is there for the same time or an earlier one.
void MergingCombineOperator::Schedule(const detail::EncodedKey& key, MergingWindows& of_key) {
  Timestamp due = Timestamp::Max();
  std::int64_t deadline = detail::kNoDeadline;
  for (const MergingWindow& window : of_key.windows) {
    due = std::min(due, DueOf(window));
    deadline = std::min(deadline, window.pane.DeadlineMicros());
  }
  if (due < of_key.due) {
    of_key.due = due;
    due_.push({due, key});
  }
  if (deadline < of_key.deadline_micros) {
    of_key.deadline_micros = deadline;
    deadlines_.push({deadline, key});
  }
}

Timestamp MergingCombineOperator::AdvanceWatermark(Timestamp watermark) {
  watermark_ = std::max(watermark_, watermark);
  while (!due_.empty() && due_.top().at < watermark_) {
    const Due<Timestamp> due = due_.top();
    due_.pop();
    Entry* entry = table_.Find(due.key.hash, due.key);
    if (entry == nullptr || entry->value.due != due.at) continue;  // it is there for an earlier time
    table_.MarkDirty(due.key.hash, *entry);
    entry->value.kernel = kernel_.get();
    FireDue(*entry);
    if (entry->value.windows.empty()) {
      table_.Erase(due.key.hash, *entry);
    } else {
      entry->value.due = Timestamp::Max();
      Schedule(due.key, entry->value);
    }
  }
  kernel_->FlushOutput();
  return watermark_;
}

// What is due in this moment, and only that: windows of all keys fire and expire in the order of their ends.
void MergingCombineOperator::FireDue(Entry& entry) {
  const Timestamp at = entry.value.due;
  std::vector<MergingWindow>& windows = entry.value.windows;
  for (std::size_t i = 0; i < windows.size();) {
    MergingWindow& window = windows[i];
    if (window.pane.AwaitsWatermark(windowing_.trigger) && window.window.max_timestamp() <= at) {
      FirePane(entry, window, true, windowing_.allowed_lateness == Duration(0));
    }
    if (window.pane.AwaitsWatermark(windowing_.trigger) || windowing_.ExpiryOf(window.window) > at) {
      ++i;
      continue;
    }
    if (window.pane.pending > 0) FirePane(entry, window, false, true);
    ledger_.open -= window.units;
    ledger_.closed += window.units;
    windows.erase(windows.begin() + static_cast<std::ptrdiff_t>(i));
    --open_;
  }
}

void MergingCombineOperator::AdvanceProcessingTime(Timestamp now) {
  now_micros_ = now.micros();
  while (!deadlines_.empty() && deadlines_.top().at <= now_micros_) {
    const Due<std::int64_t> due = deadlines_.top();
    deadlines_.pop();
    Entry* entry = table_.Find(due.key.hash, due.key);
    if (entry == nullptr || entry->value.deadline_micros != due.at) continue;
    table_.MarkDirty(due.key.hash, *entry);
    entry->value.kernel = kernel_.get();
    for (MergingWindow& window : entry->value.windows) {
      if (window.pane.DeadlineMicros() <= now_micros_) FirePane(*entry, window, false, false);
    }
    entry->value.deadline_micros = detail::kNoDeadline;
    Schedule(due.key, entry->value);
  }
  kernel_->FlushOutput();
}

Timestamp MergingCombineOperator::NextProcessingTime() const {
  return deadlines_.empty() ? Timestamp::Max() : Timestamp::FromMicros(deadlines_.top().at);
}

void MergingCombineOperator::DropLate(const BatchBase& batch, std::size_t row, const BoundedWindow& window) {
  if (!context().streaming()) {
    throw detail::PipelineFailure(DataLossError(
        context().label() + ": an element came for the window " + window.ToString() +
        " after its source had said that no more would; check the source's watermark or file statistics"));
  }
  detail::Add(context().metrics().Cell(detail::MetricKind::kCounter, "late_dropped").count, 1);
  ++ledger_.late;
  context().RecordLate(window, batch.timestamps[row], batch.ValueAt(row), batch.OriginOf(row));
}

// State 0 is empty: its layout names the windowing, for windows that were opened under another one mean nothing.
std::vector<detail::StateDescription> MergingCombineOperator::States() const {
  return {{.name = "windows",
           .layout = given_windowing_.ToString() + (context().streaming() ? ", panes" : ", once"),
           .problem = {},
           .always_full = true},
          kernel_->DescribeState()};
}

void MergingCombineOperator::SaveState(detail::StateWriter& writer) {
  if (spiller_ != nullptr) spiller_->Save(writer, 1);
  detail::SaveEntries(table_, {}, writer, 1);
}

std::size_t MergingCombineOperator::SpillState(std::size_t wanted) {
  return spiller_ == nullptr ? 0 : table_.Spill(*spiller_, {}, wanted);
}

Status MergingCombineOperator::RestoreState(const detail::SavedSection& section) {
  if (section.state == 0) return OkStatus();
  const Status opened = kernel_->OpenSaved(section);
  if (!opened.ok()) return opened;
  std::string_view rest = section.bytes;
  while (!rest.empty()) {
    detail::EncodedKey key;
    MergingWindows of_key;
    if (!detail::ReadState(&rest, &key) || !of_key.ReadFrom(&rest)) return detail::DamagedSection(section, rest);
    if (detail::OwnerOf(key.hash, context().workers()) != context().worker()) continue;
    of_key.kernel = kernel_.get();
    for (MergingWindow& window : of_key.windows) {
      window.accumulator = kernel_->ReadSaved(window.encoded);
      if (window.accumulator == nullptr) return detail::DamagedSection(section, rest);
      window.encoded = std::string();
    }
    table_.FindOrInsert(key.hash, key, [] { return MergingWindows(); }).value = std::move(of_key);
  }
  return OkStatus();
}

void MergingCombineOperator::FinishRestore(Timestamp watermark) {
  watermark_ = watermark;
  // A key that has nothing left may be in an older part of the checkpoint: its windows have expired since.
  table_.ForEachChanging([this](Entry& entry) {
    std::erase_if(entry.value.windows, [this](const MergingWindow& window) { return Expired(window.window); });
    return true;
  });
  table_.EraseIf([](const Entry& entry) { return entry.value.windows.empty(); });
  table_.ForEachChanging([this](Entry& entry) {
    entry.value.due = Timestamp::Max();
    entry.value.deadline_micros = detail::kNoDeadline;
    Schedule(entry.key, entry.value);
    open_ += entry.value.windows.size();
    for (const MergingWindow& window : entry.value.windows) ledger_.open += window.units;
    return true;
  });
  table_.ForEachDirty([](Entry&) {});
  if (spiller_ != nullptr) spiller_->Forget();
}

}  // namespace millrace::exec
