#include "cli/directory_lock.h"

#include <signal.h>

#include <cerrno>
#include <chrono>
#include <fstream>
#include <thread>
#include <utility>

#include "base/status_macros.h"
#include "millrace/core/json.h"

namespace millrace::cli {

namespace {

constexpr std::uint64_t kLockFileBytesMax = 1 << 16;
constexpr auto kWaitForReader = std::chrono::seconds(30);
// A lock file is written just after the lock is taken, so what it says may be of the process before.
constexpr auto kWaitForName = std::chrono::milliseconds(200);
constexpr auto kLockPause = std::chrono::milliseconds(10);
constexpr const char* kLockName = "/lock";

// In place: the lock belongs to the file, not to its name.
Status WriteHolder(const std::string& folder, const std::string& text) {
  std::ofstream file(folder + kLockName, std::ios::trunc);
  file << text << std::flush;
  return file ? OkStatus() : UnavailableError("cannot write " + folder + kLockName + "; is the disk full?");
}

}  // namespace

std::string DirectoryHolder::ToString() const {
  return "`" + program + " " + verb + "` (pid " + std::to_string(pid) + ", since " + since.ToString() + ")";
}

DirectoryLock::DirectoryLock(std::string folder, std::unique_ptr<base::FileLock> lock)
    : folder_(std::move(folder)), lock_(std::move(lock)) {}
DirectoryLock::DirectoryLock(DirectoryLock&&) noexcept = default;
DirectoryLock& DirectoryLock::operator=(DirectoryLock&& other) noexcept {
  Release();
  folder_ = std::move(other.folder_);
  lock_ = std::move(other.lock_);
  return *this;
}
DirectoryLock::~DirectoryLock() { Release(); }

void DirectoryLock::Release() {
  if (lock_ != nullptr) static_cast<void>(WriteHolder(folder_, ""));
  lock_.reset();
}

std::optional<DirectoryHolder> DirectoryLock::HolderOf(const std::string& folder) {
  const StatusOr<std::string> text = base::ReadFile(base::PosixFileSystem(), folder + kLockName, kLockFileBytesMax);
  if (!text.ok()) return std::nullopt;
  const StatusOr<DirectoryHolder> holder = json::Parse<DirectoryHolder>(*text);
  if (!holder.ok()) return std::nullopt;
  if (::kill(static_cast<pid_t>(holder->pid), 0) != 0 && errno == ESRCH) return std::nullopt;
  return *holder;
}

Status DirectoryLock::HeldError(const std::string& folder) {
  const std::optional<DirectoryHolder> holder = HolderOf(folder);
  if (!holder) {
    return FailedPreconditionError("the data directory " + folder + " is held by another process; wait for it to end");
  }
  return FailedPreconditionError("the data directory " + folder + " is held by " + holder->ToString() +
                                 "; wait for it to end, or stop it: kill -INT " + std::to_string(holder->pid));
}

StatusOr<DirectoryLock> DirectoryLock::TryTake(const std::string& folder, const DirectoryHolder& holder) {
  StatusOr<std::unique_ptr<base::FileLock>> lock = base::PosixFileSystem().Lock(folder + kLockName);
  if (lock.status().code() == StatusCode::kFailedPrecondition) return HeldError(folder);
  MILLRACE_RETURN_IF_ERROR(lock.status());
  DirectoryLock taken(folder, *std::move(lock));
  MILLRACE_RETURN_IF_ERROR(WriteHolder(folder, json::Write(holder)));
  return taken;
}

StatusOr<DirectoryLock> DirectoryLock::Take(const std::string& folder, const DirectoryHolder& holder) {
  const auto started = std::chrono::steady_clock::now();
  while (true) {
    StatusOr<DirectoryLock> lock = TryTake(folder, holder);
    if (lock.status().code() != StatusCode::kFailedPrecondition) return lock;
    const std::optional<DirectoryHolder> other = HolderOf(folder);
    const auto waited = std::chrono::steady_clock::now() - started;
    if ((other && other->RunsAPipeline() && waited >= kWaitForName) || waited >= kWaitForReader) return lock;
    std::this_thread::sleep_for(kLockPause);
  }
}

}  // namespace millrace::cli
