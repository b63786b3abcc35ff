// A program that counts visits and writes them through the sinks of a run with checkpoints, in a process of its own
// that is killed and started again. A file stands in for the checkpoint store.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "visits.h"

namespace millrace::results_test {

/// Set in the environment of a process that is the program and not the tests.
inline constexpr const char* kProgramVariable = "MILLRACE_TEST_VISITS";

/// What the program is told. It is passed on as JSON in the one argument.
struct ProgramOptions {
  std::string data_dir = {};
  std::uint64_t epochs = 10;   // until it ends
  std::uint64_t events = 200;  // per epoch
  std::uint64_t pages = 40;
  std::uint64_t kill_seed = 0;       // when it kills itself; 0: never
  std::uint64_t file_bytes_max = 0;  // no file may grow beyond it; 0: no limit
};

/// The program's `main`.
int VisitsMain(int argc, char** argv);

/// How a program ended.
struct Ended {
  int exit_code = -1;  // -1 when a signal ended it
  int signal = 0;
  std::string err;
};
Ended RunVisits(const ProgramOptions& options);

/// One cell as the program knows it.
struct CountedCell {
  Visit visit;                // with the newest pane
  std::uint64_t attempt = 0;  // that wrote it
};
/// What the program stores in its checkpoint: the state after an epoch.
struct ProgramState {
  std::uint64_t epoch = 0;
  std::map<std::string, CountedCell> cells;  // by the cell's name
  std::vector<std::string> letters;
};
/// The last committed checkpoint in a generation's folder; epoch 0 if there is none.
ProgramState ReadCheckpoint(const std::string& folder);

/// What must be there after so many epochs, by the plain loop: visits by cell, and the events that were dead letters.
struct Oracle {
  std::map<std::string, std::int64_t> visits;
  std::set<std::string> letters;
};
Oracle OracleOf(const ProgramOptions& options, std::uint64_t epochs);

/// The event that a dead letter of the program is about.
std::string EventOf(const std::string& letter);

}  // namespace millrace::results_test
