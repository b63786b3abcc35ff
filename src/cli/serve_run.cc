#include "cli/serve_run.h"

#include <iostream>
#include <utility>

#include "base/status_macros.h"
#include "cli/live_results.h"
#include "cli/log_positions.h"
#include "millrace/runner/main.h"
#include "millrace/runner/status.h"

namespace millrace::cli {

namespace {

constexpr const char* kOff = "off";

}  // namespace

StatusOr<std::unique_ptr<server::Server>> StartServer(const Invocation& invocation, const ServedRun& run,
                                                      RunOptions* options) {
  server::ServerOptions server{.serve = invocation.serve,
                               .data_dir = invocation.pipeline.data_dir,
                               .program = invocation.program,
                               .version = std::string(kVersion)};
  if (!server.serve.http) server.serve.http = options->streaming ? "0" : kOff;
  if (server.data_dir.empty() && server.serve.http == kOff) return std::unique_ptr<server::Server>();
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
    server.data = std::make_shared<LiveResults>(*run.views, run.results->lookup(), run.results->warehouse());
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
