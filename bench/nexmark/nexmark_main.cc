// Runs a Nexmark query as a pipeline of the SDK on the native runner, and prints one line of figures.
#include <atomic>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

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
    "  --checkpoint_interval=MS  a durable checkpoint each so many milliseconds; 0: none [0]\n"
    "  --checkpoint_folder=DIR   where they are kept; a run goes on from what it finds there\n";

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
  return run;
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
  if (Status status = RejectUnknown(*options); !status.ok()) return Fail(status, kExitWrongUsage);

  Pools::Get();  // built before the measurement, as in the loop
  std::atomic<std::int64_t> checkpoints = 0;
  if (run->checkpoints) run->checkpoints->on_commit = [&checkpoints](std::uint64_t) { ++checkpoints; };
  const RunMeter meter;
  Pipeline pipeline;
  auto result = std::make_shared<CheckResult>();
  BuildQuery(*options, pipeline, result);
  const PipelineResult outcome = pipeline.Run(*run);
  if (!outcome.ok()) return Fail(outcome.status, kExitFailed);
  RunReport report{.query = std::string(QueryName(options->query)),
                   .events = options->events,
                   .threads = run->threads,
                   .mode = run->streaming ? "streaming" : "batch",
                   .check = result->check.ToString(SumsOfCheck(options->query)),
                   .extra = {{"strings", JsonQuoted(options->owned_strings ? "owned" : "pooled")}}};
  meter.Finish(report);
  if (run->checkpoints) report.extra.emplace_back("checkpoints", std::to_string(checkpoints));
  const std::string text = options->format == OutputFormat::kJson ? ToJson(report) : ToText(report);
  std::printf("%s\n", text.c_str());
  return 0;
}

}  // namespace
}  // namespace millrace::nexmark

int main(int argc, char** argv) { return millrace::nexmark::Main({argv + 1, argv + argc}); }
