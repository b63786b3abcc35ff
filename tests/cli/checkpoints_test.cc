// The verb `checkpoints`, on checkpoints that the store has written.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "millrace/core/source.h"
#include "program.h"
#include "storage/checkpoint_store.h"

namespace millrace::cli_test {
namespace {

using storage::CheckpointContents;
using storage::CheckpointStore;
using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class CheckpointsTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(Ride({"run"}).exit_code, 0); }

  Outcome Ride(std::vector<std::string> arguments) const {
    arguments.push_back("--data_dir=" + data_dir_);
    return RunRides(arguments);
  }
  std::string Output(const std::vector<std::string>& arguments) const {
    const Outcome outcome = Ride(arguments);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return outcome.out;
  }
  std::string Folder() const { return data_dir_ + "/generation-1/checkpoints"; }

  /// Two checkpoints: a full state of 5 bytes, then a delta of 3.
  void WriteCheckpoints() const {
    CheckpointStore store = *CheckpointStore::Open(base::PosixFileSystem(), Folder());
    for (std::uint64_t epoch = 4; epoch <= 5; ++epoch) {
      const auto bytes = std::make_shared<const std::string>(epoch == 4 ? "abcde" : "fgh");
      CheckpointContents contents{.generation = 1,
                                  .epoch = epoch,
                                  .attempt = 2,
                                  .job_name = "rides",
                                  .mode = "streaming",
                                  .created_at = base::SystemClock().Now() - std::chrono::hours(1),
                                  .watermark = Timestamp::FromSeconds(978'307'200)};
      contents.states = {{.description = storage::DescribeState("PerCity", "combine", "cells", "keyed<string,int64>"),
                          .sections = {{.full = epoch == 4, .chunks = {bytes}}}}};
      contents.sources = {{.step = "Log",
                           .unfinished = {{.partition = "0", .from = 17, .to = 20},
                                          {.partition = "1",
                                           .from = 3,
                                           .to = Restriction::kUnbounded,
                                           .watermark = Timestamp::FromSeconds(978'307'200)}},
                           .finished = 1,
                           .total = 3}};
      contents.sinks = {{"views", {bytes, bytes}}};
      ASSERT_TRUE(store.Write(contents).ok());
    }
  }

  TemporaryFolder folder_;
  std::string data_dir_ = folder_.path() + "/data";
};

TEST_F(CheckpointsTest, ListShowsTheNewestFirst) {
  EXPECT_THAT(Output({"checkpoints", "list"}), HasSubstr("(0 rows)"));
  WriteCheckpoints();
  const std::string table = Output({"checkpoints", "list"});
  EXPECT_THAT(table, StartsWith("epoch  attempt  created_at"));
  EXPECT_THAT(table, ContainsRegex("\n +5 +2 .* 1h[^ ]* .* 2001-01-01 00:00:00 +8 +14"));
  EXPECT_THAT(table, ContainsRegex("\n +4 +2 .* 1h[^ ]* .* 2001-01-01 00:00:00 +5 +15"));
  EXPECT_LT(table.find("\n    5"), table.find("\n    4"));
  EXPECT_THAT(Output({"checkpoints", "list", "--format=json"}),
              ContainsRegex("^\\{\"epoch\":5,\"attempt\":2,\"created_at\":\"20[^\"]*Z\",\"age\":\"1h[^\"]*\","
                            "\"duration\":\"[^\"]+\",\"watermark\":\"2001-01-01T00:00:00Z\",\"state_bytes\":8,"
                            "\"bytes\":14,\"problem\":null\\}\n\\{\"epoch\":4,"));
}

TEST_F(CheckpointsTest, InspectShowsStatesSourcesAndSinks) {
  WriteCheckpoints();
  const std::string text = Output({"checkpoints", "inspect"});
  EXPECT_THAT(text, StartsWith("checkpoint of epoch 5 in " + Folder() + "\n"));
  EXPECT_THAT(text, HasSubstr("job         rides, streaming, generation 1, attempt 2\n"));
  EXPECT_THAT(text, ContainsRegex("\nPerCity +combine +cells +8 +2 +keyed<string,int64>\n"));
  EXPECT_THAT(text, ContainsRegex("\nLog +0 +17 +20 +-inf +1 of 3 *\n"));
  EXPECT_THAT(text, ContainsRegex("\nLog +1 +3 +2001-01-01 00:00:00 +1 of 3 *\n"));
  EXPECT_THAT(text, ContainsRegex("\nviews +6\n"));
  EXPECT_THAT(Output({"checkpoints", "inspect", "4"}), ContainsRegex("\nPerCity +combine +cells +5 +1 "));
  EXPECT_THAT(
      Output({"checkpoints", "inspect", "4", "--format=json"}),
      AllOf(StartsWith("{\"generation\":1,\"epoch\":4,"), HasSubstr("\"partition\":\"0\",\"from\":17,\"to\":20")));
}

TEST_F(CheckpointsTest, DamageIsTold) {
  WriteCheckpoints();
  base::FileSystem& files = base::PosixFileSystem();
  const std::string newest = Folder() + "/00000000000000000005.manifest.json";
  const std::string text = *base::ReadFile(files, newest, 1 << 20);
  ASSERT_EQ(base::ReplaceFile(files, newest, text.substr(0, text.size() - 1)), OkStatus());
  EXPECT_THAT(Output({"checkpoints", "list"}), ContainsRegex("\n +5 .* its second line has [0-9]+ bytes instead of"));
  const Outcome inspected = Ride({"checkpoints", "inspect"});
  EXPECT_EQ(inspected.exit_code, 1);
  EXPECT_THAT(inspected.err, AllOf(HasSubstr("the newest checkpoint, of epoch 5, cannot be read"),
                                   HasSubstr("--restore_epoch=4 (of ")));
  EXPECT_THAT(Output({"checkpoints", "inspect", "4"}), StartsWith("checkpoint of epoch 4"));

  const std::string data = Folder() + "/00000000000000000004-0000000002.data";
  const std::string bytes = *base::ReadFile(files, data, 1 << 20);
  ASSERT_EQ(base::ReplaceFile(files, data, bytes.substr(0, bytes.size() - 1)), OkStatus());
  const Outcome cut = Ride({"checkpoints", "inspect", "4"});
  EXPECT_EQ(cut.exit_code, 1);
  EXPECT_EQ(cut.out, "");
  EXPECT_THAT(cut.err, AllOf(HasSubstr(data + ": section 1, byte "), HasSubstr("start a new generation")));
}

TEST_F(CheckpointsTest, WrongCommandLines) {
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{"checkpoints"},
                                             {"checkpoints", "remove"},
                                             {"checkpoints", "list", "4"},
                                             {"checkpoints", "inspect", "4", "5"},
                                             {"checkpoints", "inspect", "four"},
                                             {"checkpoints", "inspect", "--format=csv"},
                                             {"checkpoints", "list", "--format=xml"}}) {
    EXPECT_EQ(Ride(arguments).exit_code, 2) << arguments.back();
  }
  const Outcome nothing = Ride({"checkpoints", "inspect"});
  EXPECT_EQ(nothing.exit_code, 1);
  EXPECT_THAT(nothing.err, HasSubstr("there is no checkpoint in " + Folder()));
  EXPECT_THAT(Ride({"checkpoints", "inspect", "9"}).err, HasSubstr("there is no checkpoint of epoch 9"));
  const Outcome nowhere = RunRides({"checkpoints", "list", "--data_dir=" + folder_.path() + "/nowhere"});
  EXPECT_EQ(nowhere.exit_code, 1);
  EXPECT_THAT(nowhere.err, HasSubstr("no run has begun there"));
}

}  // namespace
}  // namespace millrace::cli_test
