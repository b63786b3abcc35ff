// What a run prints: one JSON line with the figures, the same for the loop and for the engine.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace millrace::nexmark {

/// Percentiles of the time from an event's scheduled sending to its result.
struct LatencySummary {
  double p50_ms = 0;
  double p99_ms = 0;
  double p999_ms = 0;
  double max_ms = 0;
};

struct RunReport {
  std::string query = {};
  std::uint64_t events = 0;
  int threads = 1;
  std::string mode = {};  // "loop", "streaming", "batch"
  double wall_s = 0;
  double cpu_s = 0;  // user and system, all threads
  double peak_rss_mb = 0;
  std::string check = {};
  std::optional<LatencySummary> latency = {};
  // Further fields of the line, as name and JSON value, such as {"strings", "\"owned\""}.
  std::vector<std::pair<std::string, std::string>> extra = {};

  double events_per_s() const { return wall_s > 0 ? static_cast<double>(events) / wall_s : 0; }
  double events_per_cpu_s() const { return cpu_s > 0 ? static_cast<double>(events) / cpu_s : 0; }
};

/// One line without a line break: query, events, threads, mode, wall_s, cpu_s, events_per_s, events_per_cpu_s,
/// peak_rss_mb, check, then latency_ms {p50, p99, p999, max} if measured, then the extra fields.
std::string ToJson(const RunReport& report);

/// The same for a reader at a terminal, on a few lines.
std::string ToText(const RunReport& report);

/// A JSON string with its quotes.
std::string JsonQuoted(const std::string& text);

/// Measures the process from its construction to `Finish`. Not thread safe.
class RunMeter {
 public:
  RunMeter();

  /// Fills wall_s, cpu_s and peak_rss_mb. The peak is that of the process, from its start.
  void Finish(RunReport& report) const;

 private:
  std::chrono::steady_clock::time_point wall_begin_;
  double cpu_begin_s_;
};

/// User and system time of the process so far, in seconds.
double ProcessCpuSeconds();

/// The greatest resident set of the process so far, in units of 2^20 bytes.
double PeakRssMb();

}  // namespace millrace::nexmark
