// This program again, as a child with other arguments.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "cli/verbs.h"
#include "millrace/core/status.h"

namespace millrace::cli {

/// How a child has ended.
struct ChildEnd {
  int code = 0;      // of its exit; 128 and the number of the signal that ended it
  double cpu_s = 0;  // of it and of the children that it has waited for
};

/// One thread. A child that is not awaited when the object is destroyed is killed.
class ChildProcess {
 public:
  /// Starts the program with these arguments (without its name); its outputs are appended to `output`, or are those of
  /// this process where that is empty.
  static StatusOr<ChildProcess> Start(const std::string& program, const std::vector<std::string>& arguments,
                                      const std::string& output = {});
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&&) = delete;
  ~ChildProcess();

  /// Makes it give way to others, by so much.
  void SetNice(int nice) const;
  void Signal(int signal) const;
  /// Nothing as long as it goes on.
  StatusOr<std::optional<ChildEnd>> Poll();

 private:
  explicit ChildProcess(pid_t pid) : pid_(pid) {}
  pid_t pid_ = 0;  // 0: it has ended
};

/// The command line that this process was given, for another verb: without its verb and the arguments behind it, with
/// these instead.
std::vector<std::string> ArgumentsFor(const Invocation& invocation, const std::vector<std::string>& instead);

}  // namespace millrace::cli
