// A small program on `millrace::Main`, run in child processes.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace millrace::cli_test {

/// Set in the environment of a process that is the program and not its tests.
inline constexpr const char* kProgramVariable = "MILLRACE_TEST_PROGRAM";

/// The program's `main`.
int RidesMain(int argc, char** argv);

/// What a program left behind.
struct Outcome {
  int exit_code = -1;  // -1 when a signal ended it
  int signal = 0;
  std::string out;
  std::string err;
};

/// A program that runs in a process of its own.
class Child {
 public:
  /// `program` is the name that it goes by.
  Child(const std::string& program, const std::vector<std::string>& arguments);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  pid_t pid() const { return pid_; }
  void Signal(int signal) const;
  /// Until it has ended.
  Outcome Wait();
  /// Until it holds the data directory for a run; false when it ends before, or after 20 s.
  bool WaitUntilItRuns(const std::string& data_dir);

 private:
  std::string folder_;
  pid_t pid_ = -1;
};

/// Runs the program `rides` to its end.
Outcome RunRides(const std::vector<std::string>& arguments);

/// A folder that is removed in the end.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace millrace::cli_test
