#include "cli/topic_archiver.h"

#include <chrono>
#include <memory>
#include <optional>
#include <utility>

#include "archive/archiver.h"
#include "base/file_system.h"
#include "base/status_macros.h"

namespace millrace::cli {

namespace {

constexpr auto kRetryPause = std::chrono::milliseconds(50);

}  // namespace

TopicArchiver::TopicArchiver(const Invocation& invocation, std::function<void(const std::string& message)> report)
    : report_(std::move(report)), thread_([this, invocation] { Loop(invocation); }) {}

TopicArchiver::~TopicArchiver() {
  stop_.store(true);
  thread_.join();
}

// The lock is held to the end of this object, also where the archive is left to a verb: nobody of these takes it from
// there either.
void TopicArchiver::Loop(const Invocation& invocation) {
  std::optional<DirectoryLock> turn;
  for (; !stop_.load(); Pause(invocation)) {
    if (!turn) {
      StatusOr<DirectoryLock> taken = TakeTurn(invocation);
      if (!taken.ok()) {
        const bool is_held = taken.status().code() == StatusCode::kFailedPrecondition;
        if (!is_held) report_("archive: " + taken.status().message() + "; it is tried again");
        continue;
      }
      turn = *std::move(taken);
    }
    const Status status = Archive(invocation);
    if (status.ok()) return;
    if (status.code() == StatusCode::kAborted) {
      report_("archive: " + status.message() + "; it is left to that one");
      while (!stop_.load()) Pause(invocation);
      return;
    }
    report_("archive: " + status.message() + "; it is tried again");
  }
}

void TopicArchiver::Pause(const Invocation& invocation) const {
  const auto until = std::chrono::steady_clock::now() + invocation.archive.archive_interval;
  while (!stop_.load() && std::chrono::steady_clock::now() < until) std::this_thread::sleep_for(kRetryPause);
}

// FAILED_PRECONDITION as long as another process has it; says once which.
StatusOr<DirectoryLock> TopicArchiver::TakeTurn(const Invocation& invocation) {
  const std::string folder = invocation.pipeline.data_dir + "/archive/" + invocation.pipeline.topic + "/archiver";
  MILLRACE_RETURN_IF_ERROR(base::PosixFileSystem().CreateFolders(folder));
  StatusOr<DirectoryLock> turn = DirectoryLock::TryTake(folder, ThisProcess(invocation));
  if (turn.ok() && !told_.empty()) report_("archive: " + told_ + " has ended; this process archives now");
  if (turn.status().code() != StatusCode::kFailedPrecondition) return turn;
  const std::optional<DirectoryHolder> holder = DirectoryLock::HolderOf(folder);
  if (holder && holder->ToString() != told_) {
    told_ = holder->ToString();
    report_("archive: left to " + told_ + " as long as that one goes on");
  }
  return turn;
}

Status TopicArchiver::Archive(const Invocation& invocation) {
  MILLRACE_ASSIGN_OR_RETURN(const std::unique_ptr<archive::Archiver> archiver,
                            archive::Archiver::Open(ArchiverOptionsOf(invocation, invocation.pipeline.topic)));
  archive::RunArchiverOptions run{.interval = invocation.archive.archive_interval};
  run.on_retry = [&](const Status& passing) { report_("archive: " + passing.message() + "; it is tried again"); };
  return archive::RunArchiver(*archiver, stop_, run);
}

}  // namespace millrace::cli
