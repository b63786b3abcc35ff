// The source behind archive::Read, driven by hand: watermarks while files are unread, and restrictions that are resumed
// by copies of the source in between compactions.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "archive/parquet_record_file.h"
#include "base/test_settings.h"
#include "io/archive/archive_input.h"
#include "millrace/io/archive.h"
#include "topic_fixture.h"

namespace millrace {
namespace {

using namespace std::chrono_literals;

// Takes what a source emits; checkpoints the tracker after `budget` records.
class Sink final : public detail::SourceSink {
 public:
  void TakeBatch(detail::BatchBase& batch) override {
    for (std::size_t i = 0; i < batch.size(); ++i) records.push_back(*static_cast<const LogRecord*>(batch.ValueAt(i)));
    if (tracker != nullptr) tracker->Checkpoint();
  }
  void TakeBadRecord(BadRecord) override { ADD_FAILURE(); }

  std::vector<LogRecord> records;
  RestrictionTracker* tracker = nullptr;
};

class ArchiveSourceTest : public TopicFixture {
 protected:
  detail::ArchiveSource Source(const archive::ReadOptions& options) {
    detail::ArchiveSource source;
    source.options = options;
    source.input = std::make_shared<detail::ArchiveInput>(Store(), archive::ParquetFiles());
    source.log.options = {.folder = options.log_folder, .topic = "clicks", .max_disorder = options.max_disorder};
    source.log.watermarks = detail::MakeLogWatermarks();
    return source;
  }
};

// Seen after each batch of 512 records: files have 600.
TEST_F(ArchiveSourceTest, TheWatermarkIsTheLeastOfWhatIsUnread) {
  OpenLog(1);
  OpenArchiver(Duration(0), 600);
  base::Random random(base::TestSeed());
  SCOPED_TRACE("MILLRACE_TEST_SEED=" + std::to_string(base::TestSeed()));
  const std::int64_t firsts[] = {100, 400, 50, 700, 900};  // of each file
  for (const std::int64_t first : firsts) {
    for (int i = 0; i < 600; ++i) Append(0, first + random.Between(0, 99));
  }
  ASSERT_TRUE(archiver_->ArchiveClosed(true).ok());
  ASSERT_EQ(archiver_->manifest().ranges.size(), 5U);
  for (int i = 0; i < 100; ++i) Append(0, 950 + i);  // in the log
  archive::ReadOptions options = Options();
  options.max_disorder = 100s;
  detail::ArchiveSource source = Source(options);
  const auto parts = source.InitialRestrictions({.streaming = true});
  ASSERT_TRUE(parts.ok()) << parts.status();
  ASSERT_EQ(parts->size(), 1U);
  WatermarkEstimator estimator;
  Sink sink;
  SourceOutput<LogRecord> out(sink);
  Restriction rest = (*parts)[0];
  const std::int64_t live = archiver_->manifest().ranges[4].greatest_event_time->micros() / 1'000'000 - 100;
  while (sink.records.size() < 3100) {
    RestrictionTracker tracker(rest);
    sink.tracker = &tracker;
    ASSERT_TRUE(source.Read(tracker, estimator, out).ok());
    out.Flush();
    rest = tracker.Residual();
    const std::int64_t watermark = estimator.current().micros() / 1'000'000;
    std::int64_t unread = 1'000'000;
    for (auto at = expected_.lower_bound({0, rest.from}); at != expected_.end() && at->first.second < 3000; ++at) {
      unread = std::min(unread, at->second.second);
    }
    EXPECT_LE(watermark, unread) << rest.from;
    if (rest.from >= 3000) {
      EXPECT_GE(watermark, live);
    } else if (rest.from % 600 != 0) {  // inside of a file, the least of which is still to be waited for
      const std::size_t file = static_cast<std::size_t>(rest.from / 600);
      Timestamp least = Timestamp::Max();
      for (std::size_t i = file; i < 5; ++i) {
        least = std::min(least, *archiver_->manifest().ranges[i].least_event_time);
      }
      EXPECT_EQ(watermark, std::min(live, least.micros() / 1'000'000)) << rest.from;
    }
  }
  EXPECT_EQ(AsRecords(sink.records), expected_);
}

// Each part is read by another copy of the source, with its own manifest; in between files are merged and removed.
TEST_F(ArchiveSourceTest, RestrictionsAreResumedByOffset) {
  SCOPED_TRACE("MILLRACE_TEST_SEED=" + std::to_string(base::TestSeed()));
  base::Random random(base::TestSeed());
  OpenLog(1);
  OpenArchiver();
  detail::ArchiveSource kept = Source(Options());
  Sink sink;
  std::int64_t next = 0;
  const std::int64_t rounds = base::TestRounds(40, 400);
  for (std::int64_t round = 0; round < rounds; ++round) {
    AppendMany(random, 15, 1);
    if (random.Chance(0.1)) {
      ASSERT_TRUE(writer_->AdvanceWatermark(Timestamp::FromSeconds(1'000'000 + round)).ok());
    }
    Status status;
    if (random.Chance(0.5)) status = archiver_->ArchiveClosed(true).status();
    if (status.ok() && random.Chance(0.3)) status = archiver_->Compact().status();
    if (status.ok()) status = archiver_->RemoveSuperseded().status();
    if (status.ok() && random.Chance(0.5)) status = Retain();
    ASSERT_TRUE(status.ok()) << status;
    // One copy is kept over several rounds, so that its manifest becomes old; it has read the manifest before.
    if (random.Chance(0.7)) {
      kept = Source(Options());
      ASSERT_TRUE(kept.InitialRestrictions({.streaming = true}).ok());
    }
    RestrictionTracker tracker({.partition = "clicks/0", .from = next, .to = random.Between(next, writer_->End()[0])});
    WatermarkEstimator estimator;
    SourceOutput<LogRecord> out(sink);
    const auto read = kept.Read(tracker, estimator, out);
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_FALSE(read->resume());
    out.Flush();
    EXPECT_EQ(tracker.from(), tracker.to());
    next = tracker.to();
  }
  Records wanted;
  for (const auto& [place, record] : expected_) {
    if (place.second < next) wanted[place] = record;
  }
  EXPECT_EQ(AsRecords(sink.records), wanted);
}

}  // namespace
}  // namespace millrace
