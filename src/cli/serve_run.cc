#include "cli/serve_run.h"

#include <iostream>
#include <utility>

#include "base/status_macros.h"
#include "cli/ask_run.h"
#include "cli/directory_manifest.h"
#include "cli/generation_list.h"
#include "cli/ledger.h"
#include "cli/live_results.h"
#include "cli/log_positions.h"
#include "millrace/runner/main.h"
#include "millrace/runner/status.h"

namespace millrace::cli {

namespace {

constexpr const char* kOff = "off";

// Nothing where the process that is asked is to answer: it has the generation that is read, or no results at all.
std::optional<StatusOr<server::HttpResponse>> AskElsewhere(const std::string& data_dir, std::uint64_t own,
                                                           bool has_data, const server::HttpRequest& request) {
  const StatusOr<DirectoryManifest> manifest = ReadDirectoryManifest(data_dir);
  if (!manifest.ok()) return StatusOr<server::HttpResponse>(manifest.status());
  const std::uint64_t read = manifest->generation_in_use();
  if (read == own || manifest->FindBeside(own) == nullptr) return std::nullopt;
  if (std::optional<server::HttpResponse> answer = AskGeneration(data_dir, read, request)) return *std::move(answer);
  if (!has_data) return std::nullopt;
  return StatusOr<server::HttpResponse>(
      FailedPreconditionError("generation " + std::to_string(read) +
                              " is read, which no process runs; this one has generation " + std::to_string(own)));
}

}  // namespace

StatusOr<std::unique_ptr<server::Server>> StartServer(const Invocation& invocation, const ServedRun& run,
                                                      RunOptions* options) {
  server::ServerOptions server{.serve = invocation.serve,
                               .data_dir = invocation.pipeline.data_dir,
                               .folder = run.folder,
                               .program = invocation.program,
                               .version = std::string(kVersion)};
  if (!server.serve.http) server.serve.http = options->streaming ? "0" : kOff;
  if (server.folder.empty() && server.serve.http == kOff) return std::unique_ptr<server::Server>();
  server.status = std::make_shared<StatusBoard>();
  server.status->Add([job = invocation.JobName(), generation = run.generation](RunStatus& status) {
    status.job = job;
    if (status.generation == 0) status.generation = generation;
  });
  if (!server.data_dir.empty()) {
    server.status->Add(
        [positions = std::make_shared<LogPositions>(server.data_dir)](RunStatus& status) { positions->AddTo(status); });
  }
  if (!options->streaming) {
    server.why_no_data = "a batch run gives its views at its end; until then nobody can read them";
  }
  if (run.results != nullptr && options->streaming) {
    server.data =
        std::make_shared<LiveResults>(*run.views, run.merged, run.results->lookup(), run.results->warehouse());
  }
  server.generation = run.generation;
  server.actions = run.actions;
  if (!server.data_dir.empty()) {
    server.elsewhere = [data_dir = server.data_dir, own = run.generation,
                        has_data = server.data != nullptr](const server::HttpRequest& request) {
      return AskElsewhere(data_dir, own, has_data, request);
    };
  }
  if (!server.data_dir.empty() && run.generation > 0) {
    server.generations = [data_dir = server.data_dir](const RunStatus* own) {
      auto listed = ListGenerations(data_dir, own);
      return listed.ok() ? *std::move(listed) : std::vector<server::GenerationStatus>();
    };
    server.ledger = [ledger = std::make_shared<CommittedLedger>(server.data_dir, run.generation)] {
      return ledger->Get();
    };
  }
  if (run.batch) {
    server.batch = [data_dir = server.data_dir, reach = *run.batch](const RunStatus* own) {
      return BatchStatusOf(data_dir, reach, own).value_or(std::optional<server::BatchStatus>());
    };
  }
  server.publish = run.publish;
  options->status = server.status;
  StatusOr<std::unique_ptr<server::Server>> started = server::Server::Start(server);
  if (!started.ok() && started.status().code() == StatusCode::kInvalidArgument) {
    return UsageError(started.status().message());
  }
  MILLRACE_RETURN_IF_ERROR(started.status());
  if (!(*started)->url().empty()) {
    std::cerr << invocation.program << ": status at " << (*started)->url() << "/v1/status, metrics at /metrics\n";
  }
  return started;
}

}  // namespace millrace::cli
