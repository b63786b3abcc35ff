// The events of the flights example and what is known of airports.
#pragma once

#include <cstdint>
#include <string>

#include "millrace/core/timestamp.h"

namespace flights {

/// A row of flights-3m.parquet: what a producer would know.
struct FlightRow {
  std::int64_t row = 0;       // its number in the file: the event's id
  millrace::Timestamp date;   // scheduled departure; local time, taken as UTC
  std::int32_t delay = 0;     // of the arrival, in minutes; negative: early
  std::int32_t distance = 0;  // in miles
  std::string origin;
  std::string destination;
};

/// The event that a producer publishes, as JSON.
struct Flight {
  std::int64_t id = 0;
  millrace::Timestamp at;
  std::int32_t delay = 0;
  std::int32_t distance = 0;
  std::string origin;
  std::string destination;
};

/// A row of airports.csv.
struct Airport {
  std::string iata;
  std::string city;
  std::string state;
};

/// A flight with where it started.
struct EnrichedFlight {
  Flight flight;
  std::string city;
  std::string state;
};

/// An event that is no flight, and why.
struct Reject {
  std::string event;
  std::string reason;
};

}  // namespace flights
