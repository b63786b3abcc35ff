// Archiving, compacting and removing over a file system that crashes, against a model of what must be there.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "archive/compaction.h"
#include "archive/folder_store.h"
#include "archive/range_reader.h"
#include "archive/range_writer.h"
#include "archive/row_record_file.h"
#include "archive/session.h"
#include "archive/verify.h"
#include "base/clock.h"
#include "base/random.h"
#include "base/simulated_file_system.h"
#include "base/test_settings.h"

namespace millrace::archive {
namespace {

constexpr std::int32_t kPartitions = 2;
constexpr const char* kFolder = "data/archive/topic";
constexpr Duration kGrace = std::chrono::minutes(10);

// The log that is archived: what is at an offset follows from it. Every 7th is a control record; a day has 50 offsets.
bool IsControl(std::int64_t offset) { return offset % 7 == 6; }
Timestamp PublishedAt(std::int64_t offset) { return Timestamp::FromSeconds(1'700'000'000 + offset * 86'400 / 50); }
ArchivedControl ControlAt(std::int64_t offset) {
  return {.offset = offset, .publish_time = PublishedAt(offset), .time = Timestamp::FromSeconds(offset)};
}
void FillRecord(std::int32_t partition, std::int64_t offset, LogRecord* record) {
  record->partition = partition;
  record->offset = offset;
  record->publish_time = PublishedAt(offset);
  record->event_time = Timestamp::FromSeconds(offset * 31 % 17);
  record->key = "key" + std::to_string(offset % 5);
  record->attributes = {{"n", std::to_string(offset)}};
  record->data = std::string(static_cast<std::size_t>(offset % 40), 'd') + std::to_string(partition);
}

class Simulation {
 public:
  explicit Simulation(std::uint64_t seed)
      : random_(seed), files_({.seed = seed}), format_(files_), store_(std::make_shared<FolderStore>(files_, kFolder)) {
    clock_.SetNow(Timestamp::FromSeconds(1'800'000'000));
  }

  void Run() {
    const int crashes = static_cast<int>(random_.Between(1, 6));
    for (int i = 0; i < crashes && !::testing::Test::HasFailure(); ++i) {
      if (random_.Chance(0.7)) {
        files_.CrashAfter(random_.Below(120));
      } else {
        files_.KillAfter(random_.Below(120));
      }
      Work();
      files_.Restart();
      files_.SetFreeBytes(std::nullopt);
      is_broken_ = false;
      may_fail_ = false;
      store_ = std::make_shared<FolderStore>(files_, kFolder);  // another process
      CheckAfterStart();
    }
  }

 private:
  // What one process does until the crash.
  void Work() {
    auto session = Open();
    std::unique_ptr<ArchiveSession> rival;  // which has been taken over
    while (session != nullptr && !files_.crashed()) {
      clock_.Advance(std::chrono::minutes(random_.Between(0, 4)));
      if (random_.Chance(0.1)) Break();
      Step(*session, rival.get());
      if (random_.Chance(0.05)) rival = std::exchange(session, Open());
      if (is_broken_) Mend(session.get());
    }
  }

  void Step(ArchiveSession& session, ArchiveSession* rival) {
    switch (random_.Below(6)) {
      case 0: Compact(session); break;
      case 1: MayFail(session.RemoveSuperseded(kGrace).status()); break;
      case 2:
        if (rival != nullptr) Archive(*rival, false);
        break;
      default: Archive(session, true); break;
    }
  }

  // The device fails or is full for a while.
  void Break() {
    is_broken_ = true;
    if (random_.Chance(0.5)) {
      files_.SetFreeBytes(random_.Below(2000));
    } else {
      constexpr base::FileOperation kFailing[] = {base::FileOperation::kWrite, base::FileOperation::kSync,
                                                  base::FileOperation::kNames, base::FileOperation::kSyncFolder};
      files_.FailAt(kFailing[random_.Below(4)], 1 + random_.Below(20));
      may_fail_ = true;  // whenever its turn comes
    }
  }

  void Mend(ArchiveSession* session) {
    is_broken_ = false;
    files_.SetFreeBytes(std::nullopt);
    if (files_.crashed() || session == nullptr) return;
    Status recovered = session->Recover();
    if (may_fail_ && !recovered.ok()) recovered = session->Recover();  // the failure may have come only now
    MayFail(recovered);
    if (recovered.ok()) CheckCommitted(session->manifest());
  }

  void MayFail(const Status& status) {
    EXPECT_TRUE(status.ok() || files_.crashed() || is_broken_ || may_fail_) << status;
  }

  std::unique_ptr<ArchiveSession> Open() {
    auto session = ArchiveSession::Open({.store = store_,
                                         .files = &files_,
                                         .clock = &clock_,
                                         .topic = "topic",
                                         .partitions = kPartitions,
                                         .written_by = "a simulation",
                                         .extension = format_.extension()});
    if (!session.ok()) {
      MayFail(session.status());
      return nullptr;
    }
    CheckCommitted((*session)->manifest());
    CheckNoOrphans((*session)->manifest());
    return *std::move(session);
  }

  void Archive(ArchiveSession& session, bool is_owner) {
    const auto partition = static_cast<std::int32_t>(random_.Below(kPartitions));
    const std::int64_t from = session.manifest().Cut()[static_cast<std::size_t>(partition)];
    const std::int64_t to = from + random_.Between(1, 30);
    RangeWriter writer(session, files_, format_, {.records_max = 12}, partition, from);
    Status status;
    for (std::int64_t offset = from; offset < to && status.ok(); ++offset) {
      if (IsControl(offset)) {
        status = writer.AddControl(ControlAt(offset));
      } else {
        FillRecord(partition, offset, writer.Slot());
        status = writer.AddSlot();
      }
    }
    if (status.ok()) status = writer.Finish();
    if (status.ok()) {
      Manifest next = session.manifest();
      for (ArchivedRange& range : writer.TakeRanges()) next.Add(std::move(range));
      status = session.Commit(std::move(next));
    }
    if (is_owner) {
      MayFail(status);
    } else {
      EXPECT_FALSE(status.ok());
      EXPECT_TRUE(status.code() == StatusCode::kAborted || files_.crashed() || is_broken_ || may_fail_) << status;
    }
    if (status.ok()) committed_[partition] = std::max(committed_[partition], to);
  }

  void Compact(ArchiveSession& session) {
    const StatusOr<std::int64_t> replaced = CompactArchive(
        session, *store_, files_, format_, {.file_bytes_max = 3000, .file_records_max = 60, .files_min = 2});
    MayFail(replaced.status());
  }

  // Nothing that was committed is lost, and nothing is there that was not archived.
  void CheckCommitted(const Manifest& manifest) {
    for (std::int32_t partition = 0; partition < kPartitions; ++partition) {
      EXPECT_GE(manifest.Cut()[static_cast<std::size_t>(partition)], committed_[partition]);
      if (const auto bounds = manifest.BoundsOf(partition)) {
        EXPECT_EQ(bounds->first, 0);
        committed_[partition] = bounds->second;
      }
    }
  }

  void CheckNoOrphans(const Manifest& manifest) {
    std::set<std::string> named;
    for (const ArchivedRange& range : manifest.ranges) named.insert(range.path);
    for (const SupersededFile& file : manifest.superseded) named.insert(file.path);
    const StatusOr<std::vector<StoredObject>> objects = store_->List("");
    if (!objects.ok()) return;
    for (const StoredObject& object : *objects) EXPECT_TRUE(named.contains(object.name)) << object.name;
    const StatusOr<std::string> staging = store_->StagingFolder();
    if (!staging.ok()) return;
    EXPECT_TRUE(files_.List(*staging)->empty()) << "something is left in the staging folder";
  }

  void CheckAfterStart() {
    const auto session = Open();
    ASSERT_NE(session, nullptr);
    const StatusOr<ArchiveReport> report = VerifyArchive(*store_, format_);
    ASSERT_TRUE(report.ok()) << report.status();
    for (const ArchiveProblem& problem : report->problems) ADD_FAILURE() << problem.path << ": " << problem.problem;
    for (const ArchivedRange& range : session->manifest().ranges) CheckRange(range);
  }

  // Every offset of the range holds what was archived there.
  void CheckRange(const ArchivedRange& range) {
    StatusOr<RangeReader> reader = RangeReader::Open(*store_, format_, range, range.from, range.to);
    ASSERT_TRUE(reader.ok()) << reader.status();
    for (std::int64_t offset = range.from; offset < range.to; ++offset) {
      const StatusOr<log::Found> found = reader->Next();
      ASSERT_TRUE(found.ok()) << found.status();
      ASSERT_EQ(*found, IsControl(offset) ? log::Found::kControl : log::Found::kRecord) << offset;
      if (IsControl(offset)) {
        EXPECT_EQ(reader->control(), ControlAt(offset));
        continue;
      }
      LogRecord expected;
      FillRecord(range.partition, offset, &expected);
      const LogRecord& record = reader->record();
      EXPECT_EQ(record.offset, offset);
      EXPECT_EQ(record.key, expected.key);
      EXPECT_EQ(record.data, expected.data);
      EXPECT_EQ(record.attributes, expected.attributes);
      EXPECT_EQ(record.event_time, expected.event_time);
      EXPECT_EQ(record.publish_time, expected.publish_time);
    }
    EXPECT_EQ(*reader->Next(), log::Found::kEnd);
  }

  base::Random random_;
  base::SimulatedFileSystem files_;
  base::ManualClock clock_;
  RowRecordFormat format_;
  std::shared_ptr<FolderStore> store_;
  std::map<std::int32_t, std::int64_t> committed_;
  bool is_broken_ = false;
  bool may_fail_ = false;
};

TEST(SessionSimulation, CrashesLoseNothingAndLeaveNothing) {
  const std::int64_t rounds = base::TestRounds(150, 5'000);
  for (std::int64_t i = 0; i < rounds; ++i) {
    const std::uint64_t seed = base::TestSeed() * 1'000'003 + static_cast<std::uint64_t>(i);
    SCOPED_TRACE("seed " + std::to_string(seed));
    Simulation(seed).Run();
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace millrace::archive
