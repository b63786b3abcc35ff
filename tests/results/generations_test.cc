// Generations beside the one that is read: a replay builds one, it is promoted, rolled back, dropped.
#include "cli/generations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "cli/data_directory.h"
#include "visits.h"

namespace millrace::results_test {
namespace {

using cli::BesideGeneration;
using cli::DataDirectory;
using cli::DirectoryHolder;
using cli::DirectoryManifest;
using cli::EventTimeRange;
using cli::GenerationOfRun;
using ::testing::HasSubstr;

constexpr Timestamp kBegin = Timestamp::FromSeconds(1'000'000'000);

class GenerationsTest : public ::testing::Test {
 protected:
  static DirectoryHolder Holder(const std::string& verb) {
    return {.pid = ::getpid(), .program = "visits", .verb = verb, .since = kBegin};
  }
  StatusOr<DataDirectory> ForRun() const { return DataDirectory::OpenForRun(folder_.path(), Holder("run"), "visits"); }
  StatusOr<DataDirectory> ForReplay() const {
    return DataDirectory::OpenForReplay(folder_.path(), Holder("replay"), "visits");
  }
  std::uint64_t ReadGeneration() const {
    const StatusOr<DataDirectory> directory = DataDirectory::OpenForReading(folder_.path(), Holder("query"));
    return directory.ok() ? directory->generation() : 0;
  }
  DirectoryManifest Manifest() const { return *cli::ReadDirectoryManifest(folder_.path()); }
  bool Exists(std::uint64_t generation) const {
    return std::filesystem::exists(cli::GenerationFolder(folder_.path(), generation));
  }
  // Generation 1 with a checkpoint, whose process was killed.
  void BeginWithARun() const {
    StatusOr<DataDirectory> directory = ForRun();
    ASSERT_TRUE(directory.ok()) << directory.status();
    ASSERT_TRUE(directory->ResumeOrBeginGeneration(false).ok());
    ASSERT_EQ(directory->NoteCheckpoint(kBegin), OkStatus());
  }
  StatusOr<GenerationOfRun> ReplayAndKill(bool is_fresh = false, const EventTimeRange& range = {}) const {
    StatusOr<DataDirectory> directory = ForReplay();
    if (!directory.ok()) return directory.status();
    StatusOr<GenerationOfRun> run = directory->ResumeOrBeginReplay(is_fresh, range, kBegin);
    if (!run.ok()) return run;
    EXPECT_EQ(directory->NoteCheckpoint(kBegin), OkStatus());
    return run;
  }

  const Folder folder_;
};

TEST_F(GenerationsTest, AReplayIsBuiltBesideWhatIsReadAndGoneOnWith) {
  BeginWithARun();
  const StatusOr<GenerationOfRun> first = ReplayAndKill();
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->generation, 2U);
  EXPECT_EQ(first->attempt, 1U);
  EXPECT_EQ(ReadGeneration(), 1U);
  const StatusOr<GenerationOfRun> second = ReplayAndKill();
  EXPECT_EQ(second->generation, 2U);
  EXPECT_EQ(second->attempt, 2U);
  EXPECT_TRUE(second->is_resumed);
  // A run goes on with its own, and leaves the replay alone.
  {
    StatusOr<DataDirectory> directory = ForRun();
    EXPECT_EQ(directory->ResumeOrBeginGeneration(false)->generation, 1U);
    EXPECT_EQ(directory->PromoteRunning(kBegin), OkStatus());
  }
  EXPECT_TRUE(Exists(2));
  EXPECT_EQ(ReplayAndKill(true)->generation, 3U);
  EXPECT_FALSE(Exists(2));
}

TEST_F(GenerationsTest, PromotingAndRollingBackMoveThePointerAndKeepBoth) {
  BeginWithARun();
  ASSERT_TRUE(ReplayAndKill().ok());
  EXPECT_EQ(cli::RollBack(folder_.path(), kBegin).status().code(), StatusCode::kNotFound);
  ASSERT_EQ(cli::PromoteGeneration(folder_.path(), 2, kBegin), OkStatus());
  EXPECT_EQ(ReadGeneration(), 2U);
  EXPECT_EQ(Manifest().FindBeside(1)->purpose, BesideGeneration::kKept);
  EXPECT_EQ(cli::PromoteGeneration(folder_.path(), 2, kBegin).code(), StatusCode::kFailedPrecondition);
  // The next run goes on with what is read.
  {
    StatusOr<DataDirectory> directory = ForRun();
    const StatusOr<GenerationOfRun> run = directory->ResumeOrBeginGeneration(false);
    EXPECT_EQ(run->generation, 2U);
    EXPECT_EQ(run->attempt, 2U);
  }
  EXPECT_EQ(*cli::RollBack(folder_.path(), kBegin), 1U);
  EXPECT_EQ(ReadGeneration(), 1U);
  EXPECT_EQ(Manifest().running->generation, 1U);
  EXPECT_EQ(Manifest().FindBeside(2)->attempt, 2U);
  EXPECT_TRUE(Exists(1));
  EXPECT_TRUE(Exists(2));
  EXPECT_EQ(cli::PromoteGeneration(folder_.path(), 2, kBegin), OkStatus());
  EXPECT_EQ(ReadGeneration(), 2U);
}

TEST_F(GenerationsTest, ARunThatAReplayHasReplacedStaysBesideWhenItEnds) {
  BeginWithARun();
  StatusOr<DataDirectory> run = ForRun();
  ASSERT_TRUE(run->ResumeOrBeginGeneration(false).ok());
  ASSERT_TRUE(ReplayAndKill().ok());
  ASSERT_EQ(cli::PromoteGeneration(folder_.path(), 2, kBegin), OkStatus());
  ASSERT_EQ(run->NoteCheckpoint(kBegin), OkStatus());
  ASSERT_EQ(run->PromoteRunning(kBegin), OkStatus());
  EXPECT_EQ(ReadGeneration(), 2U);
  EXPECT_TRUE(Manifest().FindBeside(1)->is_resumable);
  ASSERT_EQ(run->FinishRunning(kBegin), OkStatus());
  EXPECT_EQ(ReadGeneration(), 2U);
  EXPECT_FALSE(Manifest().FindBeside(1)->is_resumable);
}

TEST_F(GenerationsTest, WhoRunsAGenerationIsNamedAndKeepsIt) {
  BeginWithARun();
  StatusOr<DataDirectory> replay = ForReplay();
  ASSERT_TRUE(replay->ResumeOrBeginReplay(false, {}, kBegin).ok());
  EXPECT_TRUE(cli::RunnerOf(folder_.path(), 2));
  EXPECT_FALSE(cli::RunnerOf(folder_.path(), 1));
  for (const bool is_fresh : {false, true}) {
    const Status second = ReplayAndKill(is_fresh).status();
    EXPECT_EQ(second.code(), StatusCode::kFailedPrecondition);
    EXPECT_THAT(second.message(), HasSubstr("generation-2 is held by `visits replay`"));
  }
  EXPECT_THAT(cli::DropGeneration(folder_.path(), Holder("generations"), 2).message(), HasSubstr("`visits replay`"));
  ASSERT_EQ(cli::PromoteGeneration(folder_.path(), 2, kBegin), OkStatus());
  StatusOr<DataDirectory> run = ForRun();
  EXPECT_THAT(run->ResumeOrBeginGeneration(false).status().message(), HasSubstr("`visits replay`"));
}

TEST_F(GenerationsTest, WhatIsReadIsNotDroppedAndWhatIsBesideIs) {
  BeginWithARun();
  ASSERT_TRUE(ReplayAndKill().ok());
  const DirectoryHolder holder = Holder("generations");
  EXPECT_EQ(cli::DropGeneration(folder_.path(), holder, 1).code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(cli::DropGeneration(folder_.path(), holder, 7).code(), StatusCode::kNotFound);
  EXPECT_TRUE(Exists(1));
  EXPECT_FALSE(Exists(7));
  ASSERT_EQ(cli::DropGeneration(folder_.path(), holder, 2), OkStatus());
  EXPECT_FALSE(Exists(2));
  EXPECT_EQ(ReplayAndKill()->generation, 2U);
}

TEST_F(GenerationsTest, AReplayOfAPartIsNeverPromoted) {
  BeginWithARun();
  const EventTimeRange range{.from = Timestamp::FromSeconds(0), .to = Timestamp::FromSeconds(60)};
  ASSERT_TRUE(ReplayAndKill(false, range).ok());
  const Status promoted = cli::PromoteGeneration(folder_.path(), 2, kBegin);
  EXPECT_EQ(promoted.code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(promoted.message(), HasSubstr("events from 1970-01-01T00:00:00Z to before 1970-01-01T00:01:00Z"));
  const Status other = ReplayAndKill().status();
  EXPECT_THAT(other.message(), HasSubstr("this one everything"));
  EXPECT_TRUE(ReplayAndKill(false, range).ok());
}

TEST_F(GenerationsTest, AFreshRunThatBuildsItsOwnResultsIsNotOvertaken) {
  BeginWithARun();
  StatusOr<DataDirectory> run = ForRun();
  ASSERT_EQ(run->ResumeOrBeginGeneration(true)->generation, 2U);
  ASSERT_EQ(ReplayAndKill()->generation, 3U);
  EXPECT_THAT(cli::PromoteGeneration(folder_.path(), 3, kBegin).message(), HasSubstr("building results of its own"));
}

// Readers resolve the pointer once: what they open is whole, whatever moves meanwhile.
TEST_F(GenerationsTest, ReadersSeeOneGenerationThroughAHundredPromotions) {
  BeginWithARun();
  ASSERT_TRUE(ReplayAndKill().ok());
  for (const std::uint64_t generation : {1, 2}) {
    std::ofstream(cli::GenerationFolder(folder_.path(), generation) + "/name") << generation;
  }
  std::atomic<bool> done{false};
  std::atomic<std::int64_t> reads{0};
  std::thread reader([&] {
    while (!done || reads < 10) {
      const StatusOr<DataDirectory> directory = DataDirectory::OpenForReading(folder_.path(), Holder("query"));
      ASSERT_TRUE(directory.ok()) << directory.status();
      std::string name;
      std::ifstream(directory->ReadFolder() + "/name") >> name;
      EXPECT_EQ(name, std::to_string(directory->generation()));
      ++reads;
    }
  });
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(cli::PromoteGeneration(folder_.path(), 2, kBegin), OkStatus());
    EXPECT_EQ(*cli::RollBack(folder_.path(), kBegin), 1U);
  }
  done = true;
  reader.join();
}

}  // namespace
}  // namespace millrace::results_test
