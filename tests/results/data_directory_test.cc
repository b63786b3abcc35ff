// The life of generations in a data directory: which one a run writes, which one is read, what a kill leaves.
#include "cli/data_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "visits.h"

namespace millrace::results_test {
namespace {

using cli::DataDirectory;
using cli::GenerationOfRun;
using ::testing::HasSubstr;

constexpr Timestamp kNow = Timestamp::FromSeconds(1'000'000'000);

class DataDirectoryTest : public ::testing::Test {
 protected:
  static cli::DirectoryHolder Holder(const std::string& verb) {
    return {.pid = 1, .program = "visits", .verb = verb, .since = kNow};
  }
  DataDirectory ForRun() const { return *DataDirectory::OpenForRun(folder_.path(), Holder("run"), "visits"); }
  StatusOr<DataDirectory> ForReading() const { return DataDirectory::OpenForReading(folder_.path(), Holder("query")); }
  // A run with checkpoints that is killed at once; what it had written is the file `mark`.
  GenerationOfRun RunAndKill(bool is_fresh = false, int checkpoints = 0) const {
    DataDirectory directory = ForRun();
    StatusOr<GenerationOfRun> run = directory.ResumeOrBeginGeneration(is_fresh);
    EXPECT_TRUE(run.ok()) << run.status();
    for (int i = 0; i < checkpoints; ++i) EXPECT_EQ(directory.NoteCheckpoint(kNow), OkStatus());
    std::ofstream(run->folder + "/mark") << run->attempt;
    return *run;
  }
  bool Exists(std::uint64_t generation) const {
    return std::filesystem::exists(folder_.path() + "/generation-" + std::to_string(generation));
  }
  void WriteManifest(const std::string& text) const { std::ofstream(folder_.path() + "/millrace.json") << text; }
  std::string ReadManifest() const {
    std::ostringstream text;
    text << std::ifstream(folder_.path() + "/millrace.json").rdbuf();
    return text.str();
  }

  const Folder folder_;
};

TEST_F(DataDirectoryTest, ARunIsResumedInItsGenerationAsTheNextAttempt) {
  const GenerationOfRun first = RunAndKill();
  EXPECT_EQ(first.generation, 1U);
  EXPECT_EQ(first.attempt, 1U);
  EXPECT_FALSE(first.is_resumed);
  for (std::uint64_t attempt = 2; attempt <= 4; ++attempt) {
    const GenerationOfRun next = RunAndKill();
    EXPECT_EQ(next.folder, first.folder);
    EXPECT_EQ(next.attempt, attempt);
    EXPECT_TRUE(next.is_resumed);
    EXPECT_TRUE(std::filesystem::exists(next.folder + "/mark"));
  }
}

TEST_F(DataDirectoryTest, TheFirstGenerationIsReadFromItsFirstCheckpointOn) {
  RunAndKill();
  const StatusOr<DataDirectory> none = ForReading();
  EXPECT_EQ(none.status().code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(none.status().message(), HasSubstr("before the first checkpoint; resume it"));
  RunAndKill(false, 1);
  const StatusOr<DataDirectory> some = ForReading();
  ASSERT_TRUE(some.ok()) << some.status();
  EXPECT_EQ(some->ReadFolder(), folder_.path() + "/generation-1");
  EXPECT_EQ(some->manifest().mode, "streaming");
}

TEST_F(DataDirectoryTest, ALaterGenerationIsReadOnceItsRunIsStoppedOrFinished) {
  {
    DataDirectory directory = ForRun();
    ASSERT_TRUE(directory.BeginGeneration(false).ok());
    ASSERT_EQ(directory.Promote("batch", kNow), OkStatus());
  }
  EXPECT_EQ(RunAndKill(false, 3).generation, 2U);
  EXPECT_EQ(ForReading()->manifest().generation, 1U);
  EXPECT_TRUE(Exists(1));
  {
    DataDirectory directory = ForRun();
    ASSERT_TRUE(directory.ResumeOrBeginGeneration(false).ok());
    ASSERT_EQ(directory.PromoteRunning(kNow), OkStatus());
  }
  EXPECT_EQ(ForReading()->manifest().generation, 2U);
  EXPECT_FALSE(Exists(1));
  {
    DataDirectory directory = ForRun();
    const StatusOr<GenerationOfRun> run = directory.ResumeOrBeginGeneration(false);
    EXPECT_EQ(run->generation, 2U);
    EXPECT_EQ(run->attempt, 3U);
    ASSERT_EQ(directory.FinishRunning(kNow), OkStatus());
  }
  EXPECT_EQ(RunAndKill().generation, 3U);
  EXPECT_EQ(ForReading()->manifest().generation, 2U);
}

TEST_F(DataDirectoryTest, FreshGivesUpTheUnfinishedGeneration) {
  RunAndKill();
  EXPECT_EQ(RunAndKill(true).generation, 2U);
  EXPECT_FALSE(Exists(1));
  // One that holds the results is there until the new one has any.
  RunAndKill(false, 1);
  const GenerationOfRun fresh = RunAndKill(true);
  EXPECT_EQ(fresh.generation, 3U);
  EXPECT_EQ(fresh.attempt, 1U);
  EXPECT_EQ(ForReading()->manifest().generation, 2U);
  const GenerationOfRun resumed = RunAndKill();
  EXPECT_EQ(resumed.generation, 3U);
  EXPECT_EQ(resumed.attempt, 2U);
  DataDirectory directory = ForRun();
  ASSERT_TRUE(directory.ResumeOrBeginGeneration(false).ok());
  ASSERT_EQ(directory.PromoteRunning(kNow), OkStatus());
  EXPECT_FALSE(Exists(2));
}

TEST_F(DataDirectoryTest, ABatchRunDoesNotTakeThePlaceOfAnUnfinishedRun) {
  RunAndKill(false, 1);
  {
    DataDirectory directory = ForRun();
    const StatusOr<std::string> refused = directory.BeginGeneration(false);
    EXPECT_EQ(refused.status().code(), StatusCode::kFailedPrecondition);
    EXPECT_THAT(refused.status().message(), HasSubstr("generation 1, attempt 1"));
    EXPECT_THAT(refused.status().message(), HasSubstr("--fresh"));
  }
  {
    DataDirectory directory = ForRun();
    EXPECT_EQ(*directory.BeginGeneration(true), folder_.path() + "/generation-2");
    directory.Abandon();
  }
  EXPECT_EQ(RunAndKill().attempt, 2U);
  {
    DataDirectory directory = ForRun();
    ASSERT_TRUE(directory.BeginGeneration(true).ok());
    ASSERT_EQ(directory.Promote("batch", kNow), OkStatus());
  }
  EXPECT_FALSE(Exists(1));
  EXPECT_EQ(ForReading()->manifest().generation, 2U);
  EXPECT_EQ(RunAndKill().generation, 3U);
}

TEST_F(DataDirectoryTest, AnEarlierFilesManifestIsReadAndWhatAKillLeftIsRemoved) {
  WriteManifest(
      R"({"format":1,"job_name":"visits","generation":7,"mode":"batch","written_at":"2001-01-01T00:00:00Z"})");
  for (const char* name : {"/generation-7", "/generation-8"}) std::filesystem::create_directory(folder_.path() + name);
  EXPECT_EQ(ForReading()->manifest().generation, 7U);
  const GenerationOfRun run = RunAndKill();  // its folder was made, its entry was not
  EXPECT_EQ(run.generation, 8U);
  EXPECT_EQ(run.attempt, 1U);
  EXPECT_THAT(ReadManifest(), HasSubstr(R"("running":{"generation":8,"attempt":1})"));
}

TEST_F(DataDirectoryTest, AGenerationThatIsGoneIsTold) {
  const GenerationOfRun run = RunAndKill();
  std::filesystem::remove_all(run.folder);
  DataDirectory directory = ForRun();
  const StatusOr<GenerationOfRun> gone = directory.ResumeOrBeginGeneration(false);
  EXPECT_THAT(gone.status().message(), HasSubstr("generation-1, which is to be resumed, is gone"));
  EXPECT_TRUE(directory.ResumeOrBeginGeneration(true).ok());
}

TEST_F(DataDirectoryTest, AGenerationBeginsFilledAndBehindAnother) {
  RunAndKill();
  {
    DataDirectory directory = ForRun();
    const auto failing = [](const std::string& folder) {
      std::ofstream(folder + "/half") << "half";
      return UnavailableError("the snapshot is gone");
    };
    const StatusOr<GenerationOfRun> failed = directory.ResumeOrBeginGeneration(true, {.after = 6, .fill = failing});
    EXPECT_EQ(failed.status(), UnavailableError("the snapshot is gone"));
  }
  EXPECT_FALSE(Exists(7));
  EXPECT_EQ(RunAndKill().attempt, 2U);  // what was there is still to be resumed
  const auto fill = [](const std::string& folder) {
    std::ofstream(folder + "/views") << "all";
    return OkStatus();
  };
  StatusOr<GenerationOfRun> begun = ForRun().ResumeOrBeginGeneration(true, {.after = 6, .fill = fill});
  ASSERT_TRUE(begun.ok()) << begun.status();
  EXPECT_EQ(begun->generation, 7U);
  EXPECT_EQ(begun->attempt, 1U);
  EXPECT_TRUE(std::filesystem::exists(begun->folder + "/views"));
  EXPECT_FALSE(Exists(1));
  EXPECT_EQ(RunAndKill().attempt, 2U);
  EXPECT_EQ(ForRun().ResumeOrBeginGeneration(true, {.after = 3, .fill = fill})->generation, 8U);
}

TEST_F(DataDirectoryTest, TheLogMayBeThereFirst) {
  std::filesystem::create_directories(folder_.path() + "/log/clicks");
  EXPECT_EQ(RunAndKill().generation, 1U);
}

}  // namespace
}  // namespace millrace::results_test
