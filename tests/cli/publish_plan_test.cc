// What a publish appends, and in which order.
#include "cli/publish_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/test_settings.h"

namespace millrace::cli {
namespace {

using namespace std::chrono_literals;

constexpr PublishPlanOptions kOptions{.seed = 7, .duplicates = 0.05, .late = 0.04, .late_by = 2h, .garbage = 0.03};
constexpr std::int64_t kEvents = 5'000;

ProducerRecord EventOf(std::int64_t number) {
  return {.id = std::to_string(number),
          .event_time = Timestamp::FromSeconds(20 * number),
          .key = "key" + std::to_string(number % 7),
          .attributes = {{"a", "b"}},
          .data = "{\"number\":" + std::to_string(number) + "}"};
}

std::vector<PlannedRecord> PlanOf(const PublishPlanOptions& options, std::int64_t events = kEvents) {
  std::vector<PlannedRecord> records;
  const Publishing publishing;
  PublishPlan plan(options, publishing, [&](PlannedRecord record) {
    records.push_back(std::move(record));
    return OkStatus();
  });
  for (std::int64_t i = 0; i < events; ++i) EXPECT_EQ(plan.Add(EventOf(i)), OkStatus());
  EXPECT_EQ(plan.Finish(), OkStatus());
  EXPECT_EQ(plan.records(), static_cast<std::int64_t>(records.size()));
  return records;
}

TEST(PublishPlanTest, EachEventIsThereOnceAndSequencesHaveNoGap) {
  for (std::int64_t round = 0; round < base::TestRounds(5, 100); ++round) {
    PublishPlanOptions options = kOptions;
    options.seed = base::TestSeed() + static_cast<std::uint64_t>(round);
    SCOPED_TRACE(options.seed);
    std::multiset<std::string> events;
    std::int64_t sequence = 0;
    for (const PlannedRecord& planned : PlanOf(options)) {
      EXPECT_EQ(planned.sequence, sequence++);
      const bool is_event = planned.kind == PublishedKind::kEvent || planned.kind == PublishedKind::kLate;
      if (is_event) events.insert(planned.record.id);
    }
    std::multiset<std::string> expected;
    for (std::int64_t i = 0; i < kEvents; ++i) expected.insert(std::to_string(i));
    EXPECT_EQ(events, expected);
  }
}

TEST(PublishPlanTest, TheSharesAreAboutWhatWasAskedFor) {
  std::map<PublishedKind, std::int64_t> counts;
  for (const PlannedRecord& planned : PlanOf(kOptions)) ++counts[planned.kind];
  EXPECT_NEAR(static_cast<double>(counts[PublishedKind::kDuplicate]), 250, 60);
  EXPECT_NEAR(static_cast<double>(counts[PublishedKind::kLate]), 200, 60);
  EXPECT_NEAR(static_cast<double>(counts[PublishedKind::kGarbage]), 150, 50);
}

TEST(PublishPlanTest, ACopyIsExactAndFollowsItsOriginalWithinTheHour) {
  std::map<std::string, std::pair<ProducerRecord, Timestamp>> sent;  // with the time that had come
  Timestamp now = Timestamp::Min();
  std::int64_t copies = 0;
  for (const PlannedRecord& planned : PlanOf(kOptions)) {
    if (planned.kind == PublishedKind::kEvent) now = planned.record.event_time;
    if (planned.kind == PublishedKind::kGarbage) continue;
    if (planned.kind != PublishedKind::kDuplicate) {
      sent[planned.record.id] = {planned.record, now};
      continue;
    }
    ++copies;
    ASSERT_TRUE(sent.contains(planned.record.id));
    const auto& [original, at] = sent[planned.record.id];
    EXPECT_EQ(planned.record.data, original.data);
    EXPECT_EQ(planned.record.key, original.key);
    EXPECT_EQ(planned.record.event_time, original.event_time);
    EXPECT_EQ(planned.record.attributes, original.attributes);
    EXPECT_LE(now - at, kDuplicateAfterMax + 1min);
  }
  EXPECT_GT(copies, 100);
}

TEST(PublishPlanTest, ALateEventComesWhenTimeIsThatMuchFurther) {
  Timestamp now = Timestamp::Min();
  std::int64_t late = 0;
  const Timestamp end = EventOf(kEvents - 1).event_time;
  for (const PlannedRecord& planned : PlanOf(kOptions)) {
    if (planned.kind == PublishedKind::kEvent) now = planned.record.event_time;
    if (planned.kind != PublishedKind::kLate) continue;
    ++late;
    if (now == end) continue;  // what is still held back at the end
    EXPECT_GE(now + 2min, planned.record.event_time + kOptions.late_by);
    EXPECT_LE(now, planned.record.event_time + kOptions.late_by + 2min);
  }
  EXPECT_GT(late, 100);
}

TEST(PublishPlanTest, GarbageIsMadeOfAGoodRecordWithAnIdOfItsOwn) {
  std::set<std::string> ids;
  for (const PlannedRecord& planned : PlanOf(kOptions)) {
    if (planned.kind != PublishedKind::kGarbage) continue;
    EXPECT_TRUE(ids.insert(planned.record.id).second);
    EXPECT_TRUE(planned.record.id.starts_with("garbage-"));
    EXPECT_TRUE(planned.record.data.starts_with("{\"num") && !planned.record.data.ends_with("}"));
  }
  EXPECT_GT(ids.size(), 50U);
}

TEST(PublishPlanTest, TheSameSeedGivesTheSameOrderAndAnotherOneAnother) {
  const auto ids = [](std::uint64_t seed) {
    PublishPlanOptions options = kOptions;
    options.seed = seed;
    std::string text;
    for (const PlannedRecord& planned : PlanOf(options, 500)) text += planned.record.id + " ";
    return text;
  };
  EXPECT_EQ(ids(1), ids(1));
  EXPECT_NE(ids(1), ids(2));
}

TEST(PublishPlanTest, WithoutSharesTheInputIsAppendedAsItIs) {
  std::int64_t number = 0;
  for (const PlannedRecord& planned : PlanOf({})) {
    EXPECT_EQ(planned.kind, PublishedKind::kEvent);
    EXPECT_EQ(planned.record.id, std::to_string(number++));
  }
}

TEST(PublishPlanTest, AnErrorOfTheLogEndsThePlan) {
  const Publishing publishing;
  PublishPlan plan({}, publishing, [](const PlannedRecord&) { return ResourceExhaustedError("full"); });
  EXPECT_EQ(plan.Add(EventOf(0)).code(), StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace millrace::cli
