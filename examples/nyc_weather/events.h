// The rows of the files of nycflights13, and the events that are made of them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "millrace/core/timestamp.h"

namespace nyc_weather {

/// A row of flights.csv. "NA" stands for what is not known.
struct FlightRow {
  std::string dep_delay;  // in minutes; NA: the flight was cancelled
  std::string carrier;
  std::int32_t flight = 0;
  std::string tailnum;
  std::string origin;
  std::string dest;
  std::int32_t distance = 0;      // in miles
  std::int32_t minute = 0;        // of the scheduled departure
  millrace::Timestamp time_hour;  // its hour, in UTC
};

/// A row of weather.csv: an airport and an hour.
struct WeatherRow {
  std::string origin;
  std::string temp;        // in degrees Fahrenheit
  std::string wind_speed;  // in miles per hour
  double precip = 0;       // in inches
  double visib = 0;        // in miles
  millrace::Timestamp time_hour;
};

/// The event that is published when a flight has departed or was cancelled, as JSON.
struct Flight {
  std::string id;  // carrier, number and scheduled hour
  millrace::Timestamp scheduled;
  std::optional<std::int32_t> delay;  // of the departure, in minutes; none: cancelled
  std::string tail;
  std::string origin;
  std::string destination;
  std::int32_t distance = 0;
};

/// The event that is published each hour for each airport, as JSON.
struct Weather {
  std::string origin;
  millrace::Timestamp at;
  std::optional<double> temp{};
  std::optional<double> wind_speed{};
  double precip = 0;
  double visib = 0;
};

/// An event that is none, and why.
struct Reject {
  std::string event;
  std::string reason;
};

Flight FlightOf(const FlightRow& row);
Weather WeatherOf(const WeatherRow& row);
/// When a flight's event is published: at its departure, or when it should have departed if it was cancelled.
millrace::Timestamp KnownAt(const Flight& flight);

}  // namespace nyc_weather
