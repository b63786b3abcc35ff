// Runs a pipeline into a generation, with its server, progress and checkpoints: what `run` and `replay` have in common.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cli/run_storage.h"
#include "cli/verbs.h"
#include "millrace/runner/run_options.h"
#include "millrace/runner/status.h"
#include "server/server.h"

namespace millrace::cli {

/// What a verb adds to a run.
struct RunAdditions {
  std::string server_folder = {};                       // that has the local socket; held by this process
  std::shared_ptr<std::atomic<bool>> cancel = nullptr;  // as a signal to stop
  std::shared_ptr<std::atomic<bool>> paused = nullptr;
  double elements_per_s_max = 0;
  std::function<void(RunStatus&)> status = nullptr;
  std::function<void(Progress&)> progress = nullptr;
  std::map<std::string, std::function<StatusOr<std::string>()>> actions = {};  // of the server
  std::shared_ptr<server::PublishService> publish = nullptr;                   // of the server
  /// What goes on beside the pipeline, from its start to its end; given the board on which its status is published.
  std::function<std::shared_ptr<void>(const std::shared_ptr<StatusBoard>& board)> beside = nullptr;
  /// After a run that has come to its end by itself; the storage is let go of.
  std::function<void()> on_finished = nullptr;
};

/// The exit code of the process. `options` are those of the command line; storage is concluded and let go of.
StatusOr<int> RunPipeline(const Invocation& invocation, Pipeline& pipeline, RunOptions options, RunStorage storage,
                          const RunAdditions& additions);

}  // namespace millrace::cli
