// Kills a process that archives, compacts and removes, at seeded moments; then the archive is sound, nothing is lost,
// nothing is there twice, and what a crash leaves is gone after the next start. The process is this program itself.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <set>
#include <string>
#include <thread>

#include "archive/parquet_record_file.h"
#include "archive/range_reader.h"
#include "archive/verify.h"
#include "base/test_settings.h"
#include "topic_fixture.h"

namespace millrace {
namespace {

constexpr const char* kFolderVariable = "MILLRACE_TEST_ARCHIVE_FOLDER";

archive::ArchiverOptions OptionsOf(const std::string& folder) {
  return {.log_folder = folder + "/log",
          .topic = "clicks",
          .store = archive::OpenFolderStore(folder + "/archive/clicks"),
          .file_limits = {.records_max = 40},
          .compaction = {.files_min = 2},
          .grace = Duration(0),
          .written_by = "a process to be killed"};
}

class ArchiveKillTest : public TopicFixture {
 protected:
  // Runs the disabled test below in a process of its own.
  pid_t StartChild() {
    const pid_t child = ::fork();
    if (child != 0) return child;
    ::setenv(kFolderVariable, folder_.c_str(), 1);
    ::execl("/proc/self/exe", "archive_read_test", "--gtest_filter=ArchiveKillChild.DISABLED_Archives",
            "--gtest_also_run_disabled_tests", "--gtest_brief=1", nullptr);
    ::_exit(127);
  }

  void KillAfter(pid_t child, Duration delay) {
    std::this_thread::sleep_for(delay);
    ::kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the child ended by itself with " << status;
  }

  void CheckArchive() {
    const auto report = archive::VerifyArchive(*Store(), archive::ParquetFiles());
    if (report.status().code() == StatusCode::kNotFound) return;  // killed before the first manifest
    ASSERT_TRUE(report.ok()) << report.status();
    for (const archive::ArchiveProblem& problem : report->problems) ADD_FAILURE() << problem.path << problem.problem;
    EXPECT_LE(report->unnamed.size(), 60U) << "what a crash leaves is bounded by a round and its compaction";
  }

  void CheckRecords(const archive::Manifest& manifest) {
    Records archived;
    for (const archive::ArchivedRange& range : manifest.ranges) {
      auto reader = archive::RangeReader::Open(*Store(), archive::ParquetFiles(), range, range.from, range.to);
      ASSERT_TRUE(reader.ok()) << reader.status();
      while (true) {
        const StatusOr<log::Found> found = reader->Next();
        ASSERT_TRUE(found.ok()) << found.status();
        if (*found == log::Found::kEnd) break;
        const LogRecord& record = reader->record();
        EXPECT_TRUE(
            archived.try_emplace({record.partition, record.offset}, record.data, record.event_time.micros() / 1'000'000)
                .second);
      }
    }
    EXPECT_EQ(archived, expected_);
  }
};

TEST(ArchiveKillChild, DISABLED_Archives) {
  const char* folder = std::getenv(kFolderVariable);
  if (folder == nullptr) return;
  auto archiver = archive::Archiver::Open(OptionsOf(folder));
  ASSERT_TRUE(archiver.ok()) << archiver.status();
  while (true) {
    ASSERT_TRUE((*archiver)->ArchiveClosed(true).ok());
    ASSERT_TRUE((*archiver)->Compact().ok());
    ASSERT_TRUE((*archiver)->RemoveSuperseded().ok());
  }
}

TEST_F(ArchiveKillTest, NothingIsLostAndNothingIsLeft) {
  SCOPED_TRACE("MILLRACE_TEST_SEED=" + std::to_string(base::TestSeed()));
  base::Random random(base::TestSeed());
  OpenLog(2);
  const std::int64_t kills = base::TestRounds(24, 300);
  for (std::int64_t i = 0; i < kills && !HasFatalFailure(); ++i) {
    const pid_t child = StartChild();
    ASSERT_GT(child, 0);
    clock_.Advance(std::chrono::hours(2));
    AppendMany(random, 100, 2);  // while the child archives
    KillAfter(child, std::chrono::microseconds(random.Between(0, 400'000)));
    if (i % 4 == 0) CheckArchive();
  }
  CheckArchive();
  auto archiver = archive::Archiver::Open(OptionsOf(folder_));
  ASSERT_TRUE(archiver.ok()) << archiver.status();
  ASSERT_TRUE((*archiver)->ArchiveClosed(true).ok());
  CheckRecords((*archiver)->manifest());
  const auto report = archive::VerifyArchive(*Store(), archive::ParquetFiles());
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->unnamed.empty());
  EXPECT_TRUE(std::filesystem::is_empty(folder_ + "/archive/clicks/staging"));
}

}  // namespace
}  // namespace millrace
