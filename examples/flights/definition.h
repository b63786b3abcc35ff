// The one definition of the flights example: from JSON events to two views. It knows nothing of files, streams or
// topologies.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>

#include "flight.h"
#include "millrace/millrace.h"

namespace flights {

using Airports = std::map<std::string, Airport>;

/// What both views show of a group of flights.
struct DelayStats {
  std::int64_t flights = 0;
  std::int64_t delayed = 0;
  std::int64_t delay_sum = 0;
  std::int64_t delay_max = 0;
  std::int64_t distance_sum = 0;
};

/// The part of a flight that is aggregated. The id is not: it says which flight an aggregation dropped as too late.
struct Delay {
  std::int32_t minutes = 0;
  std::int32_t distance = 0;
  std::int64_t id = 0;
  bool delayed = false;
};

/// Which flights count as delayed.
struct DelayedRule {
  static constexpr std::int32_t kMinutes = 15;

  std::string state = {};  // where flights from this state have a limit of their own
  std::int32_t minutes_in_state = kMinutes;

  bool Holds(const EnrichedFlight& flight) const {
    return flight.flight.delay >= (flight.state == state ? minutes_in_state : kMinutes);
  }
};

struct Route {
  std::string origin;
  std::string destination;
};

/// The CombineFn of both views.
struct DelayStatsFn {
  DelayStats CreateAccumulator() const { return {}; }
  void AddInput(DelayStats& stats, const Delay& delay) const;
  void MergeAccumulators(DelayStats& into, const DelayStats& from) const;
  DelayStats ExtractOutput(const DelayStats& stats) const { return stats; }
};

/// The text of an event as a flight.
void ParseFlight(const std::string& event, millrace::Output<Flight> flights, millrace::Output<Reject> rejects);

/// Known airports, a delay between -120 and 1440 minutes, a positive distance.
struct ValidateFlight {
  void ProcessElement(const Flight& flight, millrace::SideInput<"airports", Airports> airports,
                      millrace::Output<Flight> valid, millrace::Output<Reject> rejects) const;
};

/// Adds the origin's city and state.
struct EnrichFlight {
  void ProcessElement(const Flight& flight, millrace::SideInput<"airports", Airports> airports,
                      millrace::Output<EnrichedFlight> enriched) const;
};

/// parse ▸ validate ▸ dedupe ▸ enrich ▸ the views `hourly_delays` and `route_delays`.
struct FlightDelays {
  millrace::PCollection<millrace::KV<std::string, Airport>> airports;
  DelayedRule delayed = {};

  void Expand(const millrace::PCollection<std::string>& events) const;
};

}  // namespace flights
