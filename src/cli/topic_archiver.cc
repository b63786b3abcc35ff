#include "cli/topic_archiver.h"

#include <chrono>
#include <memory>
#include <utility>

#include "archive/archiver.h"
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

void TopicArchiver::Loop(const Invocation& invocation) {
  while (!stop_.load()) {
    const Status status = Archive(invocation);
    if (status.ok()) return;
    if (status.code() == StatusCode::kAborted)
      return report_("archive: " + status.message() + "; it is left to that one");
    report_("archive: " + status.message() + "; it is tried again");
    const auto until = std::chrono::steady_clock::now() + invocation.archive.archive_interval;
    while (!stop_.load() && std::chrono::steady_clock::now() < until) std::this_thread::sleep_for(kRetryPause);
  }
}

Status TopicArchiver::Archive(const Invocation& invocation) {
  MILLRACE_ASSIGN_OR_RETURN(const std::unique_ptr<archive::Archiver> archiver,
                            archive::Archiver::Open(ArchiverOptionsOf(invocation, invocation.pipeline.topic)));
  archive::RunArchiverOptions run{.interval = invocation.archive.archive_interval};
  run.on_retry = [&](const Status& passing) { report_("archive: " + passing.message() + "; it is tried again"); };
  return archive::RunArchiver(*archiver, stop_, run);
}

}  // namespace millrace::cli
