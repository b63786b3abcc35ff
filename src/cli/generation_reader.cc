#include "cli/generation_reader.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <thread>
#include <utility>

#include "base/file_system.h"
#include "base/status_macros.h"
#include "cli/ask_run.h"
#include "cli/checkpoint_cut.h"
#include "cli/export_view.h"
#include "cli/generations.h"
#include "cli/run_results.h"
#include "cli/warehouse.h"
#include "storage/checkpoint_store.h"

namespace millrace::cli {

namespace {

constexpr auto kAppliedWait = std::chrono::seconds(60);
constexpr auto kAppliedPause = std::chrono::milliseconds(20);
constexpr auto kReadWait = std::chrono::seconds(60);
constexpr auto kReadPause = std::chrono::milliseconds(100);
constexpr const char* kLastEpochSql = "SELECT CAST(coalesce(max(epoch), 0) AS BIGINT) AS epoch FROM millrace._epochs";

// The records of the topic below `end` that a run which is at that checkpoint has before it.
std::int64_t Unread(const storage::CheckpointManifest& checkpoint, const std::string& topic, const log::Cut& end) {
  const log::Cut cut = CutOf(checkpoint, topic, end);
  std::int64_t unread = 0;
  for (std::size_t p = 0; p < end.size(); ++p) unread += end[p] - cut[p];
  return unread;
}

}  // namespace

StatusOr<GenerationReader> GenerationReader::Open(const Invocation& invocation, std::uint64_t generation) {
  GenerationReader reader(invocation, generation);
  const std::string& data_dir = invocation.pipeline.data_dir;
  if (RunnerOf(data_dir, generation)) return reader;
  MILLRACE_ASSIGN_OR_RETURN(DataDirectory directory,
                            DataDirectory::OpenGeneration(data_dir, ThisProcess(invocation), generation));
  reader.directory_.emplace(std::move(directory));
  MILLRACE_ASSIGN_OR_RETURN(reader.connection_, OpenWarehouse(invocation, *reader.directory_));
  return reader;
}

StatusOr<std::string> GenerationReader::Ask(server::HttpRequest request) const {
  request.method = "POST";
  const std::optional<server::HttpResponse> response =
      AskGeneration(invocation_->pipeline.data_dir, generation_, std::move(request));
  if (!response) {
    return UnavailableError("the process that runs generation " + std::to_string(generation_) + " has gone; try again");
  }
  MILLRACE_RETURN_IF_ERROR(server::StatusOfResponse(*response));
  return response->body;
}

StatusOr<std::uint64_t> GenerationReader::CommittedEpoch() const {
  if (connection_) {
    MILLRACE_ASSIGN_OR_RETURN(const std::int64_t epoch, connection_->QueryInt64(kLastEpochSql));
    return static_cast<std::uint64_t>(epoch);
  }
  MILLRACE_ASSIGN_OR_RETURN(const std::string rows,
                            Ask({.path = "/v1/sql", .query = {{"format", "csv"}}, .body = kLastEpochSql}));
  const std::size_t line = rows.find('\n');
  if (line == std::string::npos || line + 1 >= rows.size()) return InternalError("no epoch in the answer: " + rows);
  return std::stoull(rows.substr(line + 1));
}

StatusOr<std::optional<storage::CheckpointManifest>> GenerationReader::LatestCheckpoint() const {
  const std::string folder = GenerationFolder(invocation_->pipeline.data_dir, generation_);
  return storage::LatestCheckpoint(base::PosixFileSystem(), CheckpointsPath(folder));
}

StatusOr<std::int64_t> GenerationReader::AwaitRead(const log::Cut& end) const {
  auto moved_at = std::chrono::steady_clock::now();
  std::int64_t least = std::numeric_limits<std::int64_t>::max();
  while (true) {
    const bool is_run = RunnerOf(invocation_->pipeline.data_dir, generation_).has_value();
    MILLRACE_ASSIGN_OR_RETURN(const std::optional<storage::CheckpointManifest> checkpoint, LatestCheckpoint());
    const std::int64_t unread = checkpoint ? Unread(*checkpoint, invocation_->pipeline.topic, end) : 0;
    if (unread == 0 || connection_ || !is_run) return unread;
    const auto now = std::chrono::steady_clock::now();
    if (unread < least) moved_at = now;
    least = std::min(least, unread);
    if (now - moved_at >= kReadWait) return unread;
    std::this_thread::sleep_for(kReadPause);
  }
}

StatusOr<CommittedThrough> GenerationReader::AwaitCommitted() const {
  MILLRACE_ASSIGN_OR_RETURN(const std::optional<storage::CheckpointManifest> checkpoint, LatestCheckpoint());
  if (!checkpoint) {
    MILLRACE_ASSIGN_OR_RETURN(const DirectoryManifest manifest, ReadDirectoryManifest(invocation_->pipeline.data_dir));
    // A batch run is done; any other has not come to its first checkpoint.
    return CommittedThrough{.watermark = manifest.IsResumable(generation_) ? Timestamp::Min() : Timestamp::Max()};
  }
  const auto until = std::chrono::steady_clock::now() + kAppliedWait;
  while (true) {
    MILLRACE_ASSIGN_OR_RETURN(const std::uint64_t committed, CommittedEpoch());
    if (committed >= checkpoint->epoch) break;
    if (connection_) {
      return FailedPreconditionError("generation " + std::to_string(generation_) +
                                     " was left before its last checkpoint was shown; run it once, and stop it");
    }
    if (std::chrono::steady_clock::now() >= until) {
      return DeadlineExceededError("generation " + std::to_string(generation_) + " has not shown its checkpoint " +
                                   std::to_string(checkpoint->epoch) + " within a minute");
    }
    std::this_thread::sleep_for(kAppliedPause);
  }
  return CommittedThrough{.epoch = checkpoint->epoch, .watermark = checkpoint->watermark.value_or(Timestamp::Min())};
}

Status GenerationReader::Export(const std::string& name, const std::string& path) const {
  if (connection_) return WriteUnordered(*connection_, name, path).status();
  return Ask({.path = "/v1/export", .query = {{"view", name}, {"order", "none"}}, .body = path}).status();
}

Status GenerationReader::ExportRows(const std::string& statement, const std::string& path) const {
  if (connection_) return WriteStatement(*connection_, statement, path).status();
  return Ask({.path = "/v1/export", .query = {{"path", path}}, .body = statement}).status();
}

}  // namespace millrace::cli
