// The verb `recompute`: computes partitions of the batch layer anew, those that are said, or dirty, or due.
#include <chrono>
#include <iomanip>
#include <iostream>
#include <sstream>
#include <utility>

#include "base/status_macros.h"
#include "cli/batch_layer.h"
#include "cli/checkpoint_cut.h"
#include "cli/row_writer.h"
#include "cli/stop_signals.h"
#include "cli/verbs.h"

namespace millrace::cli {

namespace {

using Ranges = std::vector<batch::TimeRange>;

std::string Text(const batch::Partitioning& partitioning, const batch::TimeRange& range) {
  const std::string from = partitioning.NameOf(range.from);
  const std::string last = partitioning.NameOf(range.to - partitioning.every());
  return from == last ? from : from + " to " + last;
}

// Whole partitions of what was said, within what there is.
Ranges Said(const Invocation& invocation, const BatchLayer& layer, const batch::TimeRange& all) {
  batch::TimeRange range{.from = invocation.output.from.value_or(all.from),
                         .to = invocation.output.to.value_or(all.to)};
  const batch::TimeRange whole = layer.partitioning().Widen(range);
  if (whole != range) {
    std::cerr << invocation.program << ": computed are whole partitions: " << Text(layer.partitioning(), whole) << "\n";
  }
  range = {.from = std::max(whole.from, all.from), .to = std::min(whole.to, all.to)};
  return range.from < range.to ? Ranges{range} : Ranges();
}

// Those behind the last one whose time has passed.
StatusOr<Ranges> Due(const Invocation& invocation, const BatchLayer& layer, const batch::TimeRange& all) {
  MILLRACE_ASSIGN_OR_RETURN(const LastCheckpoint last, LastCheckpointOf(invocation.pipeline.data_dir));
  if (!last.is_done && !last.checkpoint) {
    return FailedPreconditionError(
        "how far event time has come is not known, since there is no run with a checkpoint in " +
        invocation.pipeline.data_dir + "; give --from and --to");
  }
  const auto& partitions = layer.manifest().partitions;
  batch::TimeRange range{.from = partitions.empty() ? all.from : partitions.back().to, .to = all.to};
  if (!last.is_done) {
    const Timestamp watermark = last.checkpoint->watermark.value_or(Timestamp::Min());
    range.to = std::min(range.to, layer.partitioning().BeginOf(watermark - invocation.batch.batch_delay));
  }
  return range.from < range.to ? Ranges{range} : Ranges();
}

Status Check(const Invocation& invocation) {
  const OutputOptions& output = invocation.output;
  if (!invocation.arguments.empty()) return UsageError("recompute takes no arguments: " + invocation.arguments[0]);
  if (invocation.pipeline.data_dir.empty()) {
    return UsageError("say of what: " + invocation.program + " recompute --data_dir=DIR");
  }
  if (invocation.batch.dirty && (output.from || output.to)) return UsageError("give --dirty, or --from and --to");
  if (output.from && output.to && *output.from >= *output.to) return UsageError("--from must be before --to");
  if (invocation.batch.keep_versions < 1) return UsageError("--keep_versions must be at least 1");
  if (invocation.batch.batch_delay < Duration(0)) return UsageError("--batch_delay must not be negative");
  const std::string& engine = invocation.batch.batch_engine;
  if (engine != "native" && engine != "sql") return UsageError("--batch_engine=" + engine + ": give native or sql");
  return OkStatus();
}

void Tell(const Invocation& invocation, const BatchLayer& layer, const batch::TimeRange& range, const Recomputed& done,
          double seconds) {
  std::ostringstream time;
  time << std::fixed << std::setprecision(2) << seconds;
  std::cerr << invocation.program << ": " << Text(layer.partitioning(), range) << ": version " << done.version << ", "
            << GroupedDigits(done.partitions) << (done.partitions == 1 ? " partition, " : " partitions, ")
            << GroupedDigits(done.records) << " records, " << GroupedDigits(done.cells) << " cells, " << time.str()
            << " s\n";
}

}  // namespace

StatusOr<int> RecomputeVerb(const Invocation& invocation, BuildWithOptions build) {
  MILLRACE_RETURN_IF_ERROR(Check(invocation));
  const StopSignals signals;
  MILLRACE_ASSIGN_OR_RETURN(BatchLayer layer, BatchLayer::Open(invocation, std::move(build)));
  MILLRACE_ASSIGN_OR_RETURN(const TopicExtent extent, ExtentOfTopic(invocation));
  const batch::TimeRange all = layer.RangeOf(extent);
  MILLRACE_ASSIGN_OR_RETURN(Ranges ranges, layer.FindDirty(extent));
  if (invocation.output.from || invocation.output.to) {
    ranges = Said(invocation, layer, all);
  } else if (!invocation.batch.dirty) {
    MILLRACE_ASSIGN_OR_RETURN(const Ranges due, Due(invocation, layer, all));
    ranges.insert(ranges.end(), due.begin(), due.end());
  }
  if (!invocation.batch.force) ranges = layer.Needed(ranges);
  for (const batch::TimeRange& range : ranges) {
    const auto begun = std::chrono::steady_clock::now();
    const StatusOr<Recomputed> done = layer.Recompute(range, extent.end, signals.stop());
    if (done.status().code() == StatusCode::kCancelled) {
      std::cerr << invocation.program << ": stopped; what was current is current still\n";
      return kExitOfSignal + signals.signal();
    }
    MILLRACE_RETURN_IF_ERROR(done.status());
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begun;
    Tell(invocation, layer, range, *done, seconds.count());
  }
  if (ranges.empty()) std::cerr << invocation.program << ": there is nothing to compute\n";
  return 0;
}

}  // namespace millrace::cli
