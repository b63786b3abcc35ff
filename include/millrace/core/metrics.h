// User metrics, as Beam's: counters, distributions and gauges, named by the step that reports them
// (https://beam.apache.org/documentation/programming-guide/#metrics).
//
//   millrace::Metrics::Counter("rejected").Increment();
//
// Call them from a DoFn while it is being run; elsewhere they do nothing. Each worker counts for itself, so no call
// waits for another thread; results are summed when they are asked for.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <string>
#include <string_view>

namespace millrace {

/// What a distribution knows of the values reported to it.
struct DistributionResult {
  std::int64_t count = 0;
  std::int64_t sum = 0;
  std::int64_t min = std::numeric_limits<std::int64_t>::max();
  std::int64_t max = std::numeric_limits<std::int64_t>::min();
  double mean() const { return count == 0 ? 0.0 : static_cast<double>(sum) / static_cast<double>(count); }
  friend bool operator==(const DistributionResult&, const DistributionResult&) = default;
};

/// The metrics of one step.
struct StepMetrics {
  std::map<std::string, std::int64_t> counters;
  std::map<std::string, DistributionResult> distributions;
  std::map<std::string, std::int64_t> gauges;

  void Add(const StepMetrics& other);
};

namespace detail {

enum class MetricKind : std::uint8_t { kCounter, kDistribution, kGauge };

/// One metric of one step on one worker: written by that worker, read by any thread.
struct MetricCell {
  MetricKind kind;
  std::string name;
  std::atomic<std::int64_t> count{0};  // a counter's sum, a distribution's count
  std::atomic<std::int64_t> sum{0};    // a gauge's value
  std::atomic<std::int64_t> min{std::numeric_limits<std::int64_t>::max()};
  std::atomic<std::int64_t> max{std::numeric_limits<std::int64_t>::min()};  // a gauge's time of report, in microseconds
};

/// The metrics of one step on one worker.
class MetricsContainer {
 public:
  MetricsContainer() = default;
  MetricsContainer(const MetricsContainer&) = delete;
  MetricsContainer& operator=(const MetricsContainer&) = delete;
  ~MetricsContainer();

  /// Only the worker's thread may call it.
  MetricCell& Cell(MetricKind kind, std::string_view name);
  StepMetrics Read() const;

 private:
  struct Node {
    MetricCell cell;
    Node* next = nullptr;
  };
  std::atomic<Node*> head_{nullptr};
};

/// The container of the step that this thread runs, or null.
inline thread_local MetricsContainer* current_metrics = nullptr;

class MetricsScope {
 public:
  explicit MetricsScope(MetricsContainer& container) : before_(current_metrics) { current_metrics = &container; }
  ~MetricsScope() { current_metrics = before_; }
  MetricsScope(const MetricsScope&) = delete;
  MetricsScope& operator=(const MetricsScope&) = delete;

 private:
  MetricsContainer* before_;
};

// A cell has one writer, so an addition needs no locked instruction.
inline void Add(std::atomic<std::int64_t>& cell, std::int64_t amount) {
  cell.store(cell.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
}

}  // namespace detail

class Counter {
 public:
  explicit Counter(std::string_view name) : name_(name) {}
  void Increment(std::int64_t by = 1) const {
    if (detail::current_metrics == nullptr) return;
    detail::Add(detail::current_metrics->Cell(detail::MetricKind::kCounter, name_).count, by);
  }

 private:
  std::string_view name_;
};

class Distribution {
 public:
  explicit Distribution(std::string_view name) : name_(name) {}
  void Update(std::int64_t value) const;

 private:
  std::string_view name_;
};

class Gauge {
 public:
  explicit Gauge(std::string_view name) : name_(name) {}
  void Set(std::int64_t value) const;

 private:
  std::string_view name_;
};

/// Beam's spelling of the same. The name must outlive the call only.
struct Metrics {
  static millrace::Counter Counter(std::string_view name) { return millrace::Counter(name); }
  static millrace::Distribution Distribution(std::string_view name) { return millrace::Distribution(name); }
  static millrace::Gauge Gauge(std::string_view name) { return millrace::Gauge(name); }
};

}  // namespace millrace
