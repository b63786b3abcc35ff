// Where a run's status is published, and what follows from the published facts.
#include <algorithm>
#include <iterator>
#include <utility>

#include "millrace/runner/status.h"

namespace millrace {

namespace {

constexpr Duration kSampleInterval = std::chrono::seconds(1);
constexpr Duration kSamplesKept = std::chrono::seconds(60);
constexpr Duration kShortRate = std::chrono::seconds(10);

const StepStatus* FindStep(const RunStatus& status, std::string_view label) {
  const auto found = std::find_if(status.steps.begin(), status.steps.end(),
                                  [&](const StepStatus& step) { return step.label == label; });
  return found == status.steps.end() ? nullptr : &*found;
}

const SourceStatus* FindSource(const RunStatus& status, std::string_view label) {
  const auto found = std::find_if(status.sources.begin(), status.sources.end(),
                                  [&](const SourceStatus& source) { return source.label == label; });
  return found == status.sources.end() ? nullptr : &*found;
}

// As precise as a person wants it: "210ms", "2s", "3m20s".
std::string RoughText(Duration duration) {
  const Duration unit = duration < std::chrono::seconds(1) ? Duration(1'000) : Duration(1'000'000);
  return DurationToString(Duration(duration.count() / unit.count() * unit.count()));
}

// The partition that a source's watermark waits for: one that has stepped aside only when all have.
const PartitionStatus* SlowestPartition(const SourceStatus& source) {
  const PartitionStatus* slowest = nullptr;
  for (const PartitionStatus& partition : source.partitions) {
    if (partition.done) continue;
    const bool better = slowest == nullptr || (slowest->idle && !partition.idle) ||
                        (slowest->idle == partition.idle && partition.watermark < slowest->watermark);
    if (better) slowest = &partition;
  }
  return slowest;
}

std::optional<std::int64_t> LagOf(const PartitionStatus& partition) {
  if (!partition.end) return std::nullopt;
  return std::max<std::int64_t>(0, *partition.end - partition.position);
}

std::string WhyOfPartition(const SourceStatus& source, const PartitionStatus& partition) {
  std::string text;
  if (partition.idle) {
    text = "all partitions are idle";
  } else if (source.partitions.size() > 1) {
    text = "the least of " + std::to_string(source.partitions.size()) + " partitions";
  }
  const std::optional<std::int64_t> lag = LagOf(partition);
  if (lag && *lag > 0) {
    text += (text.empty() ? "" : ", ") + std::to_string(*lag) + " behind the end";
  } else if (lag && !partition.idle) {
    text += std::string(text.empty() ? "" : ", ") + "read to the end";
  }
  return text;
}

void AddSource(const RunStatus& status, const SourceStatus& source, std::vector<HoldStatus>& holds) {
  holds.push_back({.what = "source", .name = source.label, .watermark = source.watermark, .why = ""});
  const PartitionStatus* partition = SlowestPartition(source);
  if (partition == nullptr) {
    holds.back().why = source.partitions.empty() ? "its partitions are not known yet" : "read to its end";
    return;
  }
  holds.push_back({.what = "partition",
                   .name = partition->partition,
                   .watermark = partition->watermark,
                   .why = WhyOfPartition(source, *partition)});
  if (!partition->last_event_time) {
    holds.back().why += std::string(holds.back().why.empty() ? "" : ", ") + "nothing has been read";
    return;
  }
  HoldStatus record{.what = "record", .name = "a record", .watermark = *partition->last_event_time, .why = ""};
  if (partition->last_position) record.name = "offset " + std::to_string(*partition->last_position);
  if (partition->last_read_at) record.why = "read " + RoughText(status.now - *partition->last_read_at) + " ago";
  holds.push_back(std::move(record));
}

// Of the step's inputs, the one furthest behind; null where none is known.
const StepStatus* SlowestInput(const RunStatus& status, const StepStatus& step) {
  const StepStatus* slowest = nullptr;
  for (const std::string& label : step.inputs) {
    const StepStatus* input = FindStep(status, label);
    if (input != nullptr && (slowest == nullptr || input->output_watermark < slowest->output_watermark)) {
      slowest = input;
    }
  }
  return slowest;
}

double RatePerSecond(std::int64_t now_count, std::int64_t then_count, Duration between) {
  if (between.count() <= 0) return 0;
  return static_cast<double>(now_count - then_count) * 1e6 / static_cast<double>(between.count());
}

std::int64_t CountIn(const std::map<std::string, std::int64_t, std::less<>>& counts, const std::string& label) {
  const auto found = counts.find(label);
  return found == counts.end() ? 0 : found->second;
}

}  // namespace

std::vector<HoldStatus> HoldsOf(const RunStatus& status, std::string_view label) {
  std::vector<HoldStatus> holds;
  const StepStatus* step = FindStep(status, label);
  const SourceStatus* source = FindSource(status, label);
  // A graph has no cycle, but a status may say anything.
  for (std::size_t links = 0; step != nullptr && source == nullptr && links < status.steps.size(); ++links) {
    HoldStatus hold{.what = "step", .name = step->label, .watermark = step->output_watermark, .why = ""};
    const bool holds_itself = step->output_watermark < step->input_watermark;
    if (holds_itself) hold.why = step->held_by.empty() ? "by itself" : "by its " + step->held_by;
    holds.push_back(std::move(hold));
    if (holds_itself) return holds;
    step = SlowestInput(status, *step);
    if (step != nullptr) source = FindSource(status, step->label);
  }
  if (source != nullptr) AddSource(status, *source, holds);
  return holds;
}

std::string HoldsText(const std::vector<HoldStatus>& holds) {
  std::string text;
  for (const HoldStatus& hold : holds) {
    if (!text.empty()) text += " <- ";
    if (hold.what == "record") {
      text += "last record " + hold.name + " at " + hold.watermark.ToString();
    } else {
      text += hold.name;
    }
    if (!hold.why.empty()) text += " (" + hold.why + ")";
  }
  return text;
}

void StatusBoard::Publish(RunStatus facts) {
  const std::lock_guard lock(mutex_);
  const bool restarted = facts_ && facts.started_at != facts_->started_at;
  if (restarted) samples_.clear();
  if (samples_.empty()) samples_.push_back({.at = facts.started_at, .elements_read = 0, .sources = {}, .steps = {}});
  if (facts.now - samples_.back().at >= kSampleInterval) {
    Sample sample{.at = facts.now, .elements_read = facts.elements_read, .sources = {}, .steps = {}};
    for (const SourceStatus& source : facts.sources) sample.sources[source.label] = source.elements_read;
    for (const StepStatus& step : facts.steps) sample.steps[step.label] = step.elements_out;
    samples_.push_back(std::move(sample));
    while (samples_.size() > 2 && facts.now - samples_[1].at >= kSamplesKept) samples_.pop_front();
  }
  facts_ = std::move(facts);
}

int StatusBoard::Add(std::function<void(RunStatus&)> add) {
  const std::lock_guard lock(adding_);
  additions_.emplace(next_addition_, std::move(add));
  return next_addition_++;
}

void StatusBoard::Remove(int added) {
  const std::lock_guard lock(adding_);
  additions_.erase(added);
}

void StatusBoard::Derive(RunStatus& status) const {
  // The newest sample that is so old, or else the oldest.
  const auto before = [&](Duration age) -> const Sample& {
    const auto found = std::find_if(samples_.rbegin(), samples_.rend(),
                                    [&](const Sample& sample) { return status.now - sample.at >= age; });
    return found == samples_.rend() ? samples_.front() : *found;
  };
  const Sample& recent = before(kShortRate);
  const Sample& old = before(kSamplesKept);
  const auto rate = [&](std::int64_t count, std::int64_t recent_count, std::int64_t old_count) {
    return RateStatus{.over_10s = RatePerSecond(count, recent_count, status.now - recent.at),
                      .over_60s = RatePerSecond(count, old_count, status.now - old.at)};
  };
  status.rate = rate(status.elements_read, recent.elements_read, old.elements_read);
  for (SourceStatus& source : status.sources) {
    const std::string& label = source.label;
    source.rate = rate(source.elements_read, CountIn(recent.sources, label), CountIn(old.sources, label));
  }
  for (StepStatus& step : status.steps) {
    step.rate = rate(step.elements_out, CountIn(recent.steps, step.label), CountIn(old.steps, step.label));
  }
}

namespace {

void DeriveLags(RunStatus& status) {
  for (SourceStatus& source : status.sources) {
    for (PartitionStatus& partition : source.partitions) partition.lag = LagOf(partition);
  }
  status.state_bytes = 0;
  for (const StepStatus& step : status.steps) status.state_bytes += step.state_bytes;
}

// The step behind all others: of those that are equally far, the last of the graph.
void DeriveHolds(RunStatus& status) {
  const StepStatus* last = nullptr;
  for (const StepStatus& step : status.steps) {
    if (last == nullptr || step.output_watermark <= last->output_watermark) last = &step;
  }
  if (last != nullptr) {
    if (status.watermark == Timestamp::Min()) status.watermark = last->output_watermark;
    status.holds = HoldsOf(status, last->label);
    return;
  }
  const auto source =
      std::min_element(status.sources.begin(), status.sources.end(),
                       [](const SourceStatus& a, const SourceStatus& b) { return a.watermark < b.watermark; });
  if (source == status.sources.end()) return;
  if (status.watermark == Timestamp::Min()) status.watermark = source->watermark;
  status.holds = HoldsOf(status, source->label);
}

}  // namespace

std::optional<RunStatus> StatusBoard::Read(Timestamp now) const {
  std::optional<RunStatus> status;
  const std::lock_guard additions(adding_);
  {
    const std::lock_guard lock(mutex_);
    if (!facts_) return std::nullopt;
    status = facts_;
    Derive(*status);
  }
  for (const auto& [number, add] : additions_) add(*status);
  status->age = std::max(Duration(0), now - status->now);
  if (status->checkpoint.at) status->checkpoint.age = std::max(Duration(0), now - *status->checkpoint.at);
  DeriveLags(*status);
  DeriveHolds(*status);
  return status;
}

}  // namespace millrace
