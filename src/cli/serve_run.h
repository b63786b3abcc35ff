// The server that a run brings with it: what it is told of the run.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/batch_status.h"
#include "cli/merged_views.h"
#include "cli/run_results.h"
#include "cli/verbs.h"
#include "millrace/runner/run_options.h"
#include "server/server.h"

namespace millrace::cli {

/// What the server of a run is made of.
struct ServedRun {
  std::string folder = {};  // that has the local socket; empty: none
  std::uint64_t generation = 0;
  const std::vector<ViewDescriptor>* views = nullptr;
  MergedViews merged = {};
  std::optional<BatchReach> batch = {};                                        // of a run with a batch layer
  RunResults* results = nullptr;                                               // null: nothing is kept
  std::map<std::string, std::function<StatusOr<std::string>()>> actions = {};  // see `ServerOptions`
  std::shared_ptr<server::PublishService> publish = nullptr;                   // null: there is no Pub/Sub
};

/// Serves the run that `options` describe, and makes its runner publish its status. A streaming run opens a port unless
/// it was told not to; any other only when it was told to. Null where there is neither a data directory nor a port.
/// The server is to be destroyed before the results.
StatusOr<std::unique_ptr<server::Server>> StartServer(const Invocation& invocation, const ServedRun& run,
                                                      RunOptions* options);

}  // namespace millrace::cli
