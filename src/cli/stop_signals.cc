#include "cli/stop_signals.h"

#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <utility>

namespace millrace::cli {

namespace {

std::atomic<std::atomic<bool>*> stop_flag{nullptr};
std::atomic<std::atomic<bool>*> close_flag{nullptr};
std::atomic<int> received{0};

extern "C" void TakeStopSignal(int signal) {
  const int error = errno;
  if (received.exchange(signal) != 0) {
    ::signal(signal, SIG_DFL);
    ::raise(signal);  // takes effect when this handler returns
  } else {
    if (std::atomic<bool>* flag = stop_flag.load()) flag->store(true);
    constexpr std::string_view kText = "\nstopping: what was read is being finished; once more ends it at once\n";
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, kText.data(), kText.size());
  }
  errno = error;
}

extern "C" void TakeCloseSignal(int) {
  if (std::atomic<bool>* flag = close_flag.load()) flag->store(true);
}

}  // namespace

StopSignals::StopSignals(std::shared_ptr<std::atomic<bool>> stop)
    : stop_(stop != nullptr ? std::move(stop) : std::make_shared<std::atomic<bool>>(false)),
      close_windows_(std::make_shared<std::atomic<bool>>(false)) {
  received = 0;
  stop_flag = stop_.get();
  close_flag = close_windows_.get();
  struct sigaction action{};
  action.sa_handler = TakeStopSignal;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  ::sigaction(SIGINT, &action, &old_interrupt_);
  ::sigaction(SIGTERM, &action, &old_terminate_);
  action.sa_handler = TakeCloseSignal;
  ::sigaction(SIGUSR1, &action, &old_close_);
}

StopSignals::~StopSignals() {
  ::sigaction(SIGINT, &old_interrupt_, nullptr);
  ::sigaction(SIGTERM, &old_terminate_, nullptr);
  ::sigaction(SIGUSR1, &old_close_, nullptr);
  stop_flag = nullptr;
  close_flag = nullptr;
}

int StopSignals::signal() const { return received; }

}  // namespace millrace::cli
