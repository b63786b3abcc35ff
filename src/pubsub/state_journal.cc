#include "pubsub/state_journal.h"

#include <algorithm>
#include <utility>

#include "base/status_macros.h"

namespace millrace::pubsub {

namespace {

constexpr std::uint64_t kCompactBytesMin = std::uint64_t{1} << 20;
constexpr std::uint64_t kCompactFactor = 4;

}  // namespace

StatusOr<std::unique_ptr<StateJournal>> StateJournal::Create(base::FileSystem& files, const std::string& path,
                                                             std::uint64_t id, const SubscriptionState& state,
                                                             log::SyncPolicy sync) {
  MILLRACE_ASSIGN_OR_RETURN(const bool exists, files.Exists(path));
  if (exists) return AlreadyExistsError(path + " is there already");
  MILLRACE_RETURN_IF_ERROR(base::CreateDurableFolders(files, base::FolderOf(path)));
  MILLRACE_RETURN_IF_ERROR(WriteStateFile(files, path, id, state));
  MILLRACE_ASSIGN_OR_RETURN(const RecoveredState recovered, ReadStateFile(files, path));
  return Open(files, path, recovered, sync);
}

StatusOr<std::unique_ptr<StateJournal>> StateJournal::Open(base::FileSystem& files, const std::string& path,
                                                           const RecoveredState& recovered, log::SyncPolicy sync) {
  std::unique_ptr<StateJournal> journal(new StateJournal(files, path, recovered.id, sync));
  MILLRACE_ASSIGN_OR_RETURN(journal->file_, files.Open(path, base::OpenMode::kReadWrite));
  if (recovered.torn_bytes > 0) {
    MILLRACE_RETURN_IF_ERROR(journal->file_->Truncate(recovered.bytes));
    MILLRACE_RETURN_IF_ERROR(journal->file_->Sync());
  }
  journal->bytes_ = recovered.bytes;
  return journal;
}

StateJournal::Ticket StateJournal::QueueAcked(std::span<const AckedRange> ranges) {
  const std::lock_guard lock(mutex_);
  pending_.acked.insert(pending_.acked.end(), ranges.begin(), ranges.end());
  return collecting_;
}

StateJournal::Ticket StateJournal::QueueState(const SubscriptionState& state) {
  const std::lock_guard lock(mutex_);
  pending_.acked.clear();
  pending_.state = state;
  return collecting_;
}

Status StateJournal::Await(const Ticket& ticket) {
  std::unique_lock lock(mutex_);
  while (!ticket->done) {
    if (committing_) {
      changed_.wait(lock);
    } else {
      Commit(lock);
    }
  }
  return ticket->status;
}

Status StateJournal::Flush(bool sync) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !committing_; });
  if (!pending_.empty()) Commit(lock);
  if (!sync || !dirty_ || committing_) return OkStatus();
  committing_ = true;
  lock.unlock();
  Status synced = file_->Sync();
  if (synced.ok()) {
    dirty_ = false;
  } else {
    broken_ = true;
  }
  lock.lock();
  committing_ = false;
  changed_.notify_all();
  return synced;
}

// One caller writes for all that have queued by now.
void StateJournal::Commit(std::unique_lock<std::mutex>& lock) {
  committing_ = true;
  const Ticket group = std::exchange(collecting_, std::make_shared<Group>());
  const Pending pending = std::exchange(pending_, Pending{});
  lock.unlock();
  const bool is_large = bytes_ >= std::max(kCompactBytesMin, kCompactFactor * state_bytes_);
  Status status;
  if (!broken_ && !is_large) {
    status = Write(pending);
    broken_ = !status.ok();
  }
  if (broken_ || is_large) status = WriteAnew();
  lock.lock();
  group->status = status;
  group->done = true;
  committing_ = false;
  changed_.notify_all();
}

Status StateJournal::Write(const Pending& pending) {
  std::string bytes;
  if (pending.state) AppendStateFrame(*pending.state, id_, bytes_, &bytes);
  if (!pending.acked.empty()) AppendAckedFrame(pending.acked, id_, bytes_ + bytes.size(), &bytes);
  if (bytes.empty()) return OkStatus();
  MILLRACE_RETURN_IF_ERROR(file_->WriteAt(bytes_, std::as_bytes(std::span(bytes))));
  bytes_ += bytes.size();
  dirty_ = true;
  if (sync_ != log::SyncPolicy::kAlways) return OkStatus();
  MILLRACE_RETURN_IF_ERROR(file_->Sync());
  dirty_ = false;
  return OkStatus();
}

Status StateJournal::WriteAnew() {
  const SubscriptionState state = current_();
  broken_ = true;
  MILLRACE_RETURN_IF_ERROR(WriteStateFile(files_, path_, id_, state));
  MILLRACE_ASSIGN_OR_RETURN(file_, files_.Open(path_, base::OpenMode::kReadWrite));
  MILLRACE_ASSIGN_OR_RETURN(bytes_, file_->Size());
  state_bytes_ = bytes_;
  broken_ = false;
  dirty_ = false;
  return OkStatus();
}

}  // namespace millrace::pubsub
