#include "definition.h"

#include <algorithm>

namespace nyc_weather {

namespace {

using millrace::AfterCount;
using millrace::AfterProcessingTime;
using millrace::AfterWatermark;
using millrace::AsMap;
using millrace::CombinePerKey;
using millrace::DeadLetters;
using millrace::Deduplicate;
using millrace::Filter;
using millrace::FixedWindows;
using millrace::Flatten;
using millrace::GlobalWindows;
using millrace::KV;
using millrace::Map;
using millrace::Output;
using millrace::ParDo;
using millrace::PCollection;
using millrace::Repeatedly;
using millrace::Sessions;
using millrace::View;
using millrace::WindowFn;
using millrace::WindowInto;
using millrace::WithTimestamps;
using namespace std::chrono_literals;

constexpr std::int32_t kDelayedFromMinutes = 15;

template <class Event>
void ParseEvent(const std::string& text, Output<Event> events, Output<Reject> rejects) {
  if (auto event = millrace::json::Parse<Event>(text)) {
    events.Emit(*std::move(event));
  } else {
    rejects.Emit(Reject{text, event.status().message()});
  }
}

/// Early results every ten seconds, and corrections for as long as `lateness`.
WindowInto Windows(WindowFn fn, millrace::Duration lateness) {
  return WindowInto(fn)
      .Triggering(AfterWatermark{.early = AfterProcessingTime{10s}, .late = AfterCount{1}})
      .AllowedLateness(lateness)
      .Accumulating();
}

bool HasAircraft(const Flight& flight) {
  return flight.delay.has_value() && flight.tail != "NA" && !flight.tail.empty();
}

KV<std::string, Departure> DepartureOf(const Flight& flight) {
  return {flight.tail, {flight.id, flight.delay.value_or(0), flight.distance}};
}

void TakeWeather(HourlyWeather& hour, const Weather& weather) {
  hour.temp = weather.temp;
  hour.wind_speed = weather.wind_speed;
  hour.precip = weather.precip;
  hour.visib = weather.visib;
}

}  // namespace

void JoinFn::AddInput(HourlyWeather& hour, const Observation& observation) const {
  if (observation.weather) TakeWeather(hour, *observation.weather);
  if (!observation.flight) return;
  const std::optional<std::int32_t>& delay = observation.flight->delay;
  ++hour.flights;
  hour.cancelled += delay ? 0 : 1;
  hour.delayed += delay.value_or(0) >= kDelayedFromMinutes ? 1 : 0;
  hour.delay_sum += delay.value_or(0);
}

void JoinFn::MergeAccumulators(HourlyWeather& into, const HourlyWeather& from) const {
  into.flights += from.flights;
  into.cancelled += from.cancelled;
  into.delayed += from.delayed;
  into.delay_sum += from.delay_sum;
  if (!from.visib) return;  // no weather has come there
  into.temp = from.temp;
  into.wind_speed = from.wind_speed;
  into.precip = from.precip;
  into.visib = from.visib;
}

void SessionFn::AddInput(AircraftSession& session, const Departure& departure) const {
  session.delay_max =
      session.departures == 0 ? departure.delay : std::max<std::int64_t>(session.delay_max, departure.delay);
  ++session.departures;
  session.delay_sum += departure.delay;
  session.distance_sum += departure.distance;
}

void SessionFn::MergeAccumulators(AircraftSession& into, const AircraftSession& from) const {
  if (from.departures == 0) return;
  into.delay_max = into.departures == 0 ? from.delay_max : std::max(into.delay_max, from.delay_max);
  into.departures += from.departures;
  into.delay_sum += from.delay_sum;
  into.distance_sum += from.distance_sum;
}

void NewestFn::AddInput(std::optional<Weather>& newest, const Weather& weather) const {
  if (!newest || newest->at < weather.at) newest = weather;
}

void NewestFn::MergeAccumulators(std::optional<Weather>& into, const std::optional<Weather>& from) const {
  if (from) AddInput(into, *from);
}

void EnrichFlight::ProcessElement(const Flight& flight, millrace::SideInput<"weather", WeatherByAirport> weather,
                                  Output<KV<std::string, EnrichedFlight>> enriched) const {
  EnrichedFlight out{.origin = flight.origin, .scheduled = flight.scheduled, .delay = flight.delay};
  if (const auto found = weather->find(flight.origin); found != weather->end()) {
    out.observed = found->second.at;
    out.temp = found->second.temp;
    out.wind_speed = found->second.wind_speed;
    out.precip = found->second.precip;
    out.visib = found->second.visib;
  }
  enriched.Emit({flight.id, out});
}

void NycWeather::Expand(const PCollection<std::string>& flight_events) const {
  auto [parsed_flights, no_flights] = flight_events | "ParseFlights" >> ParDo<ParseEvent<Flight>>();
  auto [parsed_weather, no_weather] = weather_events | "ParseWeather" >> ParDo<ParseEvent<Weather>>();
  Flatten(no_flights, no_weather).As("Rejects") | DeadLetters("events");
  auto flights = parsed_flights | "FlightTimes" >> WithTimestamps(&Flight::scheduled) |
                 "DedupeFlights" >> Deduplicate(&Flight::id).Within(48h);
  auto weather = parsed_weather | "WeatherTimes" >> WithTimestamps(&Weather::at);

  // region join
  auto observations = Flatten(flights | "FlightsByOrigin" >> Map([](const Flight& flight) {
                                          return KV<std::string, Observation>{flight.origin, {flight, std::nullopt}};
                                        }),
                              weather | "WeatherByOrigin" >> Map([](const Weather& at) {
                                          return KV<std::string, Observation>{at.origin, {std::nullopt, at}};
                                        }))
                          .As("Observations");
  observations | "Hours" >> Windows(FixedWindows{1h}, 6h) | "Join" >> CombinePerKey(JoinFn{}) |
      View("hourly_weather").Key("origin");
  // end join

  // region aircraft
  flights | "WithAircraft" >> Filter(HasAircraft) | "ByAircraft" >> Map(DepartureOf) |
      "Turns" >> Windows(Sessions{6h}, 24h) | "Aircraft" >> CombinePerKey(SessionFn{}) |
      View("aircraft_sessions").Key("tail");
  // end aircraft

  // region enrich
  auto newest = weather | "WeatherByAirport" >> millrace::WithKeys(&Weather::origin) |
                "AsItComes" >> WindowInto(GlobalWindows{}).Triggering(Repeatedly{AfterCount{1}}).Accumulating() |
                "Newest" >> CombinePerKey(NewestFn{});
  flights | "Enrich" >> ParDo(EnrichFlight{}).WithSideInput("weather", AsMap(newest)) |
      View("enriched_flights").Key("id");
  // end enrich
}

}  // namespace nyc_weather
