#include "runner/native/ledger_book.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace millrace::native {

namespace {

// By partition and position; those that meet become one.
void AddRanges(std::vector<Restriction> covered, LedgerSource* source) {
  std::sort(covered.begin(), covered.end(), [](const Restriction& a, const Restriction& b) {
    return a.partition != b.partition ? a.partition < b.partition : a.from < b.from;
  });
  for (Restriction& part : covered) {
    std::vector<LedgerRange>& ranges = source->ranges;
    if (!ranges.empty() && ranges.back().partition == part.partition && ranges.back().to == part.from) {
      ranges.back().to = part.to;
    } else if (ranges.size() < Ledger::kRangesMax) {
      ranges.push_back({std::move(part.partition), part.from, part.to});
    } else {
      ++source->ranges_left_out;
    }
  }
}

std::int64_t OutOf(const exec::StepLedger& counts, int output) {
  const auto index = static_cast<std::size_t>(output);
  return index < counts.out.size() ? counts.out[index] : 0;
}

}  // namespace

void AddToReading(const exec::StepLedger& counts, std::vector<Restriction> covered, LedgerReading::Node* node) {
  node->counts.counts.Add(counts.counts);
  node->counts.one_each = counts.one_each;
  node->counts.out.resize(std::max(node->counts.out.size(), counts.out.size()));
  for (std::size_t i = 0; i < counts.out.size(); ++i) node->counts.out[i] += counts.out[i];
  node->covered.insert(node->covered.end(), std::make_move_iterator(covered.begin()),
                       std::make_move_iterator(covered.end()));
}

LedgerReading ReadLedgerOf(const exec::Plan& plan, std::span<Worker* const> workers) {
  LedgerReading reading;
  for (std::size_t node = 0; node < plan.nodes.size(); ++node) {
    LedgerReading::Node& of = reading.nodes.emplace_back();
    for (Worker* worker : workers) {
      std::vector<Restriction> covered;
      if (plan.nodes[node].is_source) covered = worker->TakeCovered(static_cast<int>(node));
      AddToReading(worker->LedgerOf(static_cast<int>(node)), std::move(covered), &of);
    }
  }
  return reading;
}

LedgerBook::LedgerBook(const exec::Plan& plan) : plan_(plan), pending_(plan.nodes.size()) {
  before_.nodes.resize(plan.nodes.size());
}

std::int64_t LedgerBook::OpenBefore(const std::string& step) const {
  if (ledger_.epochs.empty()) return 0;
  for (const LedgerStep& known : ledger_.epochs.back().steps) {
    if (known.step == step) return known.open_after;
  }
  return 0;
}

LedgerStep LedgerBook::StepOf(std::size_t node, const LedgerReading& reading) const {
  const exec::PlanNode& planned = plan_.nodes[node];
  const detail::LedgerCounts& now = reading.nodes[node].counts.counts;
  const detail::LedgerCounts& then = before_.nodes[node].counts.counts;
  LedgerStep step{.step = planned.label, .kind = planned.kind, .one_each = reading.nodes[node].counts.one_each};
  step.is_source = planned.is_source;
  for (const exec::Upstream& upstream : planned.inputs) {
    const auto from = static_cast<std::size_t>(upstream.node);
    step.inputs.push_back(plan_.nodes[from].label);
    step.put_out +=
        OutOf(reading.nodes[from].counts, upstream.output) - OutOf(before_.nodes[from].counts, upstream.output);
  }
  step.taken_in = now.rows - then.rows;
  step.units = now.units - then.units;
  step.emitted = now.emitted - then.emitted;
  step.filtered = now.filtered - then.filtered;
  step.failed = now.failed - then.failed;
  step.duplicates = now.duplicates - then.duplicates;
  step.late = now.late - then.late;
  step.closed = now.closed - then.closed;
  step.taken = now.taken - then.taken;
  step.shipped = now.shipped - then.shipped;
  step.received = now.received - then.received;
  step.keys_lost = now.keys_lost - then.keys_lost;
  step.open_before = OpenBefore(planned.label);
  step.open_after = now.open;
  for (int output = 0; output < planned.outputs; ++output) {
    step.out.push_back(OutOf(reading.nodes[node].counts, output) - OutOf(before_.nodes[node].counts, output));
  }
  return step;
}

LedgerSource LedgerBook::SourceOf(std::size_t node, const LedgerReading& reading) const {
  LedgerSource source{.step = plan_.nodes[node].label};
  source.elements = OutOf(reading.nodes[node].counts, 0) - OutOf(before_.nodes[node].counts, 0);
  AddRanges(pending_[node], &source);
  return source;
}

const Ledger& LedgerBook::Close(LedgerEpoch head, LedgerReading reading) {
  reading_ = std::move(reading);
  for (std::size_t node = 0; node < plan_.nodes.size(); ++node) {
    std::vector<Restriction>& covered = reading_.nodes[node].covered;
    pending_[node].insert(pending_[node].end(), covered.begin(), covered.end());
    if (plan_.nodes[node].is_source) head.sources.push_back(SourceOf(node, reading_));
    head.steps.push_back(StepOf(node, reading_));
  }
  closed_ = ledger_;
  AddEpoch(std::move(head), &closed_);
  return closed_;
}

void LedgerBook::Commit() {
  ledger_ = std::move(closed_);
  before_ = std::move(reading_);
  for (std::vector<Restriction>& covered : pending_) covered.clear();
}

}  // namespace millrace::native
