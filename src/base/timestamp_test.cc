#include "millrace/core/timestamp.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <limits>
#include <random>
#include <sstream>
#include <string>

#include "base/test_settings.h"

namespace millrace {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr Duration kMicrosecond(1);

Timestamp Parsed(std::string_view text) {
  StatusOr<Timestamp> result = Timestamp::Parse(text);
  EXPECT_TRUE(result.ok()) << result.status();
  return result.ok() ? *result : Timestamp::Max();
}

TEST(Timestamp, ToStringWritesOnlyTheDigitsNeeded) {
  EXPECT_EQ(Timestamp().ToString(), "1970-01-01T00:00:00Z");
  EXPECT_EQ(Timestamp::FromSeconds(978'352'200).ToString(), "2001-01-01T12:30:00Z");
  EXPECT_EQ(Timestamp::FromMillis(978'352'200'250).ToString(), "2001-01-01T12:30:00.25Z");
  EXPECT_EQ(Timestamp::FromMicros(1).ToString(), "1970-01-01T00:00:00.000001Z");
  EXPECT_EQ(Timestamp::FromMicros(-1).ToString(), "1969-12-31T23:59:59.999999Z");
  std::ostringstream out;
  out << Timestamp::FromSeconds(-1);
  EXPECT_EQ(out.str(), "1969-12-31T23:59:59Z");
}

TEST(Timestamp, TheEndsOfTimeAreBeams) {
  EXPECT_EQ(Timestamp::Min().ToString(), "-inf");
  EXPECT_EQ(Timestamp::Max().ToString(), "+inf");
  // Beam's Java SDK prints its limits as -290308-12-21T19:59:05.225Z and +294247-01-10T04:00:54.775Z.
  EXPECT_EQ(Parsed("-290308-12-21T19:59:05.225Z"), Timestamp::Min());
  EXPECT_EQ(Parsed("+294247-01-10T04:00:54.775Z"), Timestamp::Max());
  EXPECT_EQ((Timestamp::Min() + kMicrosecond).ToString(), "-290308-12-21T19:59:05.225001Z");
  EXPECT_EQ((Timestamp::Max() - kMicrosecond).ToString(), "+294247-01-10T04:00:54.774999Z");
  EXPECT_EQ(Parsed("-inf"), Timestamp::Min());
  EXPECT_EQ(Parsed("+inf"), Timestamp::Max());
}

TEST(Timestamp, ParsesRfc3339) {
  const Timestamp noon = Timestamp::FromSeconds(978'352'200);
  EXPECT_EQ(Parsed("2001-01-01T12:30:00Z"), noon);
  EXPECT_EQ(Parsed("2001-01-01t12:30:00z"), noon);
  EXPECT_EQ(Parsed("2001-01-01 12:30:00"), noon);
  EXPECT_EQ(Parsed("2001-01-01T14:30:00+02:00"), noon);
  EXPECT_EQ(Parsed("2001-01-01T09:00:00-03:30"), noon);
  EXPECT_EQ(Parsed("2001-01-01T12:30:00-00:00"), noon);
  EXPECT_EQ(Parsed("2001-01-01T12:30:00.25Z"), noon + milliseconds(250));
  EXPECT_EQ(Parsed("2001-01-01T12:30:00.123456789Z"), noon + Duration(123'456));
  EXPECT_EQ(Parsed("2001-01-01"), noon - hours(12) - minutes(30));
  EXPECT_EQ(Parsed("2000-12-31T23:00:00-02:00"), Parsed("2001-01-01T01:00:00Z"));
}

TEST(Timestamp, KnowsLeapYears) {
  EXPECT_EQ(Parsed("2000-03-01") - Parsed("2000-02-28"), hours(48));
  EXPECT_EQ(Parsed("1900-03-01") - Parsed("1900-02-28"), hours(24));
  EXPECT_EQ(Parsed("0000-03-01") - Parsed("0000-02-29"), hours(24));
  EXPECT_EQ(Parsed("-0001-12-31") + hours(24), Parsed("0000-01-01"));
  EXPECT_EQ(Parsed("+10000-01-01") - hours(24), Parsed("9999-12-31"));
  EXPECT_EQ((Parsed("9999-12-31") + hours(24)).ToString(), "+10000-01-01T00:00:00Z");
  EXPECT_EQ((Parsed("0000-01-01") - seconds(1)).ToString(), "-0001-12-31T23:59:59Z");
}

TEST(Timestamp, ALeapSecondIsTheMidnightThatFollows) {
  EXPECT_EQ(Parsed("2016-12-31T23:59:60Z"), Parsed("2017-01-01"));
  EXPECT_EQ(Parsed("2017-01-01T00:59:60+01:00"), Parsed("2017-01-01"));
  EXPECT_FALSE(Timestamp::Parse("2016-12-31T12:00:60Z").ok());
}

TEST(Timestamp, RefusesWhatIsNoTimeAndSaysWhy) {
  struct Case {
    const char* text;
    const char* why;
  };
  for (const Case& c : {
           Case{"", "year"},
           Case{"yesterday", "year"},
           Case{"01-01-01", "year"},
           Case{"20010-01-01", "year"},
           Case{"+1234567-01-01", "year"},
           Case{"99999999999999999999-01-01", "year"},
           Case{"2001/01/01", "dash"},
           Case{"2001-13-01", "month"},
           Case{"2001-00-01", "month"},
           Case{"2001-1-01", "month"},
           Case{"2001-01/01", "dash"},
           Case{"2001-02-29", "no such day"},
           Case{"2001-04-31", "no such day"},
           Case{"2001-01-00", "no such day"},
           Case{"2001-01-01T", "hour"},
           Case{"2001-01-01T24:00:00Z", "hour"},
           Case{"2001-01-01T12", "colon"},
           Case{"2001-01-01T12:60:00Z", "minute"},
           Case{"2001-01-01T12:30", "colon"},
           Case{"2001-01-01T12:30:61Z", "second"},
           Case{"2001-01-01T12:30:00.Z", "point"},
           Case{"2001-01-01T12:30:00+0200", "offset"},
           Case{"2001-01-01T12:30:00+2:00", "offset"},
           Case{"2001-01-01T12:30:00+24:00", "offset"},
           Case{"2001-01-01T12:30:00Zulu", "follows"},
           Case{" 2001-01-01", "year"},
           Case{"2001-01-01Z", "follows"},
           Case{"+294247-01-10T04:00:54.775001Z", "range"},
           Case{"-290308-12-21T19:59:05.224999Z", "range"},
           Case{"+999999-12-31", "range"},
           Case{"-999999-01-01", "range"},
       }) {
    StatusOr<Timestamp> result = Timestamp::Parse(c.text);
    ASSERT_FALSE(result.ok()) << c.text << " was read as " << *result;
    EXPECT_EQ(result.status().code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(result.status().message(), testing::HasSubstr("'" + std::string(c.text) + "'"));
    EXPECT_THAT(result.status().message(), testing::HasSubstr(c.why));
  }
}

// The standard library's calendar is the slow, independent truth for the years it can hold.
TEST(Timestamp, AgreesWithTheStandardCalendarOnEveryDayOfEightCenturies) {
  const std::chrono::sys_days first = std::chrono::year(1599) / 1 / 1;
  const std::chrono::sys_days last = std::chrono::year(2401) / 12 / 31;
  for (std::chrono::sys_days day = first; day <= last; day += std::chrono::days(1)) {
    const std::chrono::year_month_day date(day);
    char expected[32];
    std::snprintf(expected, sizeof expected, "%04d-%02u-%02uT00:00:00Z", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
    const Timestamp timestamp(day.time_since_epoch());
    ASSERT_EQ(timestamp.ToString(), expected);
    ASSERT_EQ(Parsed(expected), timestamp);
  }
}

TEST(Timestamp, EveryTimestampSurvivesTheTripThroughText) {
  SCOPED_TRACE("MILLRACE_TEST_SEED=" + std::to_string(base::TestSeed()));
  std::mt19937_64 random(base::TestSeed());
  std::uniform_int_distribution<std::int64_t> any(Timestamp::Min().micros(), Timestamp::Max().micros());
  for (int i = 0; i < 20'000; ++i) {
    const Timestamp timestamp = Timestamp::FromMicros(any(random));
    ASSERT_EQ(Parsed(timestamp.ToString()), timestamp) << timestamp;
  }
}

TEST(Timestamp, MillisRoundDown) {
  EXPECT_EQ(Timestamp::FromMicros(1999).millis(), 1);
  EXPECT_EQ(Timestamp::FromMicros(-1).millis(), -1);
  EXPECT_EQ(Timestamp::FromMicros(-1000).millis(), -1);
  EXPECT_EQ(Timestamp::FromMicros(-1001).millis(), -2);
  EXPECT_EQ(Timestamp::Min().millis(), -9'223'372'036'854'775);
  EXPECT_EQ(Timestamp::Max().millis(), 9'223'372'036'854'775);
}

TEST(Timestamp, SumsAreClamped) {
  EXPECT_EQ(Timestamp::Max() + hours(1), Timestamp::Max());
  EXPECT_EQ(Timestamp::Max() - Duration::min(), Timestamp::Max());
  EXPECT_EQ(Timestamp::Min() - hours(1), Timestamp::Min());
  EXPECT_EQ(Timestamp::Min() + Duration::min(), Timestamp::Min());
  EXPECT_EQ(Timestamp() + Duration::max(), Timestamp::Max());
  EXPECT_EQ(Timestamp() - Duration::min(), Timestamp::Max());
  EXPECT_EQ(Timestamp() + Duration::min(), Timestamp::Min());
  Timestamp timestamp;
  timestamp += seconds(90);
  timestamp -= seconds(30);
  EXPECT_EQ(timestamp, Timestamp::FromSeconds(60));
}

TEST(Timestamp, DifferencesAreClamped) {
  EXPECT_EQ(Timestamp::Max() - Timestamp::Min(), Duration::max());
  EXPECT_EQ(Timestamp::Min() - Timestamp::Max(), Duration::min());
  EXPECT_EQ(Timestamp::FromSeconds(90) - Timestamp::FromSeconds(100), seconds(-10));
}

TEST(Duration, ToStringWritesTheLargestUnitsFirst) {
  EXPECT_EQ(DurationToString(Duration::zero()), "0s");
  EXPECT_EQ(DurationToString(minutes(90)), "1h30m");
  EXPECT_EQ(DurationToString(milliseconds(250)), "250ms");
  EXPECT_EQ(DurationToString(Duration(10)), "10us");
  EXPECT_EQ(DurationToString(Duration(-10)), "-10us");
  EXPECT_EQ(DurationToString(hours(24)), "1d");
  EXPECT_EQ(DurationToString(hours(25) + minutes(1) + seconds(1) + milliseconds(1) + Duration(1)), "1d1h1m1s1ms1us");
}

TEST(Duration, ParsesNumbersWithUnits) {
  EXPECT_EQ(*ParseDuration("0s"), Duration::zero());
  EXPECT_EQ(*ParseDuration("1h30m"), minutes(90));
  EXPECT_EQ(*ParseDuration("90m"), minutes(90));
  EXPECT_EQ(*ParseDuration("1.5h"), minutes(90));
  EXPECT_EQ(*ParseDuration("0.5s"), milliseconds(500));
  EXPECT_EQ(*ParseDuration("0.000001s"), Duration(1));
  EXPECT_EQ(*ParseDuration("0.5000000000s"), milliseconds(500));
  EXPECT_EQ(*ParseDuration("-2d"), hours(-48));
  EXPECT_EQ(*ParseDuration("+10us"), Duration(10));
  EXPECT_EQ(*ParseDuration("1m1ms"), minutes(1) + milliseconds(1));
}

TEST(Duration, RefusesWhatIsNoDurationAndSaysWhy) {
  struct Case {
    const char* text;
    const char* why;
  };
  for (const Case& c : {
           Case{"", "number"},
           Case{"-", "number"},
           Case{"h", "number"},
           Case{"--1s", "number"},
           Case{".5s", "number"},
           Case{"1h 30m", "number"},
           Case{"1", "unit"},
           Case{"1x", "unit"},
           Case{"1sm", "unit"},
           Case{"1 s", "unit"},
           Case{"1.s", "point"},
           Case{"30m1h", "large to small"},
           Case{"1s1s", "large to small"},
           Case{"0.5us", "microsecond"},
           Case{"0.0000001h", "decimals"},
           Case{"106751992d", "range"},
           Case{"99999999999999999999us", "range"},
           Case{"18446744073709551615us1us", "large to small"},
           Case{"9223372036854775808us", "range"},
           Case{"-9223372036854775809us", "range"},
       }) {
    StatusOr<Duration> result = ParseDuration(c.text);
    ASSERT_FALSE(result.ok()) << c.text << " was read as " << DurationToString(*result);
    EXPECT_EQ(result.status().code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(result.status().message(), testing::HasSubstr("'" + std::string(c.text) + "'"));
    EXPECT_THAT(result.status().message(), testing::HasSubstr(c.why));
  }
}

TEST(Duration, EveryDurationSurvivesTheTripThroughText) {
  for (const Duration end : {Duration::min(), Duration::min() + kMicrosecond, Duration::max()}) {
    EXPECT_EQ(*ParseDuration(DurationToString(end)), end);
  }
  SCOPED_TRACE("MILLRACE_TEST_SEED=" + std::to_string(base::TestSeed()));
  std::mt19937_64 random(base::TestSeed());
  std::uniform_int_distribution<int> shift(0, 63);
  for (int i = 0; i < 20'000; ++i) {
    const Duration duration(static_cast<std::int64_t>(random()) >> shift(random));
    StatusOr<Duration> parsed = ParseDuration(DurationToString(duration));
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    ASSERT_EQ(*parsed, duration);
  }
}

}  // namespace
}  // namespace millrace
