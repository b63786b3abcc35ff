// The verb `run`.
#include <atomic>
#include <iostream>
#include <memory>
#include <optional>
#include <utility>

#include "base/file_system.h"
#include "base/status_macros.h"
#include "cli/batch_layer.h"
#include "cli/batch_schedule.h"
#include "cli/run_pipeline.h"
#include "cli/run_storage.h"
#include "cli/topic_archiver.h"
#include "cli/verbs.h"
#include "log/log_writer.h"

namespace millrace::cli {

namespace {

// A topology's topic is there before its first event.
Status EnsureTopic(const Invocation& invocation) {
  const std::string log = invocation.pipeline.data_dir + "/log";
  const std::string& topic = invocation.pipeline.topic;
  const auto known = [&] { return log::ReadTopic(base::PosixFileSystem(), log, topic).status(); };
  if (const Status found = known(); found.code() != StatusCode::kNotFound) return found;
  const StatusOr<std::unique_ptr<log::LogWriter>> writer = log::LogWriter::Open(
      base::PosixFileSystem(), log, topic,
      {.partitions = invocation.topology->topic.partitions, .holder = ThisProcess(invocation).ToString()});
  if (writer.ok()) return (*writer)->Close();
  return known().ok() ? OkStatus() : writer.status();  // a publisher may just have made it
}

// What goes on beside the pipeline of a topology.
class Beside {
 public:
  explicit Beside(const Invocation& invocation)
      : archiver_(invocation, [&](const std::string& message) { Say(invocation, message); }) {
    if (!invocation.topology->every) return;
    schedule_.emplace(invocation, [&](const std::string& message) { Say(invocation, message); });
  }

 private:
  static void Say(const Invocation& invocation, const std::string& message) {
    std::cerr << invocation.program + ": " + message + "\n";
  }

  TopicArchiver archiver_;
  std::optional<BatchSchedule> schedule_;
};

}  // namespace

StatusOr<int> RunVerb(const Invocation& invocation, Pipeline& pipeline) {
  if (!invocation.arguments.empty()) return UsageError("run takes no arguments: " + invocation.arguments[0]);
  if (invocation.pipeline.read_from || invocation.pipeline.read_to || !invocation.pipeline.read_cut.empty()) {
    return UsageError("--read_from, --read_to and --read_cut are for a replay or a recompute: a run reads everything");
  }
  StatusOr<RunOptions> options = RunOptionsOf(invocation.pipeline);
  if (!options.ok()) return UsageError(options.status().message());
  MILLRACE_RETURN_IF_ERROR(pipeline.Validate(options->streaming));
  MILLRACE_ASSIGN_OR_RETURN(RunStorage storage, OpenRunStorage(invocation, ViewsOf(pipeline)));
  MILLRACE_ASSIGN_OR_RETURN(const PubsubFace pubsub, StartPubsub(invocation, std::nullopt));
  RunAdditions additions{.server_folder = invocation.pipeline.data_dir, .publish = pubsub.publish};
  if (invocation.topology != nullptr) {
    MILLRACE_RETURN_IF_ERROR(EnsureTopic(invocation));
    additions.beside = [&](const std::shared_ptr<StatusBoard>&) -> std::shared_ptr<void> {
      return std::make_shared<Beside>(invocation);
    };
  }
  if (invocation.topology != nullptr && invocation.topology->every) {
    MILLRACE_RETURN_IF_ERROR(GeometriesOf(invocation, pipeline).status());
    // A topic that is closed has no later partition: the last ones are computed now.
    additions.on_finished = [&] {
      const std::atomic<bool> stop{false};
      const Status last = RunRecompute(invocation, stop);
      if (!last.ok()) std::cerr << invocation.program << ": batch layer: " << last.message() << "\n";
    };
  }
  return RunPipeline(invocation, pipeline, *std::move(options), std::move(storage), additions);
}

}  // namespace millrace::cli
