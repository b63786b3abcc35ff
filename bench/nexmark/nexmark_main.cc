// Runs a Nexmark query as a pipeline of the SDK on the native runner, and prints one line of figures.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "millrace/runner/rocksdb_state.h"
#include "nexmark/log_source.h"
#include "nexmark/options.h"
#include "nexmark/pipelines.h"
#include "nexmark/pools.h"
#include "nexmark/report.h"

namespace millrace::nexmark {
namespace {

constexpr int kExitFailed = 1;
constexpr int kExitWrongUsage = 2;

int Fail(const Status& status, int code) {
  std::fprintf(stderr, "nexmark: %s\n", status.message().c_str());
  return code;
}

constexpr char kOwnHelp[] =
    "  --threads=N         worker threads [1]\n"
    "  --mode=MODE         streaming or batch [streaming]\n"
    "  --bundle=N          elements that a source reads before timers and watermarks are looked after [16384]\n"
    "  --send_rate=N       rows per second of the clock, sent when they are due; gives latencies [0: as fast as it "
    "goes]\n"
    "  --checkpoint_interval=MS  a durable checkpoint each so many milliseconds; 0: none [0]\n"
    "  --checkpoint_folder=DIR   where they are kept; a run goes on from what it finds there\n"
    "  --log_folder=DIR    q12, qk: rows are in an event log there (filled first, not measured) and read from it\n"
    "  --state_folder=DIR  state beyond --state_memory_mib is in a RocksDB there\n"
    "  --state_memory_mib=N      with --state_folder: so much of the state is in memory [1024]\n";

StatusOr<RunOptions> TakeRunOptions(Options& options) {
  RunOptions run;
  const std::string mode = options.Take("mode").value_or("streaming");
  if (mode != "streaming" && mode != "batch")
    return InvalidArgumentError("--mode=" + mode + ": give streaming or batch");
  run.streaming = mode == "streaming";
  StatusOr<std::uint64_t> threads = ParseCount("threads", options.Take("threads").value_or("1"));
  if (!threads.ok()) return threads.status();
  run.threads = static_cast<int>(*threads);
  StatusOr<std::uint64_t> bundle = ParseCount("bundle", options.Take("bundle").value_or("16384"));
  if (!bundle.ok()) return bundle.status();
  run.bundle_elements = static_cast<std::int64_t>(*bundle);
  StatusOr<std::uint64_t> interval =
      ParseCount("checkpoint_interval", options.Take("checkpoint_interval").value_or("0"));
  if (!interval.ok()) return interval.status();
  const std::string folder = options.Take("checkpoint_folder").value_or("");
  if (*interval > 0 && folder.empty()) return InvalidArgumentError("--checkpoint_interval needs --checkpoint_folder");
  if (*interval > 0) {
    run.checkpoints = CheckpointOptions{.folder = folder,
                                        .interval = std::chrono::milliseconds(*interval),
                                        .job_name = std::string(QueryName(options.query))};
  }
  StatusOr<std::uint64_t> memory = ParseCount("state_memory_mib", options.Take("state_memory_mib").value_or("1024"));
  if (!memory.ok()) return memory.status();
  if (const std::optional<std::string> state = options.Take("state_folder")) {
    run.state = RocksdbState({.folder = *state, .memory_bytes = static_cast<std::int64_t>(*memory << 20)});
  }
  return run;
}

// With --send_rate event time passes as fast as the clock, unless --rate says otherwise.
StatusOr<std::shared_ptr<Pace>> TakePace(Options& options, bool has_rate, bool streaming) {
  StatusOr<std::uint64_t> send_rate = ParseCount("send_rate", options.Take("send_rate").value_or("0"));
  if (!send_rate.ok()) return send_rate.status();
  if (*send_rate == 0) return std::shared_ptr<Pace>();
  if (!streaming) return InvalidArgumentError("--send_rate is for --mode=streaming");
  if (options.generator.disorder_log2 != 0)
    return InvalidArgumentError("--send_rate sends rows in order: no --disorder");
  const bool persons = options.query == Query::kQ8;
  const double share =
      static_cast<double>(persons ? kPersonsAndAuctionsPerEpoch : kBidsPerEpoch) / static_cast<double>(kEventsPerEpoch);
  if (!has_rate) options.generator.rate = static_cast<std::uint64_t>(static_cast<double>(*send_rate) / share);
  return std::make_shared<Pace>(static_cast<double>(*send_rate), static_cast<double>(options.generator.rate) * share);
}

int Main(const std::vector<std::string>& arguments) {
  StatusOr<Options> options = ParseOptions(arguments);
  if (!options.ok()) return Fail(options.status(), kExitWrongUsage);
  if (options->help) {
    std::printf("Runs a Nexmark query on the native runner.\n%s%s", OptionsHelp().c_str(), kOwnHelp);
    return 0;
  }
  StatusOr<RunOptions> run = TakeRunOptions(*options);
  if (!run.ok()) return Fail(run.status(), kExitWrongUsage);
  Pools::Get();  // built before the measurement, as in the loop
  const bool has_rate = std::any_of(arguments.begin(), arguments.end(),
                                    [](const std::string& argument) { return argument.starts_with("--rate="); });
  StatusOr<std::shared_ptr<Pace>> pace = TakePace(*options, has_rate, run->streaming);
  if (!pace.ok()) return Fail(pace.status(), kExitWrongUsage);
  options->log_folder = options->Take("log_folder").value_or("");
  if (Status status = RejectUnknown(*options); !status.ok()) return Fail(status, kExitWrongUsage);
  if (!options->log_folder.empty()) {
    if (*pace != nullptr) return Fail(InvalidArgumentError("--log_folder and --send_rate"), kExitWrongUsage);
    if (Status filled = FillLog(*options); !filled.ok()) return Fail(filled, kExitFailed);
  }

  std::atomic<std::int64_t> checkpoints = 0;
  std::atomic<double> first_read_s = 0;
  if (run->checkpoints) {
    run->checkpoints->on_commit = [&checkpoints](std::uint64_t) {
      ++checkpoints;
      return OkStatus();
    };
    run->progress_interval = std::chrono::milliseconds(5);
    run->on_progress = [&first_read_s](const Progress& progress) {
      if (first_read_s == 0 && progress.elements_read > 0) first_read_s = progress.elapsed_s;
    };
  }
  const RunMeter meter;
  Pipeline pipeline;
  auto result = std::make_shared<CheckResult>();
  BuildQuery(*options, pipeline, result, *pace, run->threads);
  const PipelineResult outcome = pipeline.Run(*run);
  if (!outcome.ok()) return Fail(outcome.status, kExitFailed);
  RunReport report{.query = std::string(QueryName(options->query)),
                   .events = options->events,
                   .threads = run->threads,
                   .mode = run->streaming ? "streaming" : "batch",
                   .check = result->check.ToString(SumsOfCheck(options->query)),
                   .extra = {{"source", JsonQuoted(options->log_folder.empty() ? "generator" : "log")},
                             {"strings", JsonQuoted(options->owned_strings ? "owned" : "pooled")}}};
  meter.Finish(report);
  if (*pace != nullptr) report.latency = (*pace)->Summary();
  if (run->checkpoints) {
    report.extra.emplace_back("checkpoints", std::to_string(checkpoints));
    report.extra.emplace_back("first_read_s", std::to_string(first_read_s));
  }
  const std::string text = options->format == OutputFormat::kJson ? ToJson(report) : ToText(report);
  std::printf("%s\n", text.c_str());
  return 0;
}

}  // namespace
}  // namespace millrace::nexmark

int main(int argc, char** argv) { return millrace::nexmark::Main({argv + 1, argv + argc}); }
