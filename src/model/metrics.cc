#include "millrace/core/metrics.h"

#include <algorithm>
#include <chrono>

namespace millrace {

void StepMetrics::Add(const StepMetrics& other) {
  for (const auto& [name, value] : other.counters) counters[name] += value;
  for (const auto& [name, value] : other.distributions) {
    DistributionResult& mine = distributions[name];
    mine.count += value.count;
    mine.sum += value.sum;
    mine.min = std::min(mine.min, value.min);
    mine.max = std::max(mine.max, value.max);
  }
  for (const auto& [name, value] : other.gauges) gauges[name] = value;
}

void Distribution::Update(std::int64_t value) const {
  if (detail::current_metrics == nullptr) return;
  detail::MetricCell& cell = detail::current_metrics->Cell(detail::MetricKind::kDistribution, name_);
  detail::Add(cell.count, 1);
  detail::Add(cell.sum, value);
  if (value < cell.min.load(std::memory_order_relaxed)) cell.min.store(value, std::memory_order_relaxed);
  if (value > cell.max.load(std::memory_order_relaxed)) cell.max.store(value, std::memory_order_relaxed);
}

void Gauge::Set(std::int64_t value) const {
  if (detail::current_metrics == nullptr) return;
  detail::MetricCell& cell = detail::current_metrics->Cell(detail::MetricKind::kGauge, name_);
  cell.sum.store(value, std::memory_order_relaxed);
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  cell.max.store(std::chrono::duration_cast<std::chrono::microseconds>(now).count(), std::memory_order_relaxed);
}

namespace detail {

MetricsContainer::~MetricsContainer() {
  Node* node = head_.load();
  while (node != nullptr) {
    Node* next = node->next;
    delete node;
    node = next;
  }
}

MetricCell& MetricsContainer::Cell(MetricKind kind, std::string_view name) {
  for (Node* node = head_.load(std::memory_order_relaxed); node != nullptr; node = node->next) {
    if (node->cell.kind == kind && node->cell.name == name) return node->cell;
  }
  Node* node = new Node{.cell = {.kind = kind, .name = std::string(name)}};
  node->next = head_.load(std::memory_order_relaxed);
  head_.store(node, std::memory_order_release);  // readers see a whole node
  return node->cell;
}

StepMetrics MetricsContainer::Read() const {
  StepMetrics result;
  for (const Node* node = head_.load(std::memory_order_acquire); node != nullptr; node = node->next) {
    const MetricCell& cell = node->cell;
    switch (cell.kind) {
      case MetricKind::kCounter: result.counters[cell.name] = cell.count.load(std::memory_order_relaxed); break;
      case MetricKind::kDistribution:
        result.distributions[cell.name] = {
            .count = cell.count.load(std::memory_order_relaxed),
            .sum = cell.sum.load(std::memory_order_relaxed),
            .min = cell.min.load(std::memory_order_relaxed),
            .max = cell.max.load(std::memory_order_relaxed),
        };
        break;
      case MetricKind::kGauge: result.gauges[cell.name] = cell.sum.load(std::memory_order_relaxed); break;
    }
  }
  return result;
}

}  // namespace detail
}  // namespace millrace
