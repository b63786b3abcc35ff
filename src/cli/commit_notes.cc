#include "cli/commit_notes.h"

namespace millrace::cli {

namespace {

constexpr const char* kContext = "the checkpoint is kept, but its results cannot be shown";

}  // namespace

Status CommitNotes::OnCommit() {
  const Status noted = note_().WithContext(kContext);
  const bool passes = noted.code() == StatusCode::kResourceExhausted;
  const std::lock_guard lock(mutex_);
  passing_ = passes ? noted : OkStatus();
  failed_ += passes ? 1 : 0;
  return passes ? OkStatus() : noted;
}

void CommitNotes::AddTo(RunStatus& status) const {
  const std::lock_guard lock(mutex_);
  status.checkpoint.failed += failed_;
  if (!passing_.ok()) status.checkpoint.last_failure = passing_.message();
}

}  // namespace millrace::cli
