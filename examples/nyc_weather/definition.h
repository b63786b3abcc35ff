// The one definition of the example: from two streams of JSON events to three views. It knows nothing of files, streams
// or topologies.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "events.h"
#include "millrace/millrace.h"

namespace nyc_weather {

/// What the join sees of an airport's hour: a flight, or the weather.
struct Observation {
  std::optional<Flight> flight{};
  std::optional<Weather> weather{};
};

/// Departures of an airport and an hour, and the weather of that hour if it is known.
struct HourlyWeather {
  std::int64_t flights = 0;
  std::int64_t cancelled = 0;
  std::int64_t delayed = 0;  // by at least 15 minutes
  std::int64_t delay_sum = 0;
  std::optional<double> temp{};
  std::optional<double> wind_speed{};
  std::optional<double> precip{};
  std::optional<double> visib{};
};

/// The CombineFn of the windowed join.
struct JoinFn {
  HourlyWeather CreateAccumulator() const { return {}; }
  void AddInput(HourlyWeather& hour, const Observation& observation) const;
  void MergeAccumulators(HourlyWeather& into, const HourlyWeather& from) const;
  HourlyWeather ExtractOutput(const HourlyWeather& hour) const { return hour; }
};

/// A departure of an aircraft. The id is not aggregated: it says which one an aggregation dropped as too late.
struct Departure {
  std::string id;
  std::int32_t delay = 0;
  std::int32_t distance = 0;
};

/// What an aircraft did from New York without a pause.
struct AircraftSession {
  std::int64_t departures = 0;
  std::int64_t delay_sum = 0;
  std::int64_t delay_max = 0;
  std::int64_t distance_sum = 0;
};

struct SessionFn {
  AircraftSession CreateAccumulator() const { return {}; }
  void AddInput(AircraftSession& session, const Departure& departure) const;
  void MergeAccumulators(AircraftSession& into, const AircraftSession& from) const;
  AircraftSession ExtractOutput(const AircraftSession& session) const { return session; }
};

/// The newest weather event of an airport.
struct NewestFn {
  std::optional<Weather> CreateAccumulator() const { return std::nullopt; }
  void AddInput(std::optional<Weather>& newest, const Weather& weather) const;
  void MergeAccumulators(std::optional<Weather>& into, const std::optional<Weather>& from) const;
  Weather ExtractOutput(const std::optional<Weather>& newest) const { return newest.value_or(Weather{}); }
};

using WeatherByAirport = std::map<std::string, Weather>;

/// A flight with the weather that was the newest when its event was processed.
struct EnrichedFlight {
  std::string origin;
  millrace::Timestamp scheduled;
  std::optional<std::int32_t> delay{};
  std::optional<millrace::Timestamp> observed{};  // the version of the weather
  std::optional<double> temp{};
  std::optional<double> wind_speed{};
  std::optional<double> precip{};
  std::optional<double> visib{};
};

struct EnrichFlight {
  void ProcessElement(const Flight& flight, millrace::SideInput<"weather", WeatherByAirport> weather,
                      millrace::Output<millrace::KV<std::string, EnrichedFlight>> enriched) const;
};

/// parse ▸ dedupe ▸ the views `hourly_weather`, `aircraft_sessions` and `enriched_flights`.
struct NycWeather {
  millrace::PCollection<std::string> weather_events;

  void Expand(const millrace::PCollection<std::string>& flight_events) const;
};

}  // namespace nyc_weather
