#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "millrace/core/json.h"
#include "millrace/runner/status.h"

namespace millrace {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;

const Timestamp kStart = Timestamp::FromSeconds(1'000'000);

// Read -> Parse -> Count -> View, over a topic of three partitions.
RunStatus Sample() {
  const Timestamp behind = Timestamp::FromSeconds(100);
  const Timestamp ahead = Timestamp::FromSeconds(200);
  RunStatus status{.job = "flights", .mode = "streaming", .state = "running", .started_at = kStart, .now = kStart};
  SourceStatus source{.label = "Flights", .watermark = behind};
  source.partitions.push_back({.partition = "flights/0", .position = 8, .end = 10, .watermark = ahead});
  source.partitions.push_back({.partition = "flights/1", .position = 4, .watermark = Timestamp::Min(), .idle = true});
  source.partitions.push_back({.partition = "flights/2",
                               .position = 18,
                               .end = 18,
                               .watermark = behind,
                               .last_position = 17,
                               .last_event_time = Timestamp::FromSeconds(160),
                               .last_read_at = kStart - std::chrono::milliseconds(2150)});
  status.sources.push_back(source);
  const auto step = [&](const char* label, const char* kind, std::vector<std::string> inputs) {
    status.steps.push_back({.label = label,
                            .kind = kind,
                            .inputs = std::move(inputs),
                            .input_watermark = behind,
                            .output_watermark = behind,
                            .state_bytes = 10});
  };
  step("Flights", "Read", {});
  step("Parse", "ParDo", {"Flights"});
  step("Count", "CombinePerKey", {"Parse"});
  step("Counts", "View", {"Count"});
  return status;
}

TEST(HoldsOf, GoesFromTheStepToTheLastRecordOfTheSlowestPartition) {
  const RunStatus status = Sample();
  const std::vector<HoldStatus> holds = HoldsOf(status, "Counts");
  EXPECT_THAT(holds, ElementsAre(Field(&HoldStatus::name, "Counts"), Field(&HoldStatus::name, "Count"),
                                 Field(&HoldStatus::name, "Parse"), Field(&HoldStatus::name, "Flights"),
                                 Field(&HoldStatus::name, "flights/2"), Field(&HoldStatus::name, "offset 17")));
  EXPECT_EQ(
      HoldsText(holds),
      "Counts <- Count <- Parse <- Flights <- flights/2 (the least of 3 partitions, read to the end) <- last record "
      "offset 17 at 1970-01-01T00:02:40Z (read 2s ago)");
}

TEST(HoldsOf, EndsAtTheStepThatHoldsTheWatermarkItself) {
  RunStatus status = Sample();
  status.steps[1].input_watermark = Timestamp::FromSeconds(150);
  status.steps[1].held_by = "timer gc";
  EXPECT_EQ(HoldsText(HoldsOf(status, "Counts")), "Counts <- Count <- Parse (by its timer gc)");
}

TEST(HoldsOf, ChoosesTheSlowestInput) {
  RunStatus status = Sample();
  status.steps.push_back({.label = "Other", .kind = "ParDo", .output_watermark = Timestamp::FromSeconds(50)});
  status.steps.push_back({.label = "Both",
                          .kind = "Flatten",
                          .inputs = {"Parse", "Other", "Unknown"},
                          .input_watermark = Timestamp::FromSeconds(50),
                          .output_watermark = Timestamp::FromSeconds(50)});
  EXPECT_EQ(HoldsText(HoldsOf(status, "Both")), "Both <- Other");
  EXPECT_TRUE(HoldsOf(status, "Unknown").empty());
}

TEST(HoldsOf, TellsOfPartitionsThatAreIdleUnreadOrDone) {
  RunStatus status = Sample();
  for (PartitionStatus& partition : status.sources[0].partitions) partition.idle = true;
  EXPECT_THAT(HoldsText(HoldsOf(status, "Flights")),
              HasSubstr("flights/1 (all partitions are idle, nothing has been read)"));
  for (PartitionStatus& partition : status.sources[0].partitions) partition.done = true;
  EXPECT_EQ(HoldsText(HoldsOf(status, "Flights")), "Flights (read to its end)");
  status.sources[0].partitions.clear();
  EXPECT_EQ(HoldsText(HoldsOf(status, "Flights")), "Flights (its partitions are not known yet)");
}

TEST(HoldsOf, EndsInACycle) {
  RunStatus status = Sample();
  status.steps[0].inputs = {"Counts"};
  status.sources.clear();
  EXPECT_EQ(HoldsOf(status, "Counts").size(), 4U);
}

TEST(StatusBoard, IsEmptyBeforeTheFirstPublish) { EXPECT_FALSE(StatusBoard().Read(kStart)); }

TEST(StatusBoard, DerivesWatermarkHoldsLagsAndState) {
  StatusBoard board;
  RunStatus facts = Sample();
  facts.checkpoint.at = kStart - seconds(5);
  board.Publish(facts);
  const RunStatus status = *board.Read(kStart + seconds(1));
  EXPECT_EQ(status.watermark, Timestamp::FromSeconds(100));
  EXPECT_EQ(status.holds.front().name, "Counts");
  EXPECT_EQ(status.holds.back().name, "offset 17");
  EXPECT_EQ(status.sources[0].partitions[0].lag, 2);
  EXPECT_EQ(status.sources[0].partitions[1].lag, std::nullopt);
  EXPECT_EQ(status.sources[0].partitions[2].lag, 0);
  EXPECT_EQ(status.state_bytes, 40U);
  EXPECT_EQ(status.age, Duration(seconds(1)));
  EXPECT_EQ(status.checkpoint.age, Duration(seconds(6)));
  EXPECT_EQ(json::Parse<RunStatus>(json::Write(status))->holds.size(), status.holds.size());
}

TEST(StatusBoard, AddsWhatOthersKnow) {
  StatusBoard board;
  board.Publish(Sample());
  const int added = board.Add([](RunStatus& status) { status.sources[0].partitions[1].end = 9; });
  EXPECT_EQ(board.Read(kStart)->sources[0].partitions[1].lag, 5);
  board.Remove(added);
  EXPECT_EQ(board.Read(kStart)->sources[0].partitions[1].lag, std::nullopt);
}

// 100 a second for two minutes, then 10 a second.
TEST(StatusBoard, ComputesRatesOverTheirSpans) {
  StatusBoard board;
  RunStatus facts = Sample();
  const auto run = [&](int span_s, std::int64_t per_s) {
    for (int i = 0; i < span_s * 5; ++i) {
      facts.now += std::chrono::milliseconds(200);
      facts.elements_read += per_s / 5;
      facts.sources[0].elements_read = facts.elements_read;
      facts.steps[1].elements_out = facts.elements_read * 2;
      board.Publish(facts);
    }
  };
  EXPECT_EQ((board.Publish(facts), board.Read(kStart)->rate.over_10s), 0);
  run(4, 100);
  EXPECT_DOUBLE_EQ(board.Read(facts.now)->rate.over_10s, 100);
  EXPECT_DOUBLE_EQ(board.Read(facts.now)->rate.over_60s, 100);
  run(116, 100);
  run(30, 10);
  const RunStatus status = *board.Read(facts.now);
  EXPECT_DOUBLE_EQ(status.rate.over_10s, 10);
  EXPECT_DOUBLE_EQ(status.rate.over_60s, 55);
  EXPECT_DOUBLE_EQ(status.sources[0].rate.over_60s, 55);
  EXPECT_DOUBLE_EQ(status.steps[1].rate.over_10s, 20);
  EXPECT_DOUBLE_EQ(status.steps[0].rate.over_10s, 0);

  RunStatus next = Sample();  // another run on the same board
  next.started_at = next.now = facts.now + minutes(1);
  next.now += seconds(2);
  next.elements_read = 14;
  board.Publish(next);
  EXPECT_DOUBLE_EQ(board.Read(next.now)->rate.over_60s, 7);
}

TEST(StatusBoard, IsReadWhileItIsWritten) {
  StatusBoard board;
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    RunStatus facts = Sample();
    while (!stop) {
      facts.now += seconds(1);
      facts.elements_read += 7;
      board.Publish(facts);
    }
  });
  for (int reads = 0; reads < 500;) {
    const int added = board.Add([](RunStatus& status) { status.generation = 3; });
    const std::optional<RunStatus> status = board.Read(kStart);
    EXPECT_TRUE(!status || status->generation == 3);
    reads += status ? 1 : 0;
    board.Remove(added);
  }
  stop = true;
  writer.join();
}

}  // namespace
}  // namespace millrace
