// archive::Read in pipelines: batch and streaming, cuts and times, exact beside an archiver, compactions and retention.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "base/test_settings.h"
#include "millrace/io/archive.h"
#include "millrace/millrace.h"
#include "millrace/testing/collect.h"
#include "topic_fixture.h"

namespace millrace {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;

class ArchiveReadTest : public TopicFixture {
 protected:
  Records ReadAll(const archive::ReadOptions& options, const RunOptions& run = {}) {
    Pipeline pipeline;
    auto seen = testing::Collect(pipeline | "Clicks" >> archive::Read(options));
    status_ = pipeline.Run(run).status;
    std::vector<LogRecord> records;
    for (const testing::Collected<LogRecord>& element : seen->elements) records.push_back(element.value);
    return AsRecords(records);
  }
  Status status_;
};

TEST_F(ArchiveReadTest, ReadsTheArchiveAndThenTheLog) {
  OpenLog(2);
  OpenArchiver();
  base::Random random(base::TestSeed());
  AppendMany(random, 100, 2);
  ASSERT_TRUE(archiver_->ArchiveClosed(true).ok());
  AppendMany(random, 50, 2);
  for (const int threads : {1, 3}) {
    EXPECT_EQ(ReadAll(Options(), {.threads = threads}), expected_);
    ASSERT_TRUE(status_.ok()) << status_;
  }
}

TEST_F(ArchiveReadTest, WithoutAnArchiveItReadsTheLog) {
  OpenLog(2);
  base::Random random(base::TestSeed());
  AppendMany(random, 20, 2);
  EXPECT_EQ(ReadAll(Options()), expected_);
  ASSERT_TRUE(status_.ok()) << status_;
}

TEST_F(ArchiveReadTest, WithoutALogItReadsTheArchive) {
  OpenLog(2);
  OpenArchiver();
  base::Random random(base::TestSeed());
  AppendMany(random, 50, 2);
  ASSERT_TRUE(writer_->AdvanceWatermark(Timestamp::FromSeconds(500)).ok());
  ASSERT_TRUE(archiver_->ArchiveClosed(true).ok());
  const Records archived = expected_;
  AppendMany(random, 20, 2);
  archive::ReadOptions options = Options();
  options.log_folder.clear();
  EXPECT_EQ(ReadAll(options), archived);
  ASSERT_TRUE(status_.ok()) << status_;
  options.to = {1000, 1000};
  ReadAll(options);
  EXPECT_EQ(status_.code(), StatusCode::kOutOfRange);
  EXPECT_THAT(status_.message(), HasSubstr("clicks/0: the archive ends at offset"));
}

// Any two cuts, in both modes, wherever the archive ends and whatever the log has removed.
TEST_F(ArchiveReadTest, ReadsExactlyBetweenCuts) {
  SCOPED_TRACE("MILLRACE_TEST_SEED=" + std::to_string(base::TestSeed()));
  OpenLog(2);
  OpenArchiver();
  base::Random random(base::TestSeed());
  for (int i = 0; i < 4; ++i) {
    AppendMany(random, 40, 2);
    ASSERT_TRUE(writer_->AdvanceWatermark(Timestamp::FromSeconds(1000 + i)).ok());
    if (i == 3) break;
    ASSERT_TRUE(archiver_->ArchiveClosed(true).ok());
  }
  ASSERT_TRUE(Retain().ok());
  EXPECT_GT(writer_->Start()[0], 0) << "the log has removed what is archived";
  const log::Cut end = writer_->End();
  const std::int64_t rounds = base::TestRounds(12, 200);
  for (std::int64_t round = 0; round < rounds; ++round) {
    archive::ReadOptions options = Options();
    Records between;
    for (std::size_t p = 0; p < 2; ++p) {
      options.from.push_back(random.Between(0, end[p]));
      options.to.push_back(random.Between(options.from[p], end[p]));
      for (const auto& [place, record] : expected_) {
        const bool is_between = place.second >= options.from[p] && place.second < options.to[p];
        if (static_cast<std::size_t>(place.first) == p && is_between) between[place] = record;
      }
    }
    const bool streaming = random.Chance(0.5);
    EXPECT_EQ(ReadAll(options, {.streaming = streaming, .threads = 2}), between) << (streaming ? "streaming" : "batch");
    ASSERT_TRUE(status_.ok()) << status_;
  }
}

TEST_F(ArchiveReadTest, ReadsFromATime) {
  OpenLog(2);
  OpenArchiver();
  base::Random random(base::TestSeed());
  AppendMany(random, 150, 2);
  ASSERT_TRUE(archiver_->ArchiveClosed(true).ok());
  AppendMany(random, 30, 2);
  for (const std::int64_t second : {0, 40, 100, 149, 160, 190, 1000}) {
    archive::ReadOptions options = Options();
    options.from_time = Timestamp::FromSeconds(second);
    Records since;
    for (const auto& [place, record] : expected_) {
      if (record.second >= second) since[place] = record;
    }
    EXPECT_EQ(ReadAll(options), since) << second;
    ASSERT_TRUE(status_.ok()) << status_;
  }
}

// A live run from the beginning, while records are appended, archived, merged with no grace at all, and removed.
TEST_F(ArchiveReadTest, LiveBesideAnArchiverAndRetention) {
  SCOPED_TRACE("MILLRACE_TEST_SEED=" + std::to_string(base::TestSeed()));
  OpenLog(3);
  OpenArchiver();
  base::Random random(base::TestSeed());
  AppendMany(random, 200, 3);
  ASSERT_TRUE(archiver_->ArchiveClosed(true).ok());
  std::thread producer([&] {
    const std::int64_t rounds = base::TestRounds(12, 150);
    for (std::int64_t i = 0; i < rounds; ++i) {
      AppendMany(random, 20, 3);
      Status status;
      if (random.Chance(0.6)) status = archiver_->ArchiveClosed(random.Chance(0.5)).status();
      if (status.ok() && random.Chance(0.4)) status = archiver_->Compact().status();
      if (status.ok()) status = archiver_->RemoveSuperseded().status();
      if (status.ok()) status = Retain();
      EXPECT_TRUE(status.ok()) << status;
    }
    EXPECT_TRUE(writer_->AdvanceWatermark(Timestamp::Max()).ok());
  });
  archive::ReadOptions options = Options();
  options.until_closed = true;
  options.max_disorder = 30s;
  const Records read = ReadAll(options, {.streaming = true, .threads = 2, .bundle_elements = 64});
  producer.join();
  ASSERT_TRUE(status_.ok()) << status_;
  EXPECT_EQ(read, expected_);
}

// Windows fire while the archive is read, and nothing of it is late.
TEST_F(ArchiveReadTest, NothingInTheArchiveIsLate) {
  OpenLog(1);
  OpenArchiver();
  for (int i = 0; i < 120; ++i) Append(0, (i * 7919) % 120);  // in no order at all
  ASSERT_TRUE(archiver_->ArchiveClosed(true).ok());
  ASSERT_TRUE(writer_->AdvanceWatermark(Timestamp::Max()).ok());
  Pipeline pipeline;
  archive::ReadOptions options = Options();
  options.until_closed = true;
  options.max_disorder = 1s;
  auto counts =
      testing::Collect(pipeline | "Clicks" >> archive::Read(options) |
                       "Data" >> Map([](const LogRecord& record) { return record.data.size(); }) |
                       "Windows" >> WindowInto(FixedWindows{10s}) | "Ones" >> Map([](std::size_t) { return 1; }) |
                       "Keys" >> WithKeys([](int) { return std::string("all"); }) | "Count" >> CombinePerKey(Count{}));
  const PipelineResult result = pipeline.Run({.streaming = true});
  ASSERT_TRUE(result.status.ok()) << result.status;
  std::int64_t total = 0;
  for (const auto& count : counts->elements) total += count.value.value;
  EXPECT_EQ(total, 120);
}

TEST_F(ArchiveReadTest, AMissingFileIsNamed) {
  OpenLog(1);
  OpenArchiver();
  for (int i = 0; i < 100; ++i) Append(0, i);
  ASSERT_TRUE(archiver_->ArchiveClosed(true).ok());
  const std::string path = archiver_->manifest().ranges.at(2).path;
  std::filesystem::remove(folder_ + "/archive/clicks/" + path);
  ReadAll(Options());
  EXPECT_EQ(status_.code(), StatusCode::kDataLoss) << status_;
  EXPECT_THAT(status_.message(), HasSubstr(path));
}

TEST_F(ArchiveReadTest, WhatIsNeitherArchivedNorInTheLogIsSaid) {
  OpenLog(1);
  OpenArchiver();
  for (int i = 0; i < 100; ++i) Append(0, i);
  ASSERT_TRUE(archiver_->ArchiveClosed(true).ok());
  ASSERT_TRUE(Retain().ok());
  std::filesystem::remove_all(folder_ + "/archive");
  archive::ReadOptions options = Options();
  options.from = {0};
  ReadAll(options);
  EXPECT_EQ(status_.code(), StatusCode::kOutOfRange) << status_;
  EXPECT_THAT(status_.message(), HasSubstr("clicks/0: offset 0 is asked for"));
}

TEST_F(ArchiveReadTest, MistakesAreSaid) {
  archive::ReadOptions options = Options();
  ReadAll(options);
  EXPECT_EQ(status_.code(), StatusCode::kNotFound) << status_;
  OpenLog(2);
  options.from = {0};
  ReadAll(options);
  EXPECT_EQ(status_.code(), StatusCode::kInvalidArgument) << status_;
}

}  // namespace
}  // namespace millrace
