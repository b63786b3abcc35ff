// Who holds the watermark of a run over the event log back, as `status` and /v1/status tell it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <functional>
#include <map>
#include <thread>

#include "millrace/core/json.h"
#include "program.h"
#include "server/server.h"

namespace millrace::cli_test {
namespace {

using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr Timestamp Minute(std::int64_t minute) { return Timestamp::FromSeconds(60 * minute); }

class HeldBackTest : public ::testing::Test {
 protected:
  // Publishes a ride of the city each so many minutes; a city's rides go to one of two partitions.
  void Publish(const std::string& city, std::int64_t from, std::int64_t to) {
    const std::string path = folder_.path() + "/" + city + std::to_string(from) + ".json";
    std::ofstream file(path);
    for (std::int64_t i = from; i <= to; i += 10) file << R"({"number":)" << i << R"(,"city":")" << city << "\"}\n";
    file.close();
    const Outcome published = RunRides({"publish", path, "--partitions=2", data_});
    ASSERT_EQ(published.exit_code, 0) << published.err;
  }
  void Start(const std::string& option) {
    run_ = std::make_unique<Child>(
        "rides", std::vector<std::string>{"run", "--streaming", "--log", "--threads=2", option, data_});
  }
  // What /v1/status gives through the socket.
  std::string Ask() const {
    const std::string socket = server::SocketPathOf(folder_.path() + "/data");
    const std::string command = "curl -s --max-time 20 --unix-socket '" + socket + "' http://localhost/v1/status";
    std::string text;
    FILE* pipe = ::popen(command.c_str(), "r");
    if (pipe == nullptr) return text;
    std::array<char, 4096> bytes;
    for (std::size_t count = 1; (count = std::fread(bytes.data(), 1, bytes.size(), pipe)) > 0;) {
      text.append(bytes.data(), count);
    }
    ::pclose(pipe);
    return text;
  }
  // The same, as soon as it is what `wanted` wants.
  RunStatus StatusWhen(const std::function<bool(const RunStatus&)>& wanted) {
    std::string text;
    for (int i = 0; i < 400; ++i) {
      text = Ask();
      const auto status = json::Parse<server::ServerStatus>(text);
      const bool is_known = status.ok() && status->run && !status->run->sources.empty();
      if (is_known && wanted(*status->run)) return *status->run;
      std::this_thread::sleep_for(milliseconds(50));
    }
    ADD_FAILURE() << text;
    return {};
  }
  static bool HasRead(const RunStatus& run, std::int64_t elements, Timestamp watermark) {
    return run.elements_read == elements && run.watermark == watermark && run.sources.at(0).partitions.size() == 2;
  }
  void Stop() {
    run_->Signal(SIGINT);
    const Outcome ended = run_->Wait();
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
  }

  const TemporaryFolder folder_;
  const std::string data_ = "--data_dir=" + folder_.path() + "/data";
  std::unique_ptr<Child> run_;
};

TEST_F(HeldBackTest, ByThePartitionThatLagsAndItsLastRecord) {
  Publish("Oslo", 0, 300);
  Publish("Rome", 0, 20);
  Start("--idle_after=1h");
  // Each partition's watermark is a minute behind its last record.
  const RunStatus run = StatusWhen([](const RunStatus& now) { return HasRead(now, 34, Minute(19)); });
  ASSERT_EQ(run.sources.size(), 1U);
  std::vector<PartitionStatus> partitions = run.sources[0].partitions;
  ASSERT_EQ(partitions.size(), 2U);
  std::sort(partitions.begin(), partitions.end(),
            [](const auto& a, const auto& b) { return a.watermark < b.watermark; });
  const PartitionStatus& slow = partitions[0];
  EXPECT_EQ(slow.watermark, Minute(19));
  EXPECT_EQ(partitions[1].watermark, Minute(299));
  EXPECT_FALSE(slow.idle);

  // From the step that is furthest behind, by what feeds it, to the record.
  ASSERT_GE(run.holds.size(), 4U);
  const auto source = run.holds.end() - 3;
  for (auto hold = run.holds.begin(); hold != source; ++hold) {
    EXPECT_EQ(hold->what, "step") << hold->name;
    EXPECT_EQ(hold->watermark, Minute(19)) << hold->name;
    const auto step = std::find_if(run.steps.begin(), run.steps.end(),
                                   [&](const StepStatus& known) { return known.label == hold->name; });
    ASSERT_NE(step, run.steps.end()) << hold->name;
    EXPECT_THAT(step->inputs, ::testing::Contains((hold + 1)->name));
  }
  EXPECT_EQ((source - 1)->name, "Parse");
  EXPECT_EQ(source[0].what, "source");
  EXPECT_EQ(source[0].name, "Log");
  EXPECT_EQ(source[1].what, "partition");
  EXPECT_EQ(source[1].name, slow.partition);
  EXPECT_EQ(source[1].why, "the least of 2 partitions, read to the end");
  EXPECT_EQ(source[2].what, "record");
  EXPECT_EQ(source[2].name, "offset 2");
  EXPECT_EQ(source[2].watermark, Minute(20));

  const Outcome told = RunRides({"status", data_});
  EXPECT_THAT(told.out, HasSubstr(" <- Parse <- Log <- " + slow.partition +
                                  " (the least of 2 partitions, read to the end) <- last record offset 2 at "
                                  "1970-01-01T00:20:00Z (read "));
  Stop();
}

TEST_F(HeldBackTest, ByNoneThatHasSteppedAside) {
  Publish("Oslo", 0, 300);
  Publish("Rome", 0, 20);
  Start("--idle_after=300ms");
  const auto all_idle = [](const RunStatus& now) {
    const std::vector<PartitionStatus>& partitions = now.sources.at(0).partitions;
    return now.elements_read == 34 && partitions.size() == 2 && std::ranges::all_of(partitions, &PartitionStatus::idle);
  };
  const RunStatus idle = StatusWhen(all_idle);
  ASSERT_GE(idle.holds.size(), 2U);
  EXPECT_EQ(idle.holds[idle.holds.size() - 2].why, "all partitions are idle");
  EXPECT_THAT(RunRides({"status", data_}).out, AllOf(HasSubstr(" idle\n"), HasSubstr("(all partitions are idle)")));
  Stop();
}

TEST_F(HeldBackTest, WhatCameTooLateIsAmongTheDeadLetters) {
  Publish("Oslo", 0, 300);
  Publish("Rome", 0, 300);
  Start("--idle_after=1h");
  const RunStatus before = StatusWhen([](const RunStatus& now) { return HasRead(now, 62, Minute(299)); });
  for (const DeadLetterStatus& letter : before.dead_letters) EXPECT_NE(letter.name, "late");
  Publish("Rome", 5, 15);  // their window ended long ago
  const RunStatus after = StatusWhen([](const RunStatus& now) {
    std::map<std::string, std::int64_t> late;  // by step
    for (const DeadLetterStatus& letter : now.dead_letters) {
      if (letter.name == "late") late[letter.step] += letter.count;
    }
    return late == std::map<std::string, std::int64_t>{{"CitySum", 2}, {"DriverCount", 2}};
  });
  EXPECT_EQ(after.elements_read, 64);
  EXPECT_THAT(RunRides({"status", data_}).out, ::testing::ContainsRegex("\nlate +CitySum +2\n"));
  Stop();
  const Outcome kept =
      RunRides({"sql", "SELECT count(*) FROM dead_letters WHERE name = 'late'", "--format=csv", data_});
  EXPECT_THAT(kept.out, HasSubstr("\n4\n")) << kept.err;
}

}  // namespace
}  // namespace millrace::cli_test
