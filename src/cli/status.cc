// The verb `status`: what the run that holds a data directory does, or what the directory holds while nobody runs.
#include <iostream>
#include <optional>
#include <utility>

#include "base/file_system.h"
#include "base/status_macros.h"
#include "cli/batch_status.h"
#include "cli/generation_list.h"
#include "cli/status_text.h"
#include "cli/verbs.h"
#include "millrace/core/json.h"
#include "server/server.h"
#include "storage/checkpoint_store.h"

namespace millrace::cli {

namespace {

// The process that the status is of: that of the generation which was asked for, or else the run, or whoever has what
// is read.
StatusOr<server::HttpResponse> AskProcess(const std::string& data_dir, const std::optional<std::uint64_t>& generation) {
  const server::HttpRequest request{.path = "/v1/status"};
  if (!generation) {
    StatusOr<server::HttpResponse> response = server::AskServer(data_dir, request);
    if (response.ok()) return response;
  }
  MILLRACE_ASSIGN_OR_RETURN(const DirectoryManifest manifest, ReadDirectoryManifest(data_dir));
  const std::uint64_t wanted = generation.value_or(manifest.generation);
  StatusOr<server::HttpResponse> response = server::AskServer(GenerationFolder(data_dir, wanted), request);
  if (response.ok() || !manifest.running || manifest.running->generation != wanted) return response;
  return server::AskServer(data_dir, request);
}

// Nothing where no run answers.
StatusOr<std::optional<std::string>> AskRun(const std::string& data_dir, const std::optional<std::uint64_t>& generation,
                                            bool as_json) {
  const StatusOr<server::HttpResponse> response = AskProcess(data_dir, generation);
  if (!response.ok()) return std::optional<std::string>();
  MILLRACE_RETURN_IF_ERROR(server::StatusOfResponse(*response));
  if (as_json) return std::optional(response->body);
  StatusOr<server::ServerStatus> status = json::Parse<server::ServerStatus>(response->body);
  if (!status.ok()) {
    return FailedPreconditionError("the run was started by another version of this program; use --format=json");
  }
  return std::optional(StatusText(*status));
}

StatusOr<DirectoryStatus> StatusOf(const DataDirectory& directory) {
  const DirectoryManifest& manifest = directory.manifest();
  DirectoryStatus status{.data_dir = directory.path(),
                         .job = manifest.job_name,
                         .generation = manifest.generation,
                         .mode = manifest.mode,
                         .written_at = manifest.written_at,
                         .resumable = manifest.running};
  const std::uint64_t generation = manifest.generation_in_use();
  MILLRACE_ASSIGN_OR_RETURN(
      const std::optional<storage::CheckpointManifest> checkpoint,
      storage::LatestCheckpoint(base::PosixFileSystem(), directory.FolderOf(generation) + "/checkpoints"));
  if (checkpoint) {
    status.checkpoint = StoredCheckpoint{.epoch = checkpoint->epoch,
                                         .attempt = checkpoint->attempt,
                                         .at = checkpoint->created_at,
                                         .duration = checkpoint->duration,
                                         .bytes = checkpoint->bytes(),
                                         .watermark = checkpoint->watermark};
  }
  MILLRACE_ASSIGN_OR_RETURN(status.generations, ListGenerations(directory.path(), nullptr));
  MILLRACE_ASSIGN_OR_RETURN(status.batch, BatchStatusOf(directory.path(), {}, nullptr));
  return status;
}

}  // namespace

StatusOr<int> StatusVerb(const Invocation& invocation) {
  if (!invocation.arguments.empty()) return UsageError("status takes no arguments: " + invocation.arguments[0]);
  const std::string& format = invocation.output.format;
  if (format != "table" && format != "json") return UsageError("--format=" + format + ": give table or json");
  const std::string& data_dir = invocation.pipeline.data_dir;
  if (data_dir.empty()) return UsageError("say of what: " + invocation.program + " status --data_dir=DIR");
  MILLRACE_ASSIGN_OR_RETURN(const std::optional<std::string> answer,
                            AskRun(data_dir, invocation.output.generation, format == "json"));
  if (answer) {
    std::cout << *answer;
    return 0;
  }
  MILLRACE_ASSIGN_OR_RETURN(const DataDirectory directory,
                            DataDirectory::OpenForStatus(data_dir, ThisProcess(invocation)));
  MILLRACE_ASSIGN_OR_RETURN(const DirectoryStatus status, StatusOf(directory));
  std::cout << (format == "json" ? json::Write(status) + "\n" : StatusText(status));
  return 0;
}

}  // namespace millrace::cli
