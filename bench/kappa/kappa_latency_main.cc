// kappa_latency: a topology whose results say how old they are, and a sender for it. latency.py runs both; see
// bench/README.md.
//
//   kappa_latency send --data_dir=DIR --phase=N --rate=EVENTS_PER_S --seconds=S    sends when each event is due
//   kappa_latency send --data_dir=DIR --phase=0 --history=N                        sends N old events at once
//   kappa_latency run|replay|... --data_dir=DIR [--latency_file=FILE]
//
// An event carries when it was due, which is its event time as well. A result's latency counts from when the newest
// event in it was due: what is sent late because the machine was busy is not forgiven (no coordinated omission).
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/file_system.h"
#include "log/log_writer.h"
#include "millrace/core/options.h"
#include "millrace/millrace.h"
#include "millrace/runner/main.h"
#include "millrace/topology/kappa.h"
#include "nexmark/pace.h"

namespace millrace::kappa_latency {
namespace {

using namespace std::chrono_literals;

constexpr int kPhases = 32;
constexpr const char* kTopic = "kappa_latency";
constexpr int kPartitions = 4;
constexpr std::int64_t kKeys = 1000;

std::int64_t NowMicros() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

struct Event {
  std::int64_t key = 0;
  std::int64_t due_us = 0;  // since 1970
  std::int32_t phase = 0;   // 0: history, whose latency is not of interest
};

struct Options {
  std::string latency_file;

  static constexpr OptionHelp kOptionHelp[] = {
      {"latency_file", "where a run writes the latencies of each phase when it ends, a line of JSON for each"}};
};

struct SendOptions {
  std::string data_dir;
  std::int32_t phase = 1;
  double rate = 20'000;
  double seconds = 10;
  std::int64_t history = 0;
  std::string sync = "os";

  static constexpr OptionHelp kOptionHelp[] = {
      {"data_dir", "the topology's"},
      {"phase", "under which the latencies are counted, 1 to 31; 0: not at all"},
      {"rate", "events per second"},
      {"seconds", "how long"},
      {"history", "instead: so many events at once, due at the rate and before now"},
      {"sync", "of the log: always or os"},
  };
};

std::array<nexmark::LatencyHistogram, kPhases>& Histograms() {
  static std::array<nexmark::LatencyHistogram, kPhases> histograms;
  return histograms;
}

/// Of a key in a window.
struct Seen {
  std::int64_t events = 0;
  std::int64_t newest_us = 0;
  std::int32_t phase = 0;
};

struct SeenFn {
  Seen CreateAccumulator() const { return {}; }
  void AddInput(Seen& seen, const Event& event) const { MergeAccumulators(seen, {1, event.due_us, event.phase}); }
  void MergeAccumulators(Seen& into, const Seen& from) const {
    into.events += from.events;
    if (from.newest_us < into.newest_us) return;
    into.newest_us = from.newest_us;
    into.phase = from.phase;
  }
  Seen ExtractOutput(const Seen& seen) const { return seen; }
};

/// Passes results on and notes how old they are: of panes that were fired because an event came.
struct NoteLatency {
  bool notes = false;

  void ProcessElement(const KV<std::int64_t, Seen>& result, const PaneInfo& pane,
                      Output<KV<std::int64_t, Seen>> results) const {
    if (notes && pane.timing == PaneInfo::Timing::kEarly && result.value.phase > 0) {
      Histograms()
          .at(static_cast<std::size_t>(result.value.phase))
          .Add(std::chrono::microseconds(NowMicros() - result.value.newest_us));
    }
    results.Emit(result);
  }
};

void ParseEvent(const LogRecord& record, Output<Event> events) {
  if (const auto event = json::Parse<Event>(record.data)) events.Emit(*event);
}

void CountEvents(const PCollection<LogRecord>& records, const Options& options) {
  records | "Parse" >> ParDo<ParseEvent>() | "ByKey" >> WithKeys(&Event::key) |
      "Windows" >> WindowInto(FixedWindows{10s})
                       .Triggering(AfterWatermark{.early = AfterCount{1}, .late = AfterCount{1}})
                       .AllowedLateness(1h)
                       .Accumulating() |
      "Count" >> CombinePerKey(SeenFn{}) | "Note" >> ParDo(NoteLatency{!options.latency_file.empty()}) | View("counts");
}

const topology::Kappa kKappa{
    .log = {.max_disorder = 1s, .partitions = kPartitions}, .logic = CountEvents, .views = {"counts"}};

[[noreturn]] void Fail(const Status& status) {
  std::fprintf(stderr, "kappa_latency: %s\n", status.ToString().c_str());
  std::exit(1);
}

/// Appends events `begin` to `end`, of which number 0 is due at `start_us`.
void Append(log::LogWriter& writer, const SendOptions& options, std::int64_t start_us, std::int64_t begin,
            std::int64_t end) {
  std::vector<std::string> data;
  std::vector<log::AppendRecord> records;
  data.reserve(static_cast<std::size_t>(end - begin));
  for (std::int64_t i = begin; i < end; ++i) {
    const auto due_us = start_us + static_cast<std::int64_t>(static_cast<double>(i) * 1e6 / options.rate);
    const std::int64_t key = i * 7919 % kKeys;
    data.push_back(json::Write(Event{key, due_us, options.phase}));
    records.push_back({.event_time = Timestamp::FromMicros(due_us),
                       .data = data.back(),
                       .partition = static_cast<std::int32_t>(key % kPartitions)});
  }
  if (const Status status = writer.Append(records).status(); !status.ok()) Fail(status);
}

int Send(int argc, char** argv) {
  SendOptions options;
  OptionParser parser;
  parser.Add("Options of send", &options);
  const std::vector<std::string> arguments(argv + 2, argv + argc);
  if (const auto rest = parser.Parse(arguments); !rest.ok()) Fail(rest.status());
  if (options.phase < 0 || options.phase >= kPhases) Fail(InvalidArgumentError("--phase: give 0 to 31"));
  if (options.rate <= 0) Fail(InvalidArgumentError("--rate must be positive"));
  const auto sync = options.sync == "always" ? log::SyncPolicy::kAlways : log::SyncPolicy::kOs;
  const auto writer = log::LogWriter::Open(base::PosixFileSystem(), options.data_dir + "/log", kTopic,
                                           {.partitions = kPartitions, .sync = sync, .segment_bytes = 16 << 20});
  if (!writer.ok()) Fail(writer.status());
  if (options.history > 0) {
    const auto start_us =
        NowMicros() - static_cast<std::int64_t>(static_cast<double>(options.history) * 1e6 / options.rate);
    constexpr std::int64_t kAtOnce = 10'000;
    for (std::int64_t i = 0; i < options.history; i += kAtOnce) {
      Append(**writer, options, start_us, i, std::min(i + kAtOnce, options.history));
    }
  } else {
    const std::int64_t start_us = NowMicros();
    const auto total = static_cast<std::int64_t>(options.rate * options.seconds);
    for (std::int64_t sent = 0; sent < total; std::this_thread::sleep_for(1ms)) {
      const double elapsed_s = static_cast<double>(NowMicros() - start_us) / 1e6;
      const auto due = std::min(total, static_cast<std::int64_t>(elapsed_s * options.rate));
      if (due > sent) Append(**writer, options, start_us, sent, due);
      sent = std::max(sent, due);
    }
  }
  if (const Status status = (*writer)->Close(); !status.ok()) Fail(status);
  return 0;
}

void WriteLatencies(const std::string& file) {
  std::FILE* out = std::fopen(file.c_str(), "w");
  if (out == nullptr) Fail(InternalError("cannot write " + file));
  for (std::size_t phase = 1; phase < kPhases; ++phase) {
    const nexmark::LatencySummary latency = Histograms()[phase].Summary();
    if (latency.max_ms == 0) continue;
    std::fprintf(out, "{\"phase\": %zu, \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"p999_ms\": %.3f, \"max_ms\": %.3f}\n",
                 phase, latency.p50_ms, latency.p99_ms, latency.p999_ms, latency.max_ms);
  }
  std::fclose(out);
}

int RunTopology(int argc, char** argv) {
  const int code = Main(argc, argv, kKappa);
  constexpr std::string_view kOption = "--latency_file=";
  for (int i = 1; i < argc; ++i) {
    if (std::string_view(argv[i]).starts_with(kOption)) WriteLatencies(argv[i] + kOption.size());
  }
  return code;
}

}  // namespace
}  // namespace millrace::kappa_latency

int main(int argc, char** argv) {
  const bool sends = argc > 1 && std::string_view(argv[1]) == "send";
  return sends ? millrace::kappa_latency::Send(argc, argv) : millrace::kappa_latency::RunTopology(argc, argv);
}
