#include "batch/partitioning.h"

#include <gtest/gtest.h>

#include <chrono>

namespace millrace::batch {
namespace {

using namespace std::chrono_literals;

Timestamp At(const char* text) { return *Timestamp::Parse(text); }

TEST(PartitioningTest, DaysAndHoursAreNamedAsPeopleSayThem) {
  const Partitioning days = *Partitioning::Of(24h);
  EXPECT_EQ(days.BeginOf(At("2001-01-05T23:59:59.999999Z")), At("2001-01-05"));
  EXPECT_EQ(days.NameOf(At("2001-01-05")), "2001-01-05");
  EXPECT_EQ(days.FolderOf(At("2001-01-05")), "day=2001-01-05");
  const Partitioning hours = *Partitioning::Of(1h);
  EXPECT_EQ(hours.BeginOf(At("2001-01-05T13:59:59Z")), At("2001-01-05T13:00:00Z"));
  EXPECT_EQ(hours.FolderOf(At("2001-01-05T13:00:00Z")), "hour=2001-01-05T13");
}

TEST(PartitioningTest, TimesBefore1970AreInThePartitionThatBeganBefore) {
  const Partitioning days = *Partitioning::Of(24h);
  EXPECT_EQ(days.BeginOf(At("1969-12-31T23:00:00Z")), At("1969-12-31"));
  EXPECT_EQ(days.BeginOf(At("1969-12-31")), At("1969-12-31"));
  EXPECT_EQ(days.NameOf(At("1969-12-31")), "1969-12-31");
}

TEST(PartitioningTest, AWindowIsWhereItsLastTimestampIs) {
  const Partitioning days = *Partitioning::Of(24h);
  EXPECT_EQ(days.BeginOfWindow(At("2001-01-06")), At("2001-01-05"));
  EXPECT_EQ(days.BeginOfWindow(At("2001-01-06") + Duration(1)), At("2001-01-06"));
}

TEST(PartitioningTest, RangesAreWidenedToWholePartitions) {
  const Partitioning days = *Partitioning::Of(24h);
  const TimeRange whole{.from = At("2001-01-03"), .to = At("2001-01-05")};
  EXPECT_EQ(days.Widen({.from = At("2001-01-03T05:00:00Z"), .to = At("2001-01-04T00:00:01Z")}), whole);
  EXPECT_EQ(days.Widen(whole), whole);
  EXPECT_EQ(days.CountIn(whole), 2);
}

TEST(PartitioningTest, OtherSizesAreRefused) {
  const StatusOr<Partitioning> other = Partitioning::Of(15min);
  EXPECT_EQ(other.status().code(), StatusCode::kInvalidArgument);
  EXPECT_NE(other.status().message().find("15m"), std::string::npos) << other.status();
}

}  // namespace
}  // namespace millrace::batch
