#include "visits_program.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <random>
#include <sstream>
#include <thread>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/status_macros.h"
#include "cli/data_directory.h"
#include "millrace/core/coder.h"
#include "millrace/core/json.h"

namespace millrace::results_test {

namespace {

constexpr std::uint64_t kCheckpointBytesMax = std::uint64_t{1} << 30;

// What one event does.
struct Event {
  PageKey key;
  std::int64_t minute = 0;
  bool is_removal = false;
  bool is_bad = false;
};

Event EventAt(const ProgramOptions& options, std::uint64_t index) {
  std::mt19937_64 random(index * 0x9E3779B97F4A7C15 + 1);
  Event event;
  event.key.page = "page " + std::to_string(random() % options.pages);
  if (random() % 3 > 0) event.key.shard = static_cast<std::int32_t>(random() % 2);
  event.minute = static_cast<std::int64_t>(index / (2 * options.events));
  event.is_removal = random() % 50 == 0;
  event.is_bad = random() % 37 == 0;
  return event;
}

// A checkpoint as it lies in its file.
struct StoredCell {
  std::string page;
  std::optional<std::int32_t> shard;
  std::int64_t minute = 0;
  std::uint64_t pane = 0;
  std::optional<std::int64_t> visits;
  std::string last;
  std::uint64_t attempt = 0;
};
struct StoredCheckpoint {
  std::uint64_t epoch = 0;
  std::vector<StoredCell> cells;
  std::vector<std::string> letters;
  std::string batch;
};

std::string CheckpointPath(const std::string& folder) { return folder + "/checkpoint"; }

StatusOr<StoredCheckpoint> LoadCheckpoint(const std::string& folder) {
  MILLRACE_ASSIGN_OR_RETURN(const bool exists, base::PosixFileSystem().Exists(CheckpointPath(folder)));
  if (!exists) return StoredCheckpoint{};
  MILLRACE_ASSIGN_OR_RETURN(const std::string bytes,
                            base::ReadFile(base::PosixFileSystem(), CheckpointPath(folder), kCheckpointBytesMax));
  return Decode<StoredCheckpoint>(bytes);
}

ProgramState StateOf(const StoredCheckpoint& checkpoint) {
  ProgramState state{.epoch = checkpoint.epoch, .cells = {}, .letters = checkpoint.letters};
  for (const StoredCell& cell : checkpoint.cells) {
    Visit visit{.key = {cell.page, cell.shard}, .minute = cell.minute, .pane = cell.pane, .count = {}};
    if (cell.visits) visit.count = VisitCount{*cell.visits, cell.last};
    state.cells[NameOf(visit)] = {visit, cell.attempt};
  }
  return state;
}

Status SaveCheckpoint(const std::string& folder, const ProgramState& state, std::string batch) {
  StoredCheckpoint checkpoint{.epoch = state.epoch, .cells = {}, .letters = state.letters, .batch = std::move(batch)};
  for (const auto& [name, cell] : state.cells) {
    const std::optional<VisitCount>& count = cell.visit.count;
    checkpoint.cells.push_back({.page = cell.visit.key.page,
                                .shard = cell.visit.key.shard,
                                .minute = cell.visit.minute,
                                .pane = cell.visit.pane,
                                .visits = count ? std::optional(count->visits) : std::nullopt,
                                .last = count ? count->last : "",
                                .attempt = cell.attempt});
  }
  return base::ReplaceFile(base::PosixFileSystem(), CheckpointPath(folder), Encode(checkpoint));
}

// Where in its work the program may kill itself.
enum class Stage { kStart, kWrite, kSnapshot, kCheckpoint, kCommit, kStages };

// Kills the process at a seeded moment: a stage of an epoch, and some microseconds later.
class Killer {
 public:
  explicit Killer(std::uint64_t seed) : kills_(seed != 0), is_armed_(seed != 0), random_(seed) {
    stage_ = static_cast<Stage>(random_() % static_cast<std::uint64_t>(Stage::kStages));
    epochs_ = 1 + random_() % 4;
    delay_ = std::chrono::microseconds(random_() % (stage_ == Stage::kStart ? 150'000 : 8'000));
  }

  // `epochs` is the number of the epoch in this process.
  void Reach(Stage stage, std::uint64_t epochs) {
    if (!is_armed_ || stage != stage_ || (stage != Stage::kStart && epochs < epochs_)) return;
    is_armed_ = false;
    std::thread([delay = delay_] {
      std::this_thread::sleep_for(delay);
      ::kill(::getpid(), SIGKILL);
    }).detach();
  }

  // There are no more epochs: if it was to kill the process, it does so at the latest now.
  void ReachEnd() const {
    if (kills_) ::kill(::getpid(), SIGKILL);
  }

 private:
  const bool kills_;
  bool is_armed_;
  std::mt19937_64 random_;
  Stage stage_;
  std::uint64_t epochs_;
  std::chrono::microseconds delay_;
};

class Program {
 public:
  explicit Program(const ProgramOptions& options) : options_(options), killer_(options.kill_seed) {}

  Status Run() {
    killer_.Reach(Stage::kStart, 0);
    const cli::DirectoryHolder holder{.pid = ::getpid(), .program = "visits", .verb = "run", .since = Now()};
    MILLRACE_ASSIGN_OR_RETURN(cli::DataDirectory directory,
                              cli::DataDirectory::OpenForRun(options_.data_dir, holder, "visits"));
    MILLRACE_ASSIGN_OR_RETURN(run_, directory.ResumeOrBeginGeneration(false));
    MILLRACE_ASSIGN_OR_RETURN(results_, cli::RunResults::Create({.folder = run_.folder,
                                                                 .generation = run_.generation,
                                                                 .portion_cells_max = 1000,
                                                                 .is_streaming = true,
                                                                 .has_checkpoints = true,
                                                                 .buffer = {.block_bytes = 4096}}));
    MILLRACE_RETURN_IF_ERROR(results_->views()->Declare(VisitsView()));
    MILLRACE_ASSIGN_OR_RETURN(const StoredCheckpoint checkpoint, LoadCheckpoint(run_.folder));
    state_ = StateOf(checkpoint);
    MILLRACE_RETURN_IF_ERROR(results_->views()->Restore(checkpoint.epoch, checkpoint.batch, run_.attempt));
    std::uint64_t epochs = 0;
    while (state_.epoch < options_.epochs) {
      MILLRACE_RETURN_IF_ERROR(RunEpoch(++epochs));
      MILLRACE_RETURN_IF_ERROR(directory.NoteCheckpoint(Now()));
    }
    killer_.ReachEnd();
    MILLRACE_RETURN_IF_ERROR(results_->views()->Finish());
    results_.reset();
    return directory.FinishRunning(Now());
  }

 private:
  static Timestamp Now() { return base::SystemClock().Now(); }

  // As the engine does it; `epochs` is the number of the epoch in this process.
  Status RunEpoch(std::uint64_t epochs) {
    const std::uint64_t first = state_.epoch * options_.events;
    const std::uint64_t epoch = state_.epoch + 1;
    std::vector<Visit> batch;
    for (std::uint64_t i = first; i < first + options_.events; ++i) {
      if (i == first + options_.events / 2) killer_.Reach(Stage::kWrite, epochs);
      MILLRACE_RETURN_IF_ERROR(Apply(EventAt(options_, i), i, epoch, &batch));
      if (batch.size() < 100 && i + 1 < first + options_.events) continue;
      MILLRACE_RETURN_IF_ERROR(WriteVisits(*results_->views(), batch));
      batch.clear();
    }
    MILLRACE_ASSIGN_OR_RETURN(const EpochBatch snapshot, results_->views()->Snapshot(epoch));
    killer_.Reach(Stage::kSnapshot, epochs);
    state_.epoch = epoch;
    MILLRACE_RETURN_IF_ERROR(SaveCheckpoint(run_.folder, state_, Joined(snapshot)));
    killer_.Reach(Stage::kCheckpoint, epochs);
    MILLRACE_RETURN_IF_ERROR(results_->views()->CommitEpoch(epoch));
    killer_.Reach(Stage::kCommit, epochs);
    return OkStatus();
  }

  Status Apply(const Event& event, std::uint64_t index, std::uint64_t epoch, std::vector<Visit>* batch) {
    if (event.is_bad) {
      state_.letters.push_back(std::to_string(index) + " by attempt " + std::to_string(run_.attempt));
      return WriteLetter(*results_->dead_letters(), state_.letters.back());
    }
    Visit visit{.key = event.key, .minute = event.minute, .pane = 0, .count = {}};
    const auto [found, is_new] = state_.cells.try_emplace(NameOf(visit), CountedCell{visit, 0});
    CountedCell& cell = found->second;
    if (!is_new) ++cell.visit.pane;
    cell.attempt = run_.attempt;
    const std::string last = "e" + std::to_string(epoch) + "a" + std::to_string(run_.attempt);
    const std::int64_t before = cell.visit.count ? cell.visit.count->visits : 0;
    cell.visit.count = event.is_removal ? std::nullopt : std::optional(VisitCount{before + 1, last});
    batch->push_back(cell.visit);
    return OkStatus();
  }

  const ProgramOptions options_;
  Killer killer_;
  cli::GenerationOfRun run_;
  std::unique_ptr<cli::RunResults> results_;
  ProgramState state_;
};

void LimitFiles(std::uint64_t bytes) {
  if (bytes == 0) return;
  ::signal(SIGXFSZ, SIG_IGN);  // the write fails instead
  const rlimit limit{bytes, bytes};
  ::setrlimit(RLIMIT_FSIZE, &limit);
}

}  // namespace

int VisitsMain(int argc, char** argv) {
  const StatusOr<ProgramOptions> options = json::Parse<ProgramOptions>(argc > 1 ? argv[1] : "");
  if (!options.ok()) return 2;
  LimitFiles(options->file_bytes_max);
  const Status status = Program(*options).Run();
  if (status.ok()) return 0;
  std::cerr << status.message() << "\n";
  return 1;
}

Ended RunVisits(const ProgramOptions& options) {
  const Folder folder;
  const std::string err = folder.path() + "/err";
  std::string name = "visits";
  std::string argument = json::Write(options);
  char* argv[] = {name.data(), argument.data(), nullptr};
  std::string mark = std::string(kProgramVariable) + "=1";
  std::vector<char*> variables = {mark.data()};
  for (char** variable = environ; *variable != nullptr; ++variable) variables.push_back(*variable);
  variables.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  pid_t pid = -1;
  const int spawned = ::posix_spawn(&pid, "/proc/self/exe", &actions, nullptr, argv, variables.data());
  ::posix_spawn_file_actions_destroy(&actions);
  if (spawned != 0) return {};
  int status = 0;
  ::waitpid(pid, &status, 0);
  Ended ended;
  if (WIFEXITED(status)) ended.exit_code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) ended.signal = WTERMSIG(status);
  std::ostringstream text;
  text << std::ifstream(err).rdbuf();
  ended.err = text.str();
  return ended;
}

ProgramState ReadCheckpoint(const std::string& folder) {
  const StatusOr<StoredCheckpoint> checkpoint = LoadCheckpoint(folder);
  return checkpoint.ok() ? StateOf(*checkpoint) : ProgramState{};
}

Oracle OracleOf(const ProgramOptions& options, std::uint64_t epochs) {
  Oracle oracle;
  for (std::uint64_t i = 0; i < epochs * options.events; ++i) {
    const Event event = EventAt(options, i);
    const std::string name = NameOf({.key = event.key, .minute = event.minute, .pane = 0, .count = {}});
    if (event.is_bad) {
      oracle.letters.insert(std::to_string(i));
    } else if (event.is_removal) {
      oracle.visits.erase(name);
    } else {
      ++oracle.visits[name];
    }
  }
  return oracle;
}

std::string EventOf(const std::string& letter) { return letter.substr(0, letter.find(' ')); }

}  // namespace millrace::results_test
