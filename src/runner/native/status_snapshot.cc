#include "runner/native/status_snapshot.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <variant>

namespace millrace::native {

namespace {

using exec::WorkerStatus;

// Counters of the engine's own among those of a step.
constexpr const char* kLate = "late_dropped";
constexpr const char* kCells = "cells";
constexpr const char* kLetters = "dead_letters";

std::int64_t TakeCounter(StepMetrics& metrics, const char* name) {
  const auto found = metrics.counters.find(name);
  if (found == metrics.counters.end()) return 0;
  const std::int64_t value = found->second;
  metrics.counters.erase(found);
  return value;
}

class Snapshot {
 public:
  Snapshot(const detail::Graph& graph, const exec::Plan& plan, const std::vector<std::unique_ptr<Worker>>& workers)
      : graph_(graph), plan_(plan), workers_(workers) {
    for (const detail::Transform& transform : graph.transforms()) transforms_[transform.label] = &transform;
    for (const auto& worker : workers) told_.push_back(worker->AskStatus());
  }

  RunStatus Take() {
    RunStatus status;
    status.threads = static_cast<std::int32_t>(workers_.size());
    status.watermark = Timestamp::Max();
    for (std::size_t node = 0; node < plan_.nodes.size(); ++node) {
      StepStatus step = StepOf(node);
      if (plan_.nodes[node].is_source) status.sources.push_back(SourceOf(node, step));
      AddResults(plan_.nodes[node], step, status);
      status.watermark = std::min(status.watermark, step.output_watermark);
      status.steps.push_back(std::move(step));
    }
    for (const SourceStatus& source : status.sources) status.elements_read += source.elements_read;
    return status;
  }

 private:
  std::int64_t ElementsOut(int node, int output) const {
    std::int64_t sum = 0;
    for (const auto& worker : workers_) sum += worker->graph().ElementsOut(node, output);
    return sum;
  }

  StepStatus StepOf(std::size_t node) const {
    const exec::PlanNode& planned = plan_.nodes[node];
    StepStatus step{.label = planned.label, .kind = planned.kind, .stage = static_cast<std::int32_t>(node)};
    for (const exec::Upstream& upstream : planned.inputs) {
      step.inputs.push_back(plan_.nodes[static_cast<std::size_t>(upstream.node)].label);
      step.elements_in += ElementsOut(upstream.node, upstream.output);
    }
    for (int output = 0; output < planned.outputs; ++output) {
      step.elements_out += ElementsOut(static_cast<int>(node), output);
    }
    for (const auto& worker : workers_) step.metrics.Add(worker->graph().Metrics(static_cast<int>(node)));
    step.late_dropped = TakeCounter(step.metrics, kLate);
    step.input_watermark = step.output_watermark = Timestamp::Max();
    for (const WorkerStatus& told : told_) AddWorker(told, node, step);
    if (planned.is_source) step.input_watermark = step.output_watermark;
    if (step.output_watermark < step.input_watermark) {
      step.held_by = step.open_windows > 0 ? "open windows" : "state and timers";
    }
    return step;
  }

  // A watermark is that of the worker furthest behind. Workers have the same windows open, for their own keys.
  static void AddWorker(const WorkerStatus& told, std::size_t node, StepStatus& step) {
    const WorkerStatus::Node known = node < told.nodes.size() ? told.nodes[node] : WorkerStatus::Node{};
    step.input_watermark = std::min(step.input_watermark, known.input_watermark);
    step.output_watermark = std::min(step.output_watermark, known.output_watermark);
    step.state_bytes += known.state_bytes;
    step.open_windows = std::max(step.open_windows, known.open_windows);
    if (!known.oldest_open_window) return;
    const WindowStatus oldest{.start = known.oldest_open_window->start, .end = known.oldest_open_window->end};
    if (!step.oldest_open_window || oldest.end < step.oldest_open_window->end) step.oldest_open_window = oldest;
  }

  SourceStatus SourceOf(std::size_t node, const StepStatus& step) const {
    SourceStatus source{.label = step.label, .watermark = step.output_watermark};
    source.elements_read = ElementsOut(static_cast<int>(node), 0);
    if (plan_.nodes[node].outputs > 1) source.bad_records = ElementsOut(static_cast<int>(node), 1);
    for (const WorkerStatus& told : told_) {
      if (node >= told.nodes.size()) continue;
      const auto& partitions = told.nodes[node].partitions;
      source.partitions.insert(source.partitions.end(), partitions.begin(), partitions.end());
    }
    std::sort(source.partitions.begin(), source.partitions.end(),
              [](const PartitionStatus& a, const PartitionStatus& b) { return a.partition < b.partition; });
    return source;
  }

  void AddResults(const exec::PlanNode& planned, StepStatus& step, RunStatus& status) const {
    const std::int64_t cells = TakeCounter(step.metrics, kCells);
    const std::int64_t letters = TakeCounter(step.metrics, kLetters);
    if (planned.late != nullptr && step.late_dropped > 0) {
      status.dead_letters.push_back({.name = kLateName, .step = step.label, .count = step.late_dropped});
    }
    const auto found = transforms_.find(planned.label);
    if (found == transforms_.end()) return;
    const detail::Transform& transform = *found->second;
    if (const auto* view = std::get_if<detail::ViewPayload>(&transform.payload)) {
      status.views.push_back(
          {.name = view->name, .step = step.label, .cells_written = cells, .complete_through = step.output_watermark});
    } else if (const auto* dead = std::get_if<detail::DeadLettersPayload>(&transform.payload)) {
      const detail::PCollectionNode& input = graph_.pcollection(transform.inputs[0]);
      status.dead_letters.push_back(
          {.name = dead->name, .step = graph_.transform(input.producer).label, .count = letters});
    }
  }

  const detail::Graph& graph_;
  const exec::Plan& plan_;
  const std::vector<std::unique_ptr<Worker>>& workers_;
  std::map<std::string, const detail::Transform*, std::less<>> transforms_;
  std::vector<WorkerStatus> told_;
};

}  // namespace

RunStatus SnapshotOf(const detail::Graph& graph, const exec::Plan& plan,
                     const std::vector<std::unique_ptr<Worker>>& workers) {
  return Snapshot(graph, plan, workers).Take();
}

}  // namespace millrace::native
