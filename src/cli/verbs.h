// The verbs of every program's command line. Each gives the process's exit code or the status of its failure.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/data_directory.h"
#include "cli/dlq.h"
#include "cli/ledger.h"
#include "cli/log_options.h"
#include "cli/publish.h"
#include "cli/serve.h"
#include "millrace/core/options.h"
#include "millrace/core/timestamp.h"
#include "millrace/io/view_store.h"
#include "millrace/runner/main.h"
#include "server/access.h"

namespace millrace::cli {

/// Options of the verbs that print rows; of no use to the others.
struct OutputOptions {
  std::string format = "table";
  std::optional<Timestamp> from;
  std::optional<Timestamp> to;
  std::optional<std::uint64_t> limit;
  bool overwrite = false;
  std::string snapshot;
  bool close_windows = false;
  Duration timeout = std::chrono::minutes(5);
  std::optional<std::uint64_t> generation;
  std::string as_of;

  static constexpr OptionHelp kOptionHelp[] = {
      {"format", "how query, sql, status and checkpoints print: table, json (an object per line) or csv"},
      {"from", "query: only windows that start then or later"},
      {"to", "query: only windows that end then or earlier"},
      {"limit", "query: at most so many rows"},
      {"overwrite", "export: replace a file that exists"},
      {"snapshot", "stop: copy the run's last checkpoint to this folder, to begin from it later"},
      {"close_windows", "drain: let the open windows fire, as if the input had ended; the run is then done"},
      {"timeout", "stop, drain and replay wait: how long to wait"},
      {"generation",
       "query, sql, export, status, stop, checkpoints, ledger and dlq: this generation, not the one that is read"},
      {"as_of", "sql and query: the batch layer as it was in this version (12) or at this time, not as it is now"},
  };
};

/// Options of `archive`.
struct ArchiveVerbOptions {
  Duration archive_after = std::chrono::minutes(10);
  Duration archive_interval = std::chrono::seconds(5);
  Duration archive_grace = std::chrono::hours(1);
  bool continuous = false;
  bool flush = false;

  static constexpr OptionHelp kOptionHelp[] = {
      {"archive_after",
       "archive run, and run and replay of a topology: records this old are archived though the log's segment is not "
       "closed"},
      {"archive_interval", "archive run --continuous, and run and replay of a topology: how often"},
      {"archive_grace", "archive run, compact: how long files that were merged stay for readers"},
      {"continuous", "archive run: go on until Ctrl-C"},
      {"flush", "archive run: all there is, not only what is closed"},
  };
};

}  // namespace millrace::cli

namespace millrace::archive {
struct ArchiverOptions;
}

namespace millrace::cli {

/// Options of `replay`.
struct ReplayOptions {
  std::string promote = "when_caught_up";
  double read_rate = 0;
  std::int32_t nice = 10;

  static constexpr OptionHelp kOptionHelp[] = {
      {"promote",
       "replay: when the new generation is read: never, when_caught_up, when_equal (cell by cell, but for late events) "
       "or when_expected=FILE (of SQL statements, none of which may give a row)"},
      {"read_rate", "replay: so many events per second at most; 0: as many as it can"},
      {"nice", "replay: by how much it gives way to the run beside it, from 0 to 19"},
  };
};

/// Options of the batch layer of a Lambda topology.
struct BatchOptions {
  bool dirty = false;
  bool force = false;
  std::string view;
  std::string with;
  std::int32_t keep_versions = 3;
  Duration batch_delay{0};
  std::string batch_engine = "native";
  std::string sql_folder;

  static constexpr OptionHelp kOptionHelp[] = {
      {"dirty", "recompute: the partitions for which records have come since they were computed, and no others"},
      {"force", "recompute: also what is as it would be again"},
      {"view", "reconcile: this view alone"},
      {"with", "reconcile: what the batch layer is compared with: generation:N or version:N, by default what is read"},
      {"keep_versions", "recompute, and run of lambda: so many versions of each partition are kept"},
      {"batch_delay",
       "recompute, and run of lambda: a partition is computed so long after the watermark has passed it"},
      {"batch_engine",
       "recompute, and run of lambda: native (the logic of the topology) or sql (the topology's SQL file of each "
       "view)"},
      {"sql_folder", "recompute, and run of lambda: where the SQL files are, instead of where the topology says"},
  };
};

/// A command line that was read.
struct Invocation {
  std::string program;
  std::string verb;
  std::vector<std::string> arguments;  // behind the verb, without options
  std::vector<std::string> given;      // all of the command line but the program
  PipelineOptions pipeline;
  OutputOptions output;
  server::ServeOptions serve;
  ArchiveVerbOptions archive;
  LogOptions log;
  PublishOptions publish;
  ReplayOptions replay;
  BatchOptions batch;
  std::shared_ptr<const detail::TopologyDescription> topology;  // null for a job without one
  detail::OptionValues own_options;                             // of the program
  LedgerVerbOptions ledger;
  DlqOptions dlq;
  PubsubOptions pubsub;

  std::string JobName() const { return pipeline.job_name.empty() ? program : pipeline.job_name; }
};

/// Builds the program's pipeline with these options.
using BuildWithOptions = std::function<Status(Pipeline& pipeline, const PipelineOptions& options)>;

class MergedViews;

/// The exit code of a verb that a signal ended is this and the signal's number.
inline constexpr int kExitOfSignal = 128;

/// A command line that says something impossible; its exit code is 2.
Status UsageError(std::string message);
bool IsUsageError(const Status& status);
/// What to print of a failure.
std::string MessageOf(const Status& status);

StatusOr<int> RunVerb(const Invocation& invocation, Pipeline& pipeline);
StatusOr<int> QueryVerb(const Invocation& invocation, const Pipeline& pipeline);
StatusOr<int> SqlVerb(const Invocation& invocation, const MergedViews& merged);
StatusOr<int> ExportVerb(const Invocation& invocation, const Pipeline& pipeline);
StatusOr<int> StatusVerb(const Invocation& invocation);
StatusOr<int> ArchiveVerb(const Invocation& invocation);
StatusOr<int> CheckpointsVerb(const Invocation& invocation);
StatusOr<int> LedgerVerb(const Invocation& invocation);
StatusOr<int> StopVerb(const Invocation& invocation);
StatusOr<int> DrainVerb(const Invocation& invocation);
StatusOr<int> ReplayVerb(const Invocation& invocation, Pipeline& pipeline);
StatusOr<int> RecomputeVerb(const Invocation& invocation, BuildWithOptions build);
StatusOr<int> ReconcileVerb(const Invocation& invocation, const Pipeline& pipeline);
StatusOr<int> CompareVerb(const Invocation& invocation, const Pipeline& pipeline);
StatusOr<int> GenerationsVerb(const Invocation& invocation, const Pipeline& pipeline);
StatusOr<int> PublishVerb(const Invocation& invocation, const Publishing& publishing);
StatusOr<int> ServeVerb(const Invocation& invocation);
StatusOr<int> DescribeVerb(const Invocation& invocation, const Pipeline& pipeline);

/// The views of a pipeline, in the order of its graph.
std::vector<ViewDescriptor> ViewsOf(const Pipeline& pipeline);
/// Those that the topology names, or all. INVALID_ARGUMENT for a name that the pipeline does not have.
StatusOr<std::vector<ViewDescriptor>> ViewsOfTopology(const Invocation& invocation, const Pipeline& pipeline);
/// The view of that name; INVALID_ARGUMENT lists those that there are.
StatusOr<ViewDescriptor> FindView(const Pipeline& pipeline, const std::string& name);
/// How a topic of the data directory is archived.
archive::ArchiverOptions ArchiverOptionsOf(const Invocation& invocation, const std::string& topic);
/// This process, for the lock file.
DirectoryHolder ThisProcess(const Invocation& invocation);
/// Takes the data directory to read from it.
StatusOr<DataDirectory> OpenResults(const Invocation& invocation);

}  // namespace millrace::cli
