// Finding by time, against the plain loop over all records.
#include "log/log_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/random.h"
#include "base/simulated_file_system.h"
#include "base/test_settings.h"
#include "log/log_samples.h"

namespace millrace::log {
namespace {

TEST(LogReaderTest, FindsTheFirstBatchWithATime) {
  base::Random random(base::TestSeed());
  for (std::int64_t round = 0; round < base::TestRounds(10, 200); ++round) {
    base::SimulatedFileSystem files({.seed = 1});
    base::ManualClock clock(Timestamp::FromSeconds(1'000));
    // Large records, so that a segment has entries in its index.
    const WriterOptions options{.partitions = 1, .segment_bytes = random.Between(1'000, 2'000'000), .clock = &clock};
    auto writer = *LogWriter::Open(files, "log", "t", options);
    std::int64_t second = 0;
    for (int i = 0; i < 60; ++i) {
      clock.Advance(std::chrono::milliseconds(random.Between(0, 2'000)));
      second += random.Between(-3, 5);
      ASSERT_TRUE(AppendAll(*writer, {{.key = "k",
                                       .data = std::string(random.Below(60'000), 'x'),
                                       .event_time = Timestamp::FromSeconds(second)}})
                      .ok());
    }
    const auto reader = *LogReader::Open(files, "log", "t");
    const auto records = *ReadPartition(*reader, 0);
    for (int i = 0; i < 20; ++i) {
      const Timestamp event_time = Timestamp::FromSeconds(random.Between(-20, second + 10));
      const Timestamp publish_time = Timestamp::FromMillis(random.Between(999'000, 1'060'000));
      std::int64_t by_event = 0;
      while (by_event < 60 && records[static_cast<std::size_t>(by_event)].event_time < event_time) ++by_event;
      std::int64_t by_publish = 0;
      while (by_publish < 60 && records[static_cast<std::size_t>(by_publish)].publish_time < publish_time) {
        ++by_publish;
      }
      ASSERT_EQ(*reader->OffsetOfEventTime(0, event_time), by_event);
      ASSERT_EQ(*reader->OffsetOfPublishTime(0, publish_time), by_publish);
    }
  }
}

TEST(LogReaderTest, SaysWhatIsNotThere) {
  base::SimulatedFileSystem files({.seed = 1});
  EXPECT_EQ(LogReader::Open(files, "log", "t").status().code(), StatusCode::kNotFound);
  EXPECT_TRUE(ListTopics(files, "log")->empty());
  ASSERT_TRUE(LogWriter::Open(files, "log", "t", {.partitions = 1}).ok());
  EXPECT_THAT(*ListTopics(files, "log"), ::testing::ElementsAre("t"));
  const auto reader = *LogReader::Open(files, "log", "t");
  EXPECT_EQ(reader->Range(1).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(*reader->OffsetOfEventTime(0, Timestamp()), 0);
  EXPECT_TRUE(ReadPartition(*reader, 0)->empty());
}

}  // namespace
}  // namespace millrace::log
