// January as it happened: the events of both streams in the order in which they became known, one by one.
#include "definition.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "millrace/io/csv.h"
#include "millrace/io/for_each.h"
#include "millrace/testing/memory_views.h"

namespace nyc_weather {
namespace {

using millrace::Duration;
using millrace::Timestamp;
using std::chrono::hours;

/// A flight or the weather, as an event.
struct Happening {
  Timestamp known_at;
  Timestamp at;  // the event time
  std::optional<Flight> flight{};
  std::optional<Weather> weather{};
};
using Happenings = std::vector<Happening>;

std::shared_ptr<const Happenings> January() {
  const std::string folder = MILLRACE_SOURCE_DIR "/.setup/data/";
  const Timestamp end = *Timestamp::Parse("2013-02-01T05:00:00Z");
  auto all = std::make_shared<Happenings>();
  EXPECT_EQ(millrace::ForEach(millrace::csv::Read<FlightRow>(folder + "nyc_flights.csv"),
                              [&](const FlightRow& row, Timestamp) {
                                const Flight flight = FlightOf(row);
                                if (flight.scheduled < end) all->push_back({KnownAt(flight), flight.scheduled, flight});
                                return millrace::OkStatus();
                              }),
            millrace::OkStatus())
      << "run tools/setup first";
  EXPECT_EQ(millrace::ForEach(millrace::csv::Read<WeatherRow>(folder + "nyc_weather.csv"),
                              [&](const WeatherRow& row, Timestamp) {
                                const Weather weather = WeatherOf(row);
                                if (weather.at < end) all->push_back({weather.at, weather.at, std::nullopt, weather});
                                return millrace::OkStatus();
                              }),
            millrace::OkStatus());
  std::stable_sort(all->begin(), all->end(),
                   [](const Happening& a, const Happening& b) { return a.known_at < b.known_at; });
  return all;
}

/// Each event is a bundle.
struct HappeningSource {
  using Element = Happening;
  static constexpr bool kUnbounded = true;
  std::shared_ptr<const Happenings> all;

  millrace::StatusOr<std::vector<millrace::Restriction>> InitialRestrictions(const millrace::SplitOptions&) const {
    return std::vector{millrace::Restriction{.partition = "2013", .from = 0, .to = std::ssize(*all)}};
  }
  millrace::StatusOr<millrace::ProcessContinuation> Read(millrace::RestrictionTracker& tracker,
                                                         millrace::WatermarkEstimator&,
                                                         millrace::SourceOutput<Happening>& out) {
    const std::int64_t at = tracker.from();
    if (at >= std::ssize(*all) || !tracker.TryClaim(at)) return millrace::ProcessContinuation::Stop();
    const Happening& happening = (*all)[static_cast<std::size_t>(at)];
    out.Emit(happening, happening.at);
    return millrace::ProcessContinuation::Resume(Duration(0));
  }
};

/// Gathers the ids of flights that came too late for their hour.
class LateFlights final : public millrace::DeadLetterSink {
 public:
  millrace::Status Write(std::span<const millrace::DeadLetter> letters) override {
    for (const millrace::DeadLetter& letter : letters) {
      EXPECT_EQ(letter.name, millrace::kLateName);
      EXPECT_EQ(letter.step, "Nyc/Join");
      const auto element = millrace::json::Parse<millrace::KV<std::string, Observation>>(letter.element);
      if (element.ok() && element->value.flight) ids.insert(element->value.flight->id);
    }
    return millrace::OkStatus();
  }
  millrace::Status Finish() override { return millrace::OkStatus(); }
  std::set<std::string> ids;  // of one thread
};

class NycDefinitionTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    january_ = January();
    views_ = std::make_shared<millrace::testing::MemoryViews>();
    late_ = std::make_shared<LateFlights>();
    millrace::Pipeline pipeline;
    auto all = pipeline | "January" >> millrace::Read(HappeningSource{january_}).MaxDisorder(hours(1));
    auto weather =
        all | "Weather" >> millrace::Filter([](const Happening& h) { return h.weather.has_value(); }) |
        "WeatherEvents" >> millrace::Map([](const Happening& h) { return millrace::json::Write(*h.weather); });
    auto flights = all | "Flights" >> millrace::Filter([](const Happening& h) { return h.flight.has_value(); }) |
                   "FlightEvents" >> millrace::Map([](const Happening& h) { return millrace::json::Write(*h.flight); });
    flights | millrace::Named("Nyc", NycWeather{weather});
    millrace::RunOptions options;
    options.streaming = true;
    options.threads = 1;
    options.views = views_;
    options.dead_letters = late_;
    ASSERT_EQ(pipeline.Run(options).status, millrace::OkStatus());
  }
  static void TearDownTestSuite() {
    january_.reset();
    views_.reset();
    late_.reset();
  }
  template <class V>
  static std::vector<millrace::testing::ViewRow<std::string, V>> Rows(const std::string& view) {
    auto rows = views_->Rows<std::string, V>(view);
    EXPECT_EQ(rows.status(), millrace::OkStatus());
    return *std::move(rows);
  }

  static inline std::shared_ptr<const Happenings> january_;
  static inline std::shared_ptr<millrace::testing::MemoryViews> views_;
  static inline std::shared_ptr<LateFlights> late_;
};

TEST_F(NycDefinitionTest, TheFlightsThatCameTooLateAreThoseOfTheLoop) {
  std::set<std::string> expected;
  std::int64_t flights = 0;
  Timestamp greatest = Timestamp::Min();
  for (const Happening& happening : *january_) {
    const Timestamp watermark = greatest - hours(1);
    const Timestamp hour = happening.at - Duration(happening.at.micros() % 3'600'000'000);
    if (happening.flight) {
      ++flights;
      if (hour + hours(7) - Duration(1) < watermark) expected.insert(happening.flight->id);
    }
    greatest = std::max(greatest, happening.at);
  }
  EXPECT_GT(expected.size(), 0U);
  EXPECT_EQ(late_->ids, expected);
  std::int64_t counted = 0;
  for (const auto& row : Rows<HourlyWeather>("hourly_weather")) counted += row.value.flights;
  EXPECT_EQ(counted + std::ssize(expected), flights);
}

TEST_F(NycDefinitionTest, AFlightHasTheWeatherThatWasTheNewestAtItsDeparture) {
  std::map<std::string, Timestamp> newest;                   // by airport
  std::map<std::string, std::optional<Timestamp>> expected;  // by flight
  std::vector<std::string> waiting;                          // before the first weather of any airport
  for (const Happening& happening : *january_) {
    if (happening.weather) {
      newest[happening.weather->origin] = happening.weather->at;
      for (const std::string& id : std::exchange(waiting, {})) expected[id] = std::nullopt;
    } else if (newest.empty()) {
      waiting.push_back(happening.flight->id);
    } else {
      const auto found = newest.find(happening.flight->origin);
      expected[happening.flight->id] = found == newest.end() ? std::nullopt : std::optional(found->second);
    }
  }
  ASSERT_TRUE(waiting.empty());
  std::map<std::string, std::optional<Timestamp>> got;
  for (const auto& row : Rows<EnrichedFlight>("enriched_flights")) got[row.key] = row.value.observed;
  EXPECT_EQ(got.size(), expected.size());
  EXPECT_TRUE(got == expected);
}

TEST_F(NycDefinitionTest, SessionsAreThoseOfTheLoop) {
  std::map<std::string, std::map<Timestamp, std::int64_t>> departures;  // by aircraft and time, how many
  for (const Happening& happening : *january_) {
    if (!happening.flight || !happening.flight->delay || happening.flight->tail == "NA") continue;
    ++departures[happening.flight->tail][happening.flight->scheduled];
  }
  std::map<std::tuple<std::string, Timestamp, Timestamp>, std::int64_t> expected;
  for (const auto& [tail, at] : departures) {
    for (auto first = at.begin(); first != at.end();) {
      std::int64_t count = first->second;
      auto last = first;
      for (auto next = std::next(last); next != at.end() && next->first < last->first + hours(6); ++next) {
        count += next->second;
        last = next;
      }
      expected[{tail, first->first, last->first + hours(6)}] = count;
      first = std::next(last);
    }
  }
  std::map<std::tuple<std::string, Timestamp, Timestamp>, std::int64_t> got;
  for (const auto& row : Rows<AircraftSession>("aircraft_sessions")) {
    got[{row.key, row.window_start, row.window_end}] = row.value.departures;
  }
  EXPECT_GT(got.size(), 20'000U);
  EXPECT_TRUE(got == expected) << got.size() << " sessions, expected " << expected.size();
}

}  // namespace
}  // namespace nyc_weather
