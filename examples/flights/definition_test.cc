// The steps of the flights example, one by one.
#include "definition.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "millrace/testing/collect.h"

namespace flights {
namespace {

using millrace::KV;
using millrace::Timestamp;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const Flight kFlight{.id = 7,
                     .at = Timestamp::FromSeconds(978'350'400),
                     .delay = 15,
                     .distance = 337,
                     .origin = "LAX",
                     .destination = "SFO"};

struct Split {
  std::vector<Flight> flights;
  std::vector<Reject> rejects;
};

Split Parse(const std::vector<std::string>& events) {
  millrace::Pipeline pipeline;
  auto [flights, rejects] = pipeline | "Events" >> millrace::Create(events) | "Parse" >> millrace::ParDo<ParseFlight>();
  const auto good = millrace::testing::Collect(flights, "Good");
  const auto bad = millrace::testing::Collect(rejects, "Bad");
  EXPECT_EQ(pipeline.Run().status, millrace::OkStatus());
  return {good->values(), bad->values()};
}

Split Validate(const Flight& flight) {
  millrace::Pipeline pipeline;
  auto airports =
      pipeline | "Airports" >> millrace::Create(std::vector<KV<std::string, Airport>>{
                                   {"LAX", {"LAX", "Los Angeles", "CA"}}, {"SFO", {"SFO", "San Francisco", "CA"}}});
  auto [flights, rejects] =
      pipeline | "Flights" >> millrace::Create(std::vector<Flight>{flight}) |
      "Validate" >> millrace::ParDo(ValidateFlight{}).WithSideInput("airports", millrace::AsMap(airports));
  const auto good = millrace::testing::Collect(flights, "Good");
  const auto bad = millrace::testing::Collect(rejects, "Bad");
  EXPECT_EQ(pipeline.Run().status, millrace::OkStatus());
  return {good->values(), bad->values()};
}

TEST(ParseFlightTest, AnEventIsAFlight) {
  const Split split = Parse({R"({"id":7,"at":"2001-01-01T12:00:00Z","delay":15,"distance":337,"origin":"LAX",)"
                             R"("destination":"SFO"})"});
  EXPECT_THAT(split.rejects, IsEmpty());
  ASSERT_EQ(split.flights.size(), 1U);
  EXPECT_EQ(millrace::json::Write(split.flights[0]), millrace::json::Write(kFlight));
}

TEST(ParseFlightTest, WhatIsNoFlightIsKeptWithItsReason) {
  const std::vector<std::string> events = {"", "no JSON", "[]", R"({"id":"seven"})", R"({"delay":99999999999})"};
  const Split split = Parse(events);
  EXPECT_THAT(split.flights, IsEmpty());
  ASSERT_EQ(split.rejects.size(), events.size());
  for (const Reject& reject : split.rejects) {
    EXPECT_THAT(events, ::testing::Contains(reject.event));
    EXPECT_FALSE(reject.reason.empty());
    EXPECT_THAT(reject.reason, HasSubstr(reject.event.find("seven") != std::string::npos ? "id" : ""));
    EXPECT_THAT(reject.reason, HasSubstr(reject.event.find("9999") != std::string::npos ? "delay" : ""));
  }
}

TEST(ValidateFlightTest, TheBoundsAreValid) {
  for (const std::int32_t delay : {-120, -1, 0, 1440}) {
    Flight flight = kFlight;
    flight.delay = delay;
    flight.distance = 1;
    const Split split = Validate(flight);
    EXPECT_EQ(split.flights.size(), 1U) << delay;
    EXPECT_THAT(split.rejects, IsEmpty());
  }
}

TEST(ValidateFlightTest, EachReason) {
  const auto reason = [](auto change) {
    Flight flight = kFlight;
    change(flight);
    const Split split = Validate(flight);
    EXPECT_THAT(split.flights, IsEmpty());
    EXPECT_EQ(split.rejects.size(), 1U);
    if (split.rejects.size() != 1) return std::string("accepted");
    EXPECT_EQ(split.rejects[0].event, millrace::json::Write(flight));
    return split.rejects[0].reason;
  };
  EXPECT_EQ(reason([](Flight& f) { f.origin = "XXX"; }), "unknown airport XXX");
  EXPECT_EQ(reason([](Flight& f) { f.destination = "lax"; }), "unknown airport lax");
  EXPECT_EQ(reason([](Flight& f) { f.delay = -121; }), "impossible delay of -121 minutes");
  EXPECT_EQ(reason([](Flight& f) { f.delay = 1441; }), "impossible delay of 1441 minutes");
  EXPECT_EQ(reason([](Flight& f) { f.distance = 0; }), "impossible distance of 0 miles");
  EXPECT_EQ(reason([](Flight& f) { f.distance = -5; }), "impossible distance of -5 miles");
}

std::string Text(const DelayStats& stats) { return millrace::json::Write(stats); }

DelayStats StatsOf(const std::vector<Delay>& delays) {
  const DelayStatsFn fn;
  DelayStats stats = fn.CreateAccumulator();
  for (const Delay& delay : delays) fn.AddInput(stats, delay);
  return stats;
}

DelayStats Merged(DelayStats into, const DelayStats& from) {
  DelayStatsFn().MergeAccumulators(into, from);
  return into;
}

EnrichedFlight Late(std::int32_t minutes, const std::string& state) {
  EnrichedFlight enriched;
  enriched.flight.delay = minutes;
  enriched.state = state;
  return enriched;
}

TEST(DelayStatsTest, DelayedIsFifteenMinutesOrMore) {
  const auto delay = [](std::int32_t minutes, std::int32_t distance) {
    return Delay{minutes, distance, 0, DelayedRule().Holds(Late(minutes, "TX"))};
  };
  EXPECT_EQ(Text(StatsOf({delay(14, 100), delay(15, 200), delay(-3, 50)})),
            R"({"flights":3,"delayed":1,"delay_sum":26,"delay_max":15,"distance_sum":350})");
  EXPECT_EQ(StatsOf({delay(-7, 1), delay(-3, 1)}).delay_max, -3) << "all were early";
}

TEST(DelayStatsTest, AStateMayHaveALimitOfItsOwn) {
  const DelayedRule rule{.state = "IL", .minutes_in_state = 20};
  for (const auto& [state, minutes, delayed] : {std::tuple("IL", 19, false), {"IL", 20, true}, {"TX", 15, true}}) {
    EXPECT_EQ(rule.Holds(Late(minutes, state)), delayed) << state << minutes;
  }
}

TEST(DelayStatsTest, MergingIsAssociativeAndCommutativeWithAnIdentity) {
  std::mt19937 random(2001);
  const auto delays = [&random] {
    std::vector<Delay> some(random() % 6);
    for (Delay& delay : some) {
      delay.minutes = static_cast<std::int32_t>(random() % 1561) - 120;
      delay.distance = static_cast<std::int32_t>(random() % 5000) + 1;
      delay.delayed = delay.minutes >= DelayedRule::kMinutes;
    }
    return some;
  };
  for (int round = 0; round < 500; ++round) {
    const std::vector<Delay> first = delays();
    const std::vector<Delay> second = delays();
    const DelayStats a = StatsOf(first);
    const DelayStats b = StatsOf(second);
    const DelayStats c = StatsOf(delays());
    ASSERT_EQ(Text(Merged(Merged(a, b), c)), Text(Merged(a, Merged(b, c))));
    ASSERT_EQ(Text(Merged(a, b)), Text(Merged(b, a)));
    ASSERT_EQ(Text(Merged(a, {})), Text(a));
    ASSERT_EQ(Text(Merged({}, a)), Text(a));
    std::vector<Delay> both = first;
    both.insert(both.end(), second.begin(), second.end());
    ASSERT_EQ(Text(Merged(a, b)), Text(StatsOf(both)));
    ASSERT_EQ(Text(DelayStatsFn().ExtractOutput(a)), Text(a));
  }
}

}  // namespace
}  // namespace flights
