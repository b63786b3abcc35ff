// What becomes of the results of a checkpoint that is committed: they are shown to readers, or somebody is told why
// not.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>

#include "millrace/core/status.h"
#include "millrace/runner/status.h"

namespace millrace::cli {

/// For `CheckpointOptions::on_commit`. Thread safe.
class CommitNotes {
 public:
  /// `note` shows the results (`DataDirectory::NoteCheckpoint`); it is called by one thread at a time.
  explicit CommitNotes(std::function<Status()> note) : note_(std::move(note)) {}

  /// A full disk may have room again at the next checkpoint: until then the run's status tells of it. Any other error
  /// is the run's: its results would stay unseen however long it went on.
  Status OnCommit();
  /// For `StatusBoard::Add`.
  void AddTo(RunStatus& status) const;

 private:
  const std::function<Status()> note_;
  mutable std::mutex mutex_;  // guards what follows
  Status passing_;            // the error of the last commit, if a later one may do without
  std::int64_t failed_ = 0;
};

}  // namespace millrace::cli
