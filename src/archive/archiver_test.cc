// The archiver on the real log, with real files: what DuckDB reads of them is what was appended.
#include "archive/archiver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "archive/parquet_record_file.h"
#include "archive/range_reader.h"
#include "archive/verify.h"
#include "base/random.h"
#include "base/test_settings.h"
#include "columnar/database.h"
#include "log/holds.h"
#include "log/log_writer.h"

namespace millrace::archive {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;

class ArchiverTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = (std::filesystem::path(::testing::TempDir()) /
               ("archiver_" + std::to_string(::getpid()) + "_" +
                ::testing::UnitTest::GetInstance()->current_test_info()->name()))
                  .string();
    std::filesystem::remove_all(folder_);
    clock_.SetNow(*Timestamp::Parse("2026-11-26T10:00:00Z"));
  }
  void TearDown() override {
    writer_.reset();
    std::filesystem::remove_all(folder_);
  }

  void OpenLog(std::int32_t partitions, std::int64_t segment_bytes = 64 << 20) {
    auto writer = log::LogWriter::Open(
        files_, folder_ + "/log", "clicks",
        {.partitions = partitions, .sync = log::SyncPolicy::kOs, .segment_bytes = segment_bytes, .clock = &clock_});
    ASSERT_TRUE(writer.ok()) << writer.status();
    writer_ = *std::move(writer);
  }

  LogRecord Append(std::int32_t partition, Timestamp event_time, const std::string& key, const std::string& data,
                   const std::map<std::string, std::string>& attributes = {}) {
    const log::AppendRecord record{
        .event_time = event_time, .key = key, .data = data, .attributes = &attributes, .partition = partition};
    const auto appended = writer_->Append({&record, 1});
    EXPECT_TRUE(appended.ok()) << appended.status();
    return {.partition = partition,
            .offset = (*appended)[0].offset,
            .publish_time = clock_.Now(),
            .event_time = event_time,
            .key = key,
            .attributes = attributes,
            .data = data};
  }

  std::unique_ptr<Archiver> Open(ArchiverOptions options = {}) {
    options.log_folder = folder_ + "/log";
    options.topic = "clicks";
    if (options.store == nullptr) options.store = Store();
    options.clock = &clock_;
    options.written_by = "a test";
    auto archiver = Archiver::Open(options);
    EXPECT_TRUE(archiver.ok()) << archiver.status();
    return archiver.ok() ? *std::move(archiver) : nullptr;
  }
  std::shared_ptr<ArchiveStore> Store() { return OpenFolderStore(folder_ + "/archive/clicks"); }

  std::string Sql(const std::string& sql) {
    auto database = columnar::Database::Open({});
    auto connection = database->Connect();
    auto result = connection->Query(sql);
    if (!result.ok()) return result.status().ToString();
    std::string text;
    while (*result->Next()) {
      for (std::size_t row = 0; row < result->rows(); ++row) {
        for (std::size_t column = 0; column < result->columns().size(); ++column) {
          text += (column == 0 ? "" : "|") + result->Text(column, row).value_or("NULL");
        }
        text += "\n";
      }
    }
    return text;
  }
  std::string ArchiveSql() const {
    return "read_parquet('" + folder_ + "/archive/clicks/*/*.parquet', hive_partitioning = true)";
  }

  std::vector<ArchiveProblem> Problems() {
    auto report = VerifyArchive(*Store(), ParquetFiles());
    EXPECT_TRUE(report.ok()) << report.status();
    return report.ok() ? report->problems : std::vector<ArchiveProblem>{};
  }

  std::string folder_;
  base::FileSystem& files_ = base::PosixFileSystem();
  base::ManualClock clock_;
  std::unique_ptr<log::LogWriter> writer_;
};

TEST_F(ArchiverTest, DuckDbReadsTheFilesAsTheyAre) {
  OpenLog(2);
  Append(0, Timestamp::FromSeconds(1), "a", "one", {{"colour", "blue"}, {"id", "7"}});
  Append(1, Timestamp::FromSeconds(2), "", std::string("\x00\xff\x01", 3));
  clock_.Advance(24h);
  Append(0, Timestamp::Max(), "ключ", "", {{"", "empty name"}});
  Append(0, Timestamp::Min(), "a\"b", "four");
  const auto archiver = Open();
  const StatusOr<ArchiveRound> round = archiver->ArchiveClosed(true);
  ASSERT_TRUE(round.ok()) << round.status();
  EXPECT_EQ(round->records, 4);
  EXPECT_EQ(round->files, 3) << "two days of partition 0, one of partition 1";
  EXPECT_EQ(Sql("DESCRIBE SELECT * FROM " + ArchiveSql()),
            "partition|INTEGER|YES|NULL|NULL|NULL\noffset|BIGINT|YES|NULL|NULL|NULL\n"
            "publish_time|TIMESTAMP|YES|NULL|NULL|NULL\nevent_time|TIMESTAMP|YES|NULL|NULL|NULL\n"
            "key|VARCHAR|YES|NULL|NULL|NULL\nattributes|MAP(VARCHAR, VARCHAR)|YES|NULL|NULL|NULL\n"
            "data|BLOB|YES|NULL|NULL|NULL\nraw|BLOB|YES|NULL|NULL|NULL\nday|DATE|YES|NULL|NULL|NULL\n");
  EXPECT_EQ(Sql("SELECT * FROM " + ArchiveSql() + R"( ORDER BY partition, "offset")"),
            "0|0|2026-11-26 10:00:00|1970-01-01 00:00:01|a|{colour=blue, id=7}|one|NULL|2026-11-26\n"
            "0|1|2026-11-27 10:00:00|infinity|ключ|{=empty name}||NULL|2026-11-27\n"
            "0|2|2026-11-27 10:00:00|-infinity|a\"b|{}|four|NULL|2026-11-27\n"
            "1|0|2026-11-26 10:00:00|1970-01-01 00:00:02||{}|\\x00\\xFF\\x01|NULL|2026-11-26\n");
  EXPECT_TRUE(Problems().empty());
  EXPECT_EQ(archiver->manifest().Cut(), (std::vector<std::int64_t>{3, 1}));
}

// Every record of a random log, with bytes that are no text, and the control records, in any number of rounds.
TEST_F(ArchiverTest, NothingIsLostInManyRounds) {
  OpenLog(3, 20'000);
  base::Random random(base::TestSeed());
  SCOPED_TRACE("MILLRACE_TEST_SEED=" + std::to_string(base::TestSeed()));
  std::map<std::pair<std::int32_t, std::int64_t>, LogRecord> appended;
  std::int64_t controls = 0;
  auto archiver = Open({.file_limits = {.records_max = 200},
                        .compaction = {.file_bytes_max = 30'000, .file_records_max = 1000, .files_min = 2},
                        .grace = 1h});
  const std::int64_t rounds = base::TestRounds(250, 3000);
  for (std::int64_t i = 0; i < rounds; ++i) {
    clock_.Advance(std::chrono::minutes(random.Between(0, 20)));
    std::string key(random.Below(4), static_cast<char>(random.Below(256)));
    LogRecord record = Append(static_cast<std::int32_t>(random.Below(3)), Timestamp::FromSeconds(random.Between(0, 99)),
                              key, std::string(random.Below(100), static_cast<char>(random.Below(256))),
                              {{"n", std::string(random.Below(3), static_cast<char>(random.Below(256)))}});
    appended[{record.partition, record.offset}] = record;
    if (random.Chance(0.02)) {
      ASSERT_TRUE(writer_->AdvanceWatermark(Timestamp::FromSeconds(1000 + i)).ok());
      ++controls;
    }
    Status status;
    if (random.Chance(0.02)) status = archiver->ArchiveClosed(random.Chance(0.3)).status();
    if (status.ok() && random.Chance(0.01)) status = archiver->Compact().status();
    if (status.ok() && random.Chance(0.01)) status = archiver->RemoveSuperseded().status();
    ASSERT_TRUE(status.ok()) << status;
    if (random.Chance(0.005)) archiver = Open({.file_limits = {.records_max = 100}});
  }
  ASSERT_TRUE(archiver->ArchiveClosed(true).ok());
  for (const ArchiveProblem& problem : Problems()) ADD_FAILURE() << problem.path << ": " << problem.problem;
  std::int64_t archived_controls = 0;
  for (const ArchivedRange& range : archiver->manifest().ranges) {
    auto reader = RangeReader::Open(*Store(), ParquetFiles(), range, range.from, range.to);
    ASSERT_TRUE(reader.ok()) << reader.status();
    for (std::int64_t offset = range.from; offset < range.to; ++offset) {
      const StatusOr<log::Found> found = reader->Next();
      ASSERT_TRUE(found.ok()) << found.status();
      if (*found == log::Found::kControl) {
        ++archived_controls;
        continue;
      }
      const LogRecord& record = reader->record();
      const auto expected = appended.extract({range.partition, offset});
      ASSERT_FALSE(expected.empty()) << range.partition << "/" << offset;
      EXPECT_EQ(record.key, expected.mapped().key);
      EXPECT_EQ(record.data, expected.mapped().data);
      EXPECT_EQ(record.attributes, expected.mapped().attributes);
      EXPECT_EQ(record.event_time, expected.mapped().event_time);
      EXPECT_EQ(record.publish_time, expected.mapped().publish_time);
    }
  }
  EXPECT_TRUE(appended.empty());
  EXPECT_EQ(archived_controls, controls * 3);
}

TEST_F(ArchiverTest, OnlyWhatIsClosedIsArchived) {
  OpenLog(1, 4096);
  for (int i = 0; i < 100; ++i) Append(0, Timestamp::FromSeconds(i), "k", std::string(100, 'x'));
  const auto archiver = Open({.archive_after = 10min});
  ASSERT_TRUE(archiver->ArchiveClosed().ok());
  const std::int64_t closed = archiver->manifest().Cut()[0];
  EXPECT_GT(closed, 50) << "closed segments";
  EXPECT_LT(closed, 100) << "the segment that is written to";
  clock_.Advance(5min);
  Append(0, Timestamp::FromSeconds(100), "k", "young");
  ASSERT_TRUE(archiver->ArchiveClosed().ok());
  EXPECT_EQ(archiver->manifest().Cut()[0], closed);
  clock_.Advance(6min);
  ASSERT_TRUE(archiver->ArchiveClosed().ok());
  EXPECT_EQ(archiver->manifest().Cut()[0], 100) << "what is 11 minutes old";
  ASSERT_TRUE(writer_->AdvanceWatermark(Timestamp::Max()).ok());
  ASSERT_TRUE(archiver->ArchiveClosed().ok());
  EXPECT_EQ(archiver->manifest().Cut()[0], 102) << "a closed topic is archived to its end";
  EXPECT_EQ(archiver->ArchiveClosed()->records, 0);
}

TEST_F(ArchiverTest, TheHoldFollowsTheArchive) {
  OpenLog(1);
  for (int i = 0; i < 10; ++i) Append(0, Timestamp::FromSeconds(i), "k", "x");
  const auto archiver = Open();
  EXPECT_EQ(log::ListHolds(files_, folder_ + "/log", "clicks")->at(0).next_offsets, (log::Cut{0}));
  ASSERT_TRUE(archiver->ArchiveClosed(true).ok());
  const auto holds = log::ListHolds(files_, folder_ + "/log", "clicks");
  ASSERT_EQ(holds->size(), 1U);
  EXPECT_EQ(holds->at(0).name, "archive");
  EXPECT_EQ(holds->at(0).next_offsets, (log::Cut{10}));
}

TEST_F(ArchiverTest, OfTwoArchiversTheLaterOneWins) {
  OpenLog(1);
  Append(0, Timestamp::FromSeconds(1), "k", "x");
  const auto first = Open();
  ASSERT_TRUE(first->ArchiveClosed(true).ok());
  Append(0, Timestamp::FromSeconds(2), "k", "y");
  const auto second = Open();
  const Status refused = first->ArchiveClosed(true).status();
  EXPECT_EQ(refused.code(), StatusCode::kAborted);
  EXPECT_THAT(refused.message(), HasSubstr("a test has taken it over"));
  EXPECT_EQ(first->ArchiveClosed(true).status().code(), StatusCode::kAborted) << "for good";
  ASSERT_TRUE(second->ArchiveClosed(true).ok());
  EXPECT_EQ(Sql("SELECT count(*), count(DISTINCT \"offset\") FROM " + ArchiveSql()), "2|2\n");
  EXPECT_TRUE(Problems().empty());
}

TEST_F(ArchiverTest, CompactionMergesTheFilesOfADay) {
  OpenLog(1);
  auto archiver = Open({.compaction = {.files_min = 2}, .grace = 1h});
  for (int i = 0; i < 15; ++i) {
    clock_.Advance(4h);
    Append(0, Timestamp::FromSeconds(i), "k", "x");
    ASSERT_TRUE(archiver->ArchiveClosed(true).ok());
  }
  const std::string before = Sql("SELECT * FROM " + ArchiveSql() + R"( ORDER BY "offset")");
  EXPECT_EQ(archiver->manifest().ranges.size(), 15U);
  EXPECT_EQ(archiver->Compact().value_or(0), 15);
  EXPECT_EQ(archiver->manifest().ranges.size(), 3U) << "three days";
  EXPECT_EQ(archiver->manifest().superseded.size(), 15U);
  EXPECT_EQ(archiver->RemoveSuperseded().value_or(-1), 0) << "within the grace";
  EXPECT_EQ(Sql("SELECT count(*) FROM " + ArchiveSql()), "30\n");
  clock_.Advance(61min);
  EXPECT_EQ(archiver->RemoveSuperseded().value_or(-1), 15);
  EXPECT_EQ(Sql("SELECT * FROM " + ArchiveSql() + R"( ORDER BY "offset")"), before);
  EXPECT_TRUE(Problems().empty());
  EXPECT_EQ(archiver->Compact().value_or(-1), 0);
}

TEST_F(ArchiverTest, VerifyNamesTheDamagedFile) {
  OpenLog(1);
  for (int i = 0; i < 50; ++i) Append(0, Timestamp::FromSeconds(i), "k", "some data");
  const auto archiver = Open({.file_limits = {.records_max = 25}});
  ASSERT_TRUE(archiver->ArchiveClosed(true).ok());
  const ArchivedRange range = archiver->manifest().ranges.at(1);
  const std::string path = folder_ + "/archive/clicks/" + range.path;
  std::ifstream file(path);
  const std::string content((std::istreambuf_iterator<char>(file)), {});
  base::Random random(base::TestSeed());
  for (int i = 0; i < 30; ++i) {
    std::string damaged = content;
    if (i % 3 == 0) {
      damaged.resize(random.Below(content.size()));
    } else {
      damaged[random.Below(content.size())] ^= static_cast<char>(1 << random.Below(8));
    }
    std::ofstream(path, std::ios::trunc) << damaged;
    const std::vector<ArchiveProblem> problems = Problems();
    ASSERT_EQ(problems.size(), 1U) << "MILLRACE_TEST_SEED=" << base::TestSeed() << " round " << i;
    EXPECT_EQ(problems[0].path, range.path);
    EXPECT_EQ(problems[0].partition, 0);
    EXPECT_GE(problems[0].offset, 25);
  }
  std::filesystem::remove(path);
  ASSERT_EQ(Problems().size(), 1U);
  EXPECT_THAT(Problems()[0].problem, HasSubstr("No such file"));
}

TEST_F(ArchiverTest, AFailedRoundLeavesNothing) {
  OpenLog(1);
  for (int i = 0; i < 100; ++i) Append(0, Timestamp::FromSeconds(i), "k", "some data");
  const auto archiver = Open();
  // A file in the place of the day's folder: the archive's file cannot be given its name.
  std::filesystem::create_directories(folder_ + "/archive/clicks");
  std::ofstream(folder_ + "/archive/clicks/day=2026-11-26") << "in the way";
  const Status refused = archiver->ArchiveClosed(true).status();
  EXPECT_FALSE(refused.ok());
  std::filesystem::remove(folder_ + "/archive/clicks/day=2026-11-26");
  const StatusOr<ArchiveRound> round = archiver->ArchiveClosed(true);
  ASSERT_TRUE(round.ok()) << round.status();
  EXPECT_EQ(round->records, 100);
  EXPECT_TRUE(Problems().empty());
  EXPECT_TRUE(std::filesystem::is_empty(folder_ + "/archive/clicks/staging"));
}

TEST_F(ArchiverTest, AnArchiveOfAnotherTopicIsRefused) {
  OpenLog(1);
  ASSERT_NE(Open(), nullptr);
  const auto other = ArchiveSession::Open({.store = Store(),
                                           .files = &files_,
                                           .clock = &clock_,
                                           .topic = "clicks",
                                           .partitions = 2,
                                           .written_by = "a test"});
  EXPECT_EQ(other.status().code(), StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace millrace::archive
