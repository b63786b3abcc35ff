#include "program.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>
#include <thread>

#include "../ledger/broken_stage.h"
#include "millrace/io/for_each.h"
#include "millrace/io/json_lines.h"
#include "millrace/io/log.h"
#include "millrace/millrace.h"
#include "millrace/runner/main.h"

namespace millrace::cli_test {

namespace {

struct Ride {
  std::string city;
  std::string driver;
  std::int64_t cents = 0;
};
struct CityDriver {
  std::string city;
  std::string driver;
};
struct RidesOptions {
  std::int32_t rides = 6;
  Duration window = std::chrono::hours(1);
  std::optional<double> tip;
  std::vector<std::string> cities = {"Oslo", "Rome"};
  bool endless = false;
  std::string fail_at;
  Duration slow{0};
  std::int64_t refuse_every = 0;  // Check refuses rides whose cents are a multiple of this
  bool broken = false;            // ByCity overlooks a ride
  bool log = false;               // rides of the event log, whose partitions step aside as idle after this
  Duration idle_after = std::chrono::hours(1);
  static constexpr OptionHelp kOptionHelp[] = {{"rides", "how many rides there are"},
                                               {"window", "the size of the windows"}};
};

// Rides without end: ten a millisecond, of which each is a minute after the one before.
struct EndlessRides {
  using Element = Ride;
  static constexpr bool kUnbounded = true;
  StatusOr<std::vector<Restriction>> InitialRestrictions(const SplitOptions&) const {
    return std::vector{Restriction{}};
  }
  StatusOr<ProcessContinuation> Read(RestrictionTracker& tracker, WatermarkEstimator& watermark,
                                     SourceOutput<Ride>& out) {
    const std::int64_t from = tracker.from();
    for (std::int64_t i = from; i < from + 10; ++i) {
      if (!tracker.TryClaim(i)) return ProcessContinuation::Stop();
      const Timestamp time = Timestamp::FromSeconds(i * 60);
      out.Emit(Ride{"Oslo", "d" + std::to_string(i % 3), i}, time);
      watermark.Set(time);
    }
    return ProcessContinuation::Resume(std::chrono::milliseconds(1));
  }
};

std::vector<TimestampedValue<Ride>> SomeRides(const RidesOptions& options) {
  std::vector<TimestampedValue<Ride>> rides;
  for (std::int32_t i = 0; i < options.rides; ++i) {
    const std::string& city = options.cities[static_cast<std::size_t>(i) % options.cities.size()];
    Ride ride{city, "d" + std::to_string(i % 3), 100 * i};
    rides.push_back({std::move(ride), Timestamp::FromSeconds(978'307'200 + 1200 * i)});
  }
  return rides;
}

// A file of rides, an object a line, in the order of their numbers, which are minutes.
struct NumberedRide {
  std::int64_t number = 0;
  std::string city;
};

PCollection<Ride> RidesOfLog(Pipeline& pipeline, const RidesOptions& options, const PipelineOptions& all) {
  return pipeline |
         "Log" >> log::Read({.folder = all.data_dir + "/log",
                             .topic = all.topic,
                             .max_disorder = std::chrono::minutes(1),
                             .idle_after = options.idle_after}) |
         "Parse" >> Map([](const LogRecord& record) {
           const auto ride = json::Parse<NumberedRide>(record.data).value_or(NumberedRide{});
           return Ride{ride.city, "d" + std::to_string(ride.number % 3), ride.number};
         });
}

void BuildRides(Pipeline& pipeline, const RidesOptions& options, const PipelineOptions& all) {
  auto windowed = [&](const PCollection<Ride>& rides) {
    auto [good, bad] =
        rides | "Check" >> ParDo([fail_at = options.fail_at, slow = options.slow, every = options.refuse_every](
                                     const Ride& ride, Output<Ride> checked, Output<Ride> refused) {
                  if (slow.count() > 0) std::this_thread::sleep_for(slow);
                  if (!fail_at.empty() && ride.driver == fail_at) throw std::runtime_error("a broken driver");
                  const bool is_refused = ride.cents == 300 || (every > 0 && ride.cents % every == 0);
                  is_refused ? refused.Emit(ride) : checked.Emit(ride);
                });
    bad | "Bad" >> DeadLetters("rides");
    auto hours = good | "Hours" >> WindowInto(FixedWindows{options.window})
                                       .Triggering(AfterWatermark{.early = AfterCount{1}, .late = AfterCount{1}})
                                       .AllowedLateness(std::chrono::minutes(1))
                                       .Accumulating();
    hours | "ByCity" >> Map([](const Ride& ride) { return KV<std::string, std::int64_t>{ride.city, ride.cents}; }) |
        "CitySum" >> CombinePerKey(Sum{}) | View("city_cents").Key("city").Value("cents");
    hours |
        "ByDriver" >>
            Map([](const Ride& ride) { return KV<CityDriver, std::int64_t>{{ride.city, ride.driver}, ride.cents}; }) |
        "DriverCount" >> CombinePerKey(Count{}) | View("driver_rides").Value("rides");
  };
  if (options.log) {
    windowed(RidesOfLog(pipeline, options, all));
  } else if (options.endless) {
    windowed(pipeline | "Endless" >> Read(EndlessRides{}));
  } else {
    windowed(pipeline | "Rides" >> Create(SomeRides(options)));
  }
  if (options.broken) {
    using namespace ledger_test;  // NOLINT
    Break<TamperedOperator>(pipeline, "ByCity", Once(DropLast<Ride>, std::make_shared<std::atomic<int>>(0)));
  }
}

Status ReadRides(const std::string& file, const TakeRecord& take) {
  return ForEach(json_lines::Read<NumberedRide>(file), [&](const NumberedRide& ride, Timestamp) {
    return take({.id = std::to_string(ride.number),
                 .event_time = Timestamp::FromSeconds(60 * ride.number),
                 .key = ride.city,
                 .attributes = {{"number", std::to_string(ride.number)}},
                 .data = json::Write(ride)});
  });
}

std::string Slurp(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// Between the lock and this a signal just ends the process.
bool CatchesInterrupts(pid_t pid) {
  const std::string status = Slurp("/proc/" + std::to_string(pid) + "/status");
  constexpr std::string_view kCaught = "SigCgt:\t";
  const std::size_t at = status.find(kCaught);
  if (at == std::string::npos) return false;
  return (std::strtoull(status.c_str() + at + kCaught.size(), nullptr, 16) & (1ULL << (SIGINT - 1))) != 0;
}

void Redirect(posix_spawn_file_actions_t& actions, const std::string& path, int descriptor) {
  ::posix_spawn_file_actions_addopen(&actions, descriptor, path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
}

}  // namespace

int RidesMain(int argc, char** argv) {
  return Main(
      argc, argv,
      Job(BuildRides).Description("Sums up rides of taxis, by city and by driver.").Publishes({.read = ReadRides}));
}

TemporaryFolder::TemporaryFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "millrace_cli_XXXXXX").string();
  path_ = ::mkdtemp(pattern.data());
}
TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

Child::Child(const std::string& program, const std::vector<std::string>& arguments) {
  std::string pattern = (std::filesystem::temp_directory_path() / "millrace_out_XXXXXX").string();
  folder_ = ::mkdtemp(pattern.data());
  std::string name = "bin/" + program;
  std::vector<std::string> texts = arguments;
  std::vector<char*> argv = {name.data()};
  for (std::string& text : texts) argv.push_back(text.data());
  argv.push_back(nullptr);
  // Not fork: it would take every lock of the allocators, more than ThreadSanitizer can count.
  posix_spawn_file_actions_t redirections;
  ::posix_spawn_file_actions_init(&redirections);
  Redirect(redirections, folder_ + "/out", STDOUT_FILENO);
  Redirect(redirections, folder_ + "/err", STDERR_FILENO);
  std::string mark = std::string(kProgramVariable) + "=1";
  std::vector<char*> variables = {mark.data()};
  for (char** variable = environ; *variable != nullptr; ++variable) variables.push_back(*variable);
  variables.push_back(nullptr);
  if (::posix_spawn(&pid_, "/proc/self/exe", &redirections, nullptr, argv.data(), variables.data()) != 0) pid_ = -1;
  ::posix_spawn_file_actions_destroy(&redirections);
}

Child::~Child() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void Child::Signal(int signal) const { ::kill(pid_, signal); }

Outcome Child::Wait() {
  int status = 0;
  ::waitpid(pid_, &status, 0);
  pid_ = -1;
  Outcome outcome;
  if (WIFEXITED(status)) outcome.exit_code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) outcome.signal = WTERMSIG(status);
  outcome.out = Slurp(folder_ + "/out");
  outcome.err = Slurp(folder_ + "/err");
  return outcome;
}

bool Child::WaitUntilItRuns(const std::string& data_dir) {
  for (int i = 0; i < 2000; ++i) {
    const bool has_lock = Slurp(data_dir + "/lock").find("\"verb\":\"run\"") != std::string::npos;
    if (has_lock && CatchesInterrupts(pid_)) return true;
    siginfo_t info{};
    ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT);
    if (info.si_pid != 0) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

Outcome RunRides(const std::vector<std::string>& arguments) { return Child("rides", arguments).Wait(); }

}  // namespace millrace::cli_test
