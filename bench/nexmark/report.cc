#include "nexmark/report.h"

#include <sys/resource.h>

#include <cstdio>
#include <fstream>

namespace millrace::nexmark {
namespace {

std::string Fixed(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof(text), "%.*f", digits, value);
  return text;
}

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
}

// Appends fields of one JSON object.
class JsonObject {
 public:
  void Add(const std::string& name, const std::string& json_value) {
    text_.append(text_.size() > 1 ? "," : "").append(JsonQuoted(name)).append(1, ':').append(json_value);
  }
  std::string Finish() { return text_ + "}"; }

 private:
  std::string text_ = "{";
};

}  // namespace

std::string JsonQuoted(const std::string& text) {
  std::string json = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      json.append(1, '\\').append(1, c);
    } else if (byte < 0x20) {
      char escaped[8];
      std::snprintf(escaped, sizeof(escaped), "\\u%04x", static_cast<unsigned>(byte));
      json += escaped;
    } else {
      json += c;
    }
  }
  return json + "\"";
}

std::string ToJson(const RunReport& report) {
  JsonObject json;
  json.Add("query", JsonQuoted(report.query));
  json.Add("events", std::to_string(report.events));
  json.Add("threads", std::to_string(report.threads));
  json.Add("mode", JsonQuoted(report.mode));
  json.Add("wall_s", Fixed(report.wall_s, 6));
  json.Add("cpu_s", Fixed(report.cpu_s, 6));
  json.Add("events_per_s", Fixed(report.events_per_s(), 0));
  json.Add("events_per_cpu_s", Fixed(report.events_per_cpu_s(), 0));
  json.Add("peak_rss_mb", Fixed(report.peak_rss_mb, 1));
  json.Add("check", JsonQuoted(report.check));
  if (report.latency) {
    JsonObject latency;
    latency.Add("p50", Fixed(report.latency->p50_ms, 3));
    latency.Add("p99", Fixed(report.latency->p99_ms, 3));
    latency.Add("p999", Fixed(report.latency->p999_ms, 3));
    latency.Add("max", Fixed(report.latency->max_ms, 3));
    json.Add("latency_ms", latency.Finish());
  }
  for (const auto& [name, value] : report.extra) json.Add(name, value);
  return json.Finish();
}

std::string ToText(const RunReport& report) {
  std::string text = report.query + " " + report.mode + ", threads " + std::to_string(report.threads) + ": " +
                     std::to_string(report.events) + " events in " + Fixed(report.wall_s, 3) + " s wall, " +
                     Fixed(report.cpu_s, 3) + " s CPU\n";
  text += "  " + Fixed(report.events_per_s() / 1e6, 2) + " M events/s, " + Fixed(report.events_per_cpu_s() / 1e6, 2) +
          " M events per CPU-second, peak " + Fixed(report.peak_rss_mb, 1) + " MB\n";
  text += "  check " + report.check;
  if (report.latency) {
    text += "\n  latency p50 " + Fixed(report.latency->p50_ms, 3) + " ms, p99 " + Fixed(report.latency->p99_ms, 3) +
            " ms, p99.9 " + Fixed(report.latency->p999_ms, 3) + " ms, max " + Fixed(report.latency->max_ms, 3) + " ms";
  }
  for (const auto& [name, value] : report.extra) text += "\n  " + name + " " + value;
  return text;
}

RunMeter::RunMeter() : wall_begin_(std::chrono::steady_clock::now()), cpu_begin_s_(ProcessCpuSeconds()) {}

void RunMeter::Finish(RunReport& report) const {
  report.wall_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - wall_begin_).count();
  report.cpu_s = ProcessCpuSeconds() - cpu_begin_s_;
  report.peak_rss_mb = PeakRssMb();
}

double ProcessCpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return Seconds(usage.ru_utime) + Seconds(usage.ru_stime);
}

double PeakRssMb() {
  // The kernel's high-water mark of this program. getrusage keeps the parent's over an exec, so it is the second
  // choice.
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    long kilobytes = 0;
    if (std::sscanf(line.c_str(), "VmHWM: %ld kB", &kilobytes) == 1) return static_cast<double>(kilobytes) / 1024;
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

}  // namespace millrace::nexmark
