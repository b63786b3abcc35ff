#include "millrace/runner/main.h"

#include <algorithm>
#include <array>
#include <exception>
#include <filesystem>
#include <iostream>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/status_macros.h"
#include "cli/directory_manifest.h"
#include "cli/merged_views.h"
#include "cli/verbs.h"

namespace millrace {

namespace {

constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;

struct VerbHelp {
  std::string_view name;
  std::string_view arguments;
  std::string_view text;
};
constexpr std::string_view kPublish = "publish";
constexpr std::string_view kReplay = "replay";
constexpr std::string_view kGenerations = "generations";
constexpr std::string_view kRecompute = "recompute";
constexpr std::string_view kCompare = "compare";
constexpr std::string_view kReconcile = "reconcile";
constexpr std::array kVerbs = {
    VerbHelp{"run", "--data_dir=DIR", "run the pipeline; its views take the place of those of the run before"},
    VerbHelp{"status", "--data_dir=DIR", "print what a run does, and what holds its windows open"},
    VerbHelp{kPublish, "FILE --data_dir=DIR",
             "append a file's records to the event log, each once however often it is run"},
    VerbHelp{"serve", "--data_dir=DIR [--pubsub_port=8085]",
             "serve the event log over the Pub/Sub API, until Ctrl-C: to publish and to pull"},
    VerbHelp{"query", "VIEW [KEY...] --data_dir=DIR", "print a view's rows, of all keys or of those that begin so"},
    VerbHelp{"sql", "\"SELECT ...\" --data_dir=DIR", "ask the warehouse: each view is a table, and so is dead_letters"},
    VerbHelp{"export", "VIEW OUT.parquet --data_dir=DIR", "write a view to a Parquet file"},
    VerbHelp{"checkpoints", "list|inspect [EPOCH] --data_dir=DIR", "print the checkpoints that a run can go on from"},
    VerbHelp{"ledger", "--data_dir=DIR [--epoch=N]",
             "print what was read and what became of it, by epoch and step; 1 where it does not add up"},
    VerbHelp{"dlq", "list|show|replay|discard [ID...] --data_dir=DIR",
             "print dead letters, by cause or one by one; put their records into the log again; or list them no more"},
    VerbHelp{"archive", "run|list|verify|compact [TOPIC...] --data_dir=DIR",
             "write the log's closed ranges to Parquet files; print, check or merge these"},
    VerbHelp{"stop", "--data_dir=DIR [--snapshot=FOLDER]", "end a running pipeline after a last checkpoint"},
    VerbHelp{"drain", "--data_dir=DIR [--close_windows]", "the same, or with its windows closed for good"},
    VerbHelp{kReplay, "[pause|resume|cancel|wait] --data_dir=DIR",
             "make the views anew from the archive and the log, beside those that are read, and take their place"},
    VerbHelp{kGenerations, "list|diff A B|promote N|rollback|drop N --data_dir=DIR",
             "print, compare, exchange or remove the results of runs and replays"},
    VerbHelp{kRecompute, "[--from= --to= | --dirty] [--batch_engine=native|sql] --data_dir=DIR",
             "compute whole partitions of the batch layer from the archive and the log, and make them current"},
    VerbHelp{kReconcile, "[--from= --to= --view= --with=] --data_dir=DIR",
             "certify where batch and speed agree; 1 where they must and do not, with the cells"},
    VerbHelp{kCompare, "FILE --data_dir=DIR",
             "publish a file into Kappa and into Lambda, and print what each costs and how soon it is sure"},
    VerbHelp{"describe", "", "print the pipeline: steps, windows, coders, state, views"},
};

bool HasBatchLayer(const Job& job) { return job.topology() != nullptr && job.topology()->every; }

std::string HelpText(const std::string& program, const Job& job, const OptionParser& parser) {
  std::string text;
  if (!job.description().empty()) text += job.description() + "\n\n";
  for (const VerbHelp& verb : kVerbs) {
    if (verb.name == kPublish && job.publishing() == nullptr) continue;
    if ((verb.name == kReplay || verb.name == kGenerations) && job.topology() == nullptr) continue;
    const bool is_of_batch = verb.name == kRecompute || verb.name == kCompare || verb.name == kReconcile;
    if (is_of_batch && !HasBatchLayer(job)) continue;
    const char* lead = &verb == kVerbs.data() ? "usage: " : "       ";
    text += lead + program + " " + std::string(verb.name) + (verb.arguments.empty() ? "" : " ");
    text += std::string(verb.arguments) + "\n         " + std::string(verb.text) + "\n";
  }
  return text + "\n" + parser.Help() + "\nA program ends with 0; with 1 when it failed, and with 2 when the command " +
         "line is wrong.\n";
}

bool IsVerb(std::string_view name) {
  return std::any_of(kVerbs.begin(), kVerbs.end(), [&](const VerbHelp& verb) { return verb.name == name; });
}

// Whether an option is among the arguments, before a lone "--".
bool HasOption(const std::vector<std::string>& arguments, std::string_view name, std::string_view short_name) {
  const auto end = std::find(arguments.begin(), arguments.end(), "--");
  return std::any_of(arguments.begin(), end, [&](const std::string& argument) {
    return argument == name || (!short_name.empty() && argument == short_name);
  });
}

// A source that follows what others write, such as the log.
bool ReadsAStream(const Pipeline& pipeline) {
  const auto& transforms = pipeline.graph().transforms();
  return std::any_of(transforms.begin(), transforms.end(), [](const detail::Transform& transform) {
    const auto* read = std::get_if<detail::ReadPayload>(&transform.payload);
    return read != nullptr && (read->unbounded || read->bounded_in_batch);
  });
}

StatusOr<int> Dispatch(cli::Invocation& invocation, const Job& job) {
  if (invocation.verb == "sql" && !HasBatchLayer(job)) return cli::SqlVerb(invocation, {});
  if (invocation.verb == "status") return cli::StatusVerb(invocation);
  if (invocation.verb == "archive") return cli::ArchiveVerb(invocation);
  if (invocation.verb == "checkpoints") return cli::CheckpointsVerb(invocation);
  if (invocation.verb == "ledger") return cli::LedgerVerb(invocation);
  if (invocation.verb == "stop") return cli::StopVerb(invocation);
  if (invocation.verb == "drain") return cli::DrainVerb(invocation);
  if (invocation.verb == "serve") return cli::ServeVerb(invocation);
  if (invocation.verb == kPublish) {
    if (job.publishing() != nullptr) return cli::PublishVerb(invocation, *job.publishing());
    return cli::UsageError("this program publishes nothing: give its job what to publish, by Job::Publishes");
  }
  if (invocation.verb == "dlq") {
    return cli::DlqVerb(invocation,
                        [&](Pipeline& empty) { return job.definition().Build(empty, invocation.pipeline); });
  }
  if (invocation.verb == kRecompute) {
    if (!HasBatchLayer(job)) return cli::UsageError("recompute is for topology::Lambda; this job has no batch layer");
    return cli::RecomputeVerb(invocation, [&](Pipeline& empty, const PipelineOptions& options) {
      return job.definition().Build(empty, options);
    });
  }
  if (invocation.verb == kReplay || invocation.verb == kGenerations) {
    if (job.topology() == nullptr) {
      return cli::UsageError(invocation.verb + " is for a topology, such as topology::Kappa; this job is a function");
    }
    invocation.pipeline.streaming = true;
    if (invocation.verb == kReplay) {
      PipelineOptions& options = invocation.pipeline;
      if (invocation.output.from) options.read_from = invocation.output.from;
      if (invocation.output.to) options.read_to = invocation.output.to;
    }
  }
  Pipeline pipeline;
  MILLRACE_RETURN_IF_ERROR(job.definition().Build(pipeline, invocation.pipeline));
  if (!invocation.pipeline.batch && ReadsAStream(pipeline)) invocation.pipeline.streaming = true;
  if (invocation.verb == "run") return cli::RunVerb(invocation, pipeline);
  if (invocation.verb == kGenerations) return cli::GenerationsVerb(invocation, pipeline);
  if (invocation.verb == kReplay) return cli::ReplayVerb(invocation, pipeline);
  if (invocation.verb == "sql") {
    MILLRACE_ASSIGN_OR_RETURN(const cli::MergedViews merged, cli::MergedViews::Of(invocation, pipeline));
    return cli::SqlVerb(invocation, merged);
  }
  if (invocation.verb == kReconcile) {
    if (!HasBatchLayer(job)) return cli::UsageError("reconcile is for topology::Lambda; this job has no batch layer");
    return cli::ReconcileVerb(invocation, pipeline);
  }
  if (invocation.verb == kCompare) {
    if (!HasBatchLayer(job) || job.publishing() == nullptr) {
      return cli::UsageError(
          "compare is for a program that publishes and has the jobs kappa and lambda; say --topology=lambda");
    }
    return cli::CompareVerb(invocation, pipeline);
  }
  if (invocation.verb == "query") return cli::QueryVerb(invocation, pipeline);
  if (invocation.verb == "export") return cli::ExportVerb(invocation, pipeline);
  return cli::DescribeVerb(invocation, pipeline);
}

StatusOr<int> ParseAndDispatch(cli::Invocation& invocation, const std::vector<std::string>& arguments,
                               const NamedJob& named) {
  const Job& job = named.job;
  OptionParser parser;
  job.definition().AddOptions(parser);
  parser.Add("Options of every pipeline", &invocation.pipeline);
  parser.Add("Options of verbs", &invocation.output);
  parser.Add("Options of the server of a run", &invocation.serve);
  parser.Add("Options of the Pub/Sub API", &invocation.pubsub);
  parser.Add("Options of what writes the log", &invocation.log);
  parser.Add("Options of archive", &invocation.archive);
  parser.Add("Options of ledger", &invocation.ledger);
  parser.Add("Options of dlq", &invocation.dlq);
  if (job.publishing() != nullptr) parser.Add("Options of publish", &invocation.publish);
  if (job.topology() != nullptr) parser.Add("Options of replay", &invocation.replay);
  if (HasBatchLayer(job)) parser.Add("Options of the batch layer", &invocation.batch);
  MILLRACE_RETURN_IF_ERROR(parser.Check());
  if (HasOption(arguments, "--help", "-h") || (!arguments.empty() && arguments[0] == "help")) {
    std::cout << HelpText(invocation.program, job, parser);
    return 0;
  }
  if (HasOption(arguments, "--version", "")) {
    std::cout << invocation.program << " (Millrace " << kVersion << ")\n";
    return 0;
  }
  StatusOr<std::vector<std::string>> others = parser.Parse(arguments);
  if (!others.ok()) return cli::UsageError(others.status().message());
  if (others->empty() || !IsVerb((*others)[0])) {
    std::cerr << HelpText(invocation.program, job, parser) << "\n";
    return cli::UsageError(others->empty() ? "say what to do" : "there is no verb " + (*others)[0]);
  }
  invocation.verb = (*others)[0];
  invocation.given = arguments;
  if (invocation.pipeline.topic.empty()) invocation.pipeline.topic = invocation.JobName();
  invocation.pipeline.topology = named.name;
  invocation.topology = job.topology();
  invocation.own_options = job.definition().OwnOptions();
  invocation.arguments.assign(others->begin() + 1, others->end());
  return Dispatch(invocation, job);
}

// The value of an option that decides how the others are read; empty where it is not given.
std::string ValueOf(const std::vector<std::string>& arguments, std::string_view name, std::string_view camel_case) {
  std::string value;
  for (std::size_t i = 0; i < arguments.size() && arguments[i] != "--"; ++i) {
    for (const std::string_view spelling : {name, camel_case}) {
      const std::string option = "--" + std::string(spelling);
      if (arguments[i].starts_with(option + "=")) value = arguments[i].substr(option.size() + 1);
      if (arguments[i] == option && i + 1 < arguments.size()) value = arguments[i + 1];
    }
  }
  return value;
}

StatusOr<const NamedJob*> ChooseJob(const std::vector<NamedJob>& jobs, const std::vector<std::string>& arguments) {
  std::string wanted = ValueOf(arguments, "topology", "topology");
  const bool is_given = !wanted.empty();
  const std::string data_dir = ValueOf(arguments, "data_dir", "dataDir");
  if (!is_given && !data_dir.empty()) {
    // What is wrong with the directory the verb finds out, and says.
    const StatusOr<cli::DirectoryManifest> manifest = cli::ReadDirectoryManifest(data_dir);
    if (manifest.ok()) wanted = manifest->topology;
  }
  if (wanted.empty()) return &jobs.front();
  std::string names;
  for (const NamedJob& job : jobs) {
    if (job.name == wanted) return &job;
    names += (names.empty() ? "" : ", ") + job.name;
  }
  return cli::UsageError((is_given ? "--topology=" + wanted : "the topology " + wanted + " of " + data_dir) +
                         ": this program has " + names);
}

int Finish(const cli::Invocation& invocation, const StatusOr<int>& code) {
  std::cout << std::flush;
  if (code.ok()) {
    if (std::cout) return *code;
    std::cerr << invocation.program << ": the output cannot be written; is the disk full?\n";
    return kExitFailed;
  }
  std::cerr << invocation.program << ": " << cli::MessageOf(code.status()) << "\n";
  return cli::IsUsageError(code.status()) ? kExitUsage : kExitFailed;
}

int MainOf(int argc, char** argv, const std::vector<NamedJob>& jobs) {
  cli::Invocation invocation;
  invocation.program = argc > 0 ? std::filesystem::path(argv[0]).filename().string() : "program";
  const std::vector<std::string> arguments(argv + std::min(argc, 1), argv + argc);
  StatusOr<int> code = 0;
  try {
    const StatusOr<const NamedJob*> job = ChooseJob(jobs, arguments);
    if (job.ok()) {
      code = ParseAndDispatch(invocation, arguments, **job);
    } else {
      code = job.status();
    }
  } catch (const std::exception& error) {
    code = UnknownError(std::string("the program failed: ") + error.what());
  }
  return Finish(invocation, code);
}

}  // namespace

int Main(int argc, char** argv, Job job) {
  const std::string name = job.topology() != nullptr ? job.topology()->name : "pipeline";
  return MainOf(argc, argv, {{.name = name, .job = std::move(job)}});
}

int Main(int argc, char** argv, std::initializer_list<NamedJob> jobs) { return MainOf(argc, argv, jobs); }

}  // namespace millrace
