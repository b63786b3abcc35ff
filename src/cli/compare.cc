#include "cli/compare.h"

#include <signal.h>

#include <filesystem>
#include <iomanip>
#include <iostream>
#include <optional>
#include <sstream>
#include <system_error>
#include <thread>
#include <utility>

#include "base/file_system.h"
#include "base/status_macros.h"
#include "batch/manifest.h"
#include "cli/batch_layer.h"
#include "cli/checkpoint_cut.h"
#include "cli/child_process.h"
#include "cli/merged_views.h"
#include "cli/row_writer.h"
#include "cli/stop_signals.h"
#include "cli/warehouse.h"
#include "columnar/view_columns.h"
#include "log/log_reader.h"

namespace millrace::cli {

namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr auto kSampleEvery = std::chrono::milliseconds(200);
constexpr auto kTopicWait = std::chrono::seconds(60);
constexpr const char* kKappa = "kappa";
constexpr const char* kLambda = "lambda";

double SecondsSince(Clock::time_point begun) { return std::chrono::duration<double>(Clock::now() - begun).count(); }

// What one topology has done with the input.
struct Flow {
  std::string data_dir;
  double wall_s = 0;
  double run_cpu_s = 0;  // of Lambda with its recomputes
  double publish_cpu_s = 0;
  double certain_cpu_s = 0;  // of the replay that Kappa needs to be sure
  double certain_wall_s = 0;
  std::int64_t records = 0;
  Quantiles freshness = {};
  Quantiles certainty = {};
};

class Comparison {
 public:
  Comparison(const Invocation& invocation, const Pipeline& pipeline, const std::shared_ptr<std::atomic<bool>>& stop)
      : invocation_(invocation), pipeline_(pipeline), stop_(stop) {}

  StatusOr<int> Run();

 private:
  StatusOr<ChildProcess> Start(const std::string& topology, const std::vector<std::string>& verb,
                               const std::vector<std::string>& more) const;
  StatusOr<ChildEnd> Await(ChildProcess& child, const std::string& what, const std::function<void()>& meanwhile) const;
  StatusOr<Flow> RunTopology(const std::string& topology) const;
  Status Replay(Flow* flow) const;
  FlowSample Sample(const Flow& flow, Clock::time_point begun) const;
  StatusOr<std::vector<std::pair<std::string, std::string>>> Agreement(const Flow& kappa, const Flow& lambda) const;
  std::string OutputOf(const std::string& data_dir) const { return data_dir + ".txt"; }

  const Invocation& invocation_;
  const Pipeline& pipeline_;
  const std::shared_ptr<std::atomic<bool>> stop_;
};

StatusOr<ChildProcess> Comparison::Start(const std::string& topology, const std::vector<std::string>& verb,
                                         const std::vector<std::string>& more) const {
  const std::string data_dir = invocation_.pipeline.data_dir + "/" + topology;
  std::vector<std::string> arguments = ArgumentsFor(invocation_, verb);
  arguments.insert(arguments.end(), {"--topology=" + topology, "--data_dir=" + data_dir});
  arguments.insert(arguments.end(), more.begin(), more.end());
  return ChildProcess::Start(invocation_.program, arguments, OutputOf(data_dir));
}

StatusOr<ChildEnd> Comparison::Await(ChildProcess& child, const std::string& what,
                                     const std::function<void()>& meanwhile) const {
  while (true) {
    MILLRACE_ASSIGN_OR_RETURN(const std::optional<ChildEnd> end, child.Poll());
    if (end && end->code != 0) {
      return UnknownError(what + " has failed; what it said is in " + invocation_.pipeline.data_dir);
    }
    if (end) return *end;
    if (stop_->load()) return CancelledError("stopped");
    meanwhile();
    std::this_thread::sleep_for(kSampleEvery);
  }
}

// What cannot be read is not there yet.
FlowSample Comparison::Sample(const Flow& flow, Clock::time_point begun) const {
  FlowSample sample{.at_s = SecondsSince(begun)};
  const auto last = LastCheckpointOf(flow.data_dir);
  const auto reader = log::LogReader::Open(base::PosixFileSystem(), flow.data_dir + "/log", invocation_.pipeline.topic);
  const StatusOr<log::Cut> end = reader.ok() ? (*reader)->End() : StatusOr<log::Cut>(reader.status());
  if (end.ok()) {
    for (const std::int64_t offset : *end) sample.landed += offset;
  }
  if (end.ok() && last.ok() && last->checkpoint) {
    for (const std::int64_t offset : CutOf(*last->checkpoint, invocation_.pipeline.topic, *end)) {
      sample.committed += offset;
    }
    sample.watermark = last->checkpoint->watermark.value_or(Timestamp::Min());
  } else if (last.ok() && last->is_done) {
    sample.committed = sample.landed;
    sample.watermark = Timestamp::Max();
  }
  const auto manifest = batch::ReadManifest(base::PosixFileSystem(), BatchFolder(flow.data_dir));
  const auto snapshot = manifest.ok() ? batch::SnapshotOf(*manifest) : StatusOr<batch::Snapshot>(manifest.status());
  if (snapshot.ok() && !snapshot->empty()) {
    sample.certain_from = snapshot->range.from;
    sample.certain = snapshot->range.to;
  }
  return sample;
}

StatusOr<Flow> Comparison::RunTopology(const std::string& topology) const {
  Flow flow{.data_dir = invocation_.pipeline.data_dir + "/" + topology};
  std::cerr << invocation_.program << ": " << topology << " ...\n";
  const auto begun = Clock::now();
  MILLRACE_ASSIGN_OR_RETURN(ChildProcess run, Start(topology, {"run"}, {}));
  const std::string topic = flow.data_dir + "/log/" + invocation_.pipeline.topic + "/topic.json";
  std::error_code ignored;
  while (!fs::exists(topic, ignored)) {
    MILLRACE_ASSIGN_OR_RETURN(const std::optional<ChildEnd> end, run.Poll());
    if (end || SecondsSince(begun) > std::chrono::duration<double>(kTopicWait).count()) {
      return UnknownError("the run of " + topology + " has not made its topic; see " + OutputOf(flow.data_dir));
    }
    std::this_thread::sleep_for(kSampleEvery);
  }
  MILLRACE_ASSIGN_OR_RETURN(ChildProcess publish, Start(topology, {"publish", invocation_.arguments[0]}, {"--close"}));
  std::vector<FlowSample> samples;
  const auto sample = [&] { samples.push_back(Sample(flow, begun)); };
  MILLRACE_ASSIGN_OR_RETURN(const ChildEnd published, Await(publish, "publish for " + topology, sample));
  flow.publish_cpu_s = published.cpu_s;
  MILLRACE_ASSIGN_OR_RETURN(const ChildEnd ended, Await(run, "the run of " + topology, sample));
  flow.run_cpu_s = ended.cpu_s;
  flow.wall_s = SecondsSince(begun);
  const Duration every = invocation_.topology->every.value_or(std::chrono::hours(24));
  flow.freshness = QuantilesOf(FreshnessOf(samples));
  flow.certainty = QuantilesOf(CertaintyLagOf(samples, every));
  for (const FlowSample& each : samples) flow.records = std::max(flow.records, each.landed);
  return flow;
}

// What makes Kappa sure: everything again from the archive, found equal.
Status Comparison::Replay(Flow* flow) const {
  const auto begun = Clock::now();
  MILLRACE_ASSIGN_OR_RETURN(ChildProcess replay, Start(kKappa, {"replay"}, {"--promote=when_equal"}));
  MILLRACE_ASSIGN_OR_RETURN(const ChildEnd ended, Await(replay, "the replay of kappa", [] {}));
  flow->certain_cpu_s = ended.cpu_s;
  flow->certain_wall_s = SecondsSince(begun);
  return OkStatus();
}

std::string Number(double value, int digits) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(digits) << value;
  return text.str();
}

std::uint64_t BytesIn(const std::string& folder) {
  std::uint64_t bytes = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    if (at->path().string().find("/current/") != std::string::npos) continue;  // links
    std::error_code ignored;
    if (at->is_regular_file(ignored)) bytes += at->file_size(ignored);
  }
  return bytes;
}

std::string Mib(std::uint64_t bytes) { return Number(static_cast<double>(bytes) / (1 << 20), 1); }

std::string ColumnsOf(const ViewDescriptor& view) {
  const StatusOr<columnar::ViewColumns> columns = columnar::ColumnsOfView(view);
  std::string names = "window_start, window_end";
  if (!columns.ok()) return names;
  for (const columnar::ViewColumn& column : columns->key) names += ", " + columnar::QuoteIdentifier(column.name);
  for (const columnar::ViewColumn& column : columns->value) names += ", " + columnar::QuoteIdentifier(column.name);
  return names;
}

// The cells of what Lambda gives, and those that Kappa has not, before it was sure and after.
StatusOr<std::vector<std::pair<std::string, std::string>>> Comparison::Agreement(const Flow& kappa,
                                                                                 const Flow& lambda) const {
  MILLRACE_ASSIGN_OR_RETURN(columnar::Connection connection,
                            OpenWarehouseOf(invocation_, GenerationFolder(lambda.data_dir, 1)));
  Invocation of_lambda = invocation_;
  of_lambda.pipeline.data_dir = lambda.data_dir;
  MILLRACE_ASSIGN_OR_RETURN(const MergedViews merged, MergedViews::Of(of_lambda, pipeline_));
  MILLRACE_RETURN_IF_ERROR(merged.Create(connection, ""));
  MILLRACE_ASSIGN_OR_RETURN(const std::vector<ViewDescriptor> views, ViewsOfTopology(invocation_, pipeline_));
  std::int64_t cells = 0;
  std::int64_t differ[2] = {0, 0};
  for (const int generation : {1, 2}) {
    const std::string name = "kappa_" + std::to_string(generation);
    const std::string folder = GenerationFolder(kappa.data_dir, static_cast<std::uint64_t>(generation));
    MILLRACE_RETURN_IF_ERROR(connection.Execute("ATTACH " + columnar::QuoteLiteral(folder + "/warehouse.duckdb") +
                                                " AS " + name + " (READ_ONLY)"));
    for (const ViewDescriptor& view : views) {
      const std::string columns = ColumnsOf(view);
      const std::string quoted = columnar::QuoteIdentifier(view.name);
      MILLRACE_ASSIGN_OR_RETURN(
          const std::int64_t other,
          connection.QueryInt64("SELECT count(*) FROM (SELECT " + columns + " FROM " + quoted + " EXCEPT SELECT " +
                                columns + " FROM " + name + ".main." + quoted + ")"));
      differ[generation - 1] += other;
      if (generation == 2) continue;
      MILLRACE_ASSIGN_OR_RETURN(const std::int64_t count, connection.QueryInt64("SELECT count(*) FROM " + quoted));
      cells += count;
    }
  }
  return std::vector<std::pair<std::string, std::string>>{
      {"cells of the answer", GroupedDigits(cells)},
      {"of them otherwise in kappa, live", GroupedDigits(differ[0])},
      {"of them otherwise in kappa, replayed", GroupedDigits(differ[1])}};
}

StatusOr<int> Comparison::Run() {
  MILLRACE_ASSIGN_OR_RETURN(Flow kappa, RunTopology(kKappa));
  MILLRACE_RETURN_IF_ERROR(Replay(&kappa));
  MILLRACE_ASSIGN_OR_RETURN(const Flow lambda, RunTopology(kLambda));
  MILLRACE_ASSIGN_OR_RETURN(const auto agreement, Agreement(kappa, lambda));
  MILLRACE_ASSIGN_OR_RETURN(
      const auto writer,
      MakeRowWriter(invocation_.output.format, {{.name = "of the same input"}, {.name = kKappa}, {.name = kLambda}},
                    std::cout));
  const auto row = [&](const std::string& what, const std::string& of_kappa, const std::string& of_lambda) {
    writer->Write({TextCell(what), of_kappa.empty() ? RowCell() : TextCell(of_kappa),
                   of_lambda.empty() ? RowCell() : TextCell(of_lambda)});
  };
  const auto bytes = [&](const std::string& what, const std::string& folder) {
    row(what, Mib(BytesIn(kappa.data_dir + folder)), Mib(BytesIn(lambda.data_dir + folder)));
  };
  row("records", GroupedDigits(kappa.records), GroupedDigits(lambda.records));
  row("wall seconds", Number(kappa.wall_s, 1), Number(lambda.wall_s, 1));
  row("CPU seconds: live, of lambda with its recomputes", Number(kappa.run_cpu_s, 1), Number(lambda.run_cpu_s, 1));
  row("CPU seconds: to be sure, by a replay that is compared", Number(kappa.certain_cpu_s, 1), "");
  row("freshness, seconds: median", Number(kappa.freshness.p50, 2), Number(lambda.freshness.p50, 2));
  row("freshness, seconds: 99 %", Number(kappa.freshness.p99, 2), Number(lambda.freshness.p99, 2));
  row("seconds from the end of a partition until it is certain: median", "", Number(lambda.certainty.p50, 1));
  row("seconds from the end of a partition until it is certain: greatest", "", Number(lambda.certainty.max, 1));
  row("seconds until everything is certain, by a replay", Number(kappa.certain_wall_s, 1), "");
  bytes("MiB: log", "/log");
  bytes("MiB: archive", "/archive");
  row("MiB: views and checkpoints, of kappa of both generations",
      Mib(BytesIn(GenerationFolder(kappa.data_dir, 1)) + BytesIn(GenerationFolder(kappa.data_dir, 2))),
      Mib(BytesIn(GenerationFolder(lambda.data_dir, 1))));
  bytes("MiB: batch layer", "/batch");
  for (const auto& [what, value] : agreement) row(what, "", value);
  writer->Finish();
  return 0;
}

}  // namespace

StatusOr<int> CompareVerb(const Invocation& invocation, const Pipeline& pipeline) {
  if (invocation.arguments.size() != 1 || invocation.pipeline.data_dir.empty()) {
    return UsageError("usage: " + invocation.program + " compare FILE --data_dir=DIR, with the options of publish");
  }
  if (Status known = CheckFormat(invocation.output.format); !known.ok()) return UsageError(known.message());
  const std::string& folder = invocation.pipeline.data_dir;
  for (const char* topology : {kKappa, kLambda}) {
    MILLRACE_ASSIGN_OR_RETURN(const bool exists, base::PosixFileSystem().Exists(folder + "/" + topology));
    if (exists) return AlreadyExistsError(folder + "/" + topology + " is there; give a folder that is new");
  }
  MILLRACE_RETURN_IF_ERROR(base::PosixFileSystem().CreateFolders(folder));
  const StopSignals signals;
  StatusOr<int> code = Comparison(invocation, pipeline, signals.stop()).Run();
  if (code.status().code() == StatusCode::kCancelled) return kExitOfSignal + signals.signal();
  return code;
}

}  // namespace millrace::cli
