#include "cli/child_process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace millrace::cli {

namespace {

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1'000'000;
}

}  // namespace

StatusOr<ChildProcess> ChildProcess::Start(const std::string& program, const std::vector<std::string>& arguments,
                                           const std::string& output) {
  std::vector<std::string> all = {program};
  all.insert(all.end(), arguments.begin(), arguments.end());
  std::vector<char*> pointers;
  for (std::string& argument : all) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  if (!output.empty()) {
    ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
    ::posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  }
  pid_t pid = 0;
  const int error = ::posix_spawn(&pid, "/proc/self/exe", &actions, nullptr, pointers.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error == 0) return ChildProcess(pid);
  return UnavailableError("`" + program + " " + (arguments.empty() ? "" : arguments[0]) +
                          "` cannot be started: " + std::strerror(error));
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept : pid_(std::exchange(other.pid_, 0)) {}

ChildProcess::~ChildProcess() {
  if (pid_ == 0) return;
  ::kill(pid_, SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

void ChildProcess::SetNice(int nice) const {
  if (pid_ != 0) static_cast<void>(::setpriority(PRIO_PROCESS, static_cast<id_t>(pid_), nice));
}

void ChildProcess::Signal(int signal) const {
  if (pid_ != 0) ::kill(pid_, signal);
}

StatusOr<std::optional<ChildEnd>> ChildProcess::Poll() {
  if (pid_ == 0) return FailedPreconditionError("the child has ended, and was awaited");
  int status = 0;
  rusage used{};
  const pid_t ended = ::wait4(pid_, &status, WNOHANG, &used);
  if (ended == 0 || (ended < 0 && errno == EINTR)) return std::optional<ChildEnd>();
  if (ended < 0) return UnavailableError(std::string("the child is lost: ") + std::strerror(errno));
  pid_ = 0;
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : kExitOfSignal + WTERMSIG(status);
  return std::optional(ChildEnd{.code = code, .cpu_s = Seconds(used.ru_utime) + Seconds(used.ru_stime)});
}

std::vector<std::string> ArgumentsFor(const Invocation& invocation, const std::vector<std::string>& instead) {
  std::vector<std::string> all = instead;
  std::vector<std::string> left = {invocation.verb};
  left.insert(left.end(), invocation.arguments.begin(), invocation.arguments.end());
  for (const std::string& given : invocation.given) {
    const auto found = std::find(left.begin(), left.end(), given);
    if (found == left.end()) {
      all.push_back(given);
    } else {
      left.erase(found);
    }
  }
  return all;
}

}  // namespace millrace::cli
