#include "definition.h"

#include <algorithm>

namespace flights {

namespace {

using millrace::AfterCount;
using millrace::AfterProcessingTime;
using millrace::AfterWatermark;
using millrace::CombinePerKey;
using millrace::DeadLetters;
using millrace::Deduplicate;
using millrace::FixedWindows;
using millrace::KV;
using millrace::Map;
using millrace::ParDo;
using millrace::PCollection;
using millrace::SlidingWindows;
using millrace::View;
using millrace::WindowFn;
using millrace::WindowInto;
using namespace std::chrono_literals;

/// Both views show early results every ten seconds and correct themselves for an hour.
WindowInto Windows(WindowFn fn) {
  return WindowInto(fn)
      .Triggering(AfterWatermark{.early = AfterProcessingTime{10s}, .late = AfterCount{1}})
      .AllowedLateness(1h)
      .Accumulating();
}

Delay DelayOf(const EnrichedFlight& enriched, const DelayedRule& rule) {
  return {enriched.flight.delay, enriched.flight.distance, enriched.flight.id, rule.Holds(enriched)};
}

struct ByOrigin {
  DelayedRule rule;
  KV<std::string, Delay> operator()(const EnrichedFlight& enriched) const {
    return {enriched.flight.origin, DelayOf(enriched, rule)};
  }
};

struct ByRoute {
  DelayedRule rule;
  KV<Route, Delay> operator()(const EnrichedFlight& enriched) const {
    return {{enriched.flight.origin, enriched.flight.destination}, DelayOf(enriched, rule)};
  }
};

}  // namespace

void DelayStatsFn::AddInput(DelayStats& stats, const Delay& delay) const {
  stats.delay_max = stats.flights == 0 ? delay.minutes : std::max<std::int64_t>(stats.delay_max, delay.minutes);
  ++stats.flights;
  stats.delayed += delay.delayed ? 1 : 0;
  stats.delay_sum += delay.minutes;
  stats.distance_sum += delay.distance;
}

void DelayStatsFn::MergeAccumulators(DelayStats& into, const DelayStats& from) const {
  if (from.flights == 0) return;
  into.delay_max = into.flights == 0 ? from.delay_max : std::max(into.delay_max, from.delay_max);
  into.flights += from.flights;
  into.delayed += from.delayed;
  into.delay_sum += from.delay_sum;
  into.distance_sum += from.distance_sum;
}

void ParseFlight(const std::string& event, millrace::Output<Flight> flights, millrace::Output<Reject> rejects) {
  if (auto flight = millrace::json::Parse<Flight>(event)) {
    flights.Emit(*std::move(flight));
  } else {
    rejects.Emit(Reject{event, flight.status().message()});
  }
}

void ValidateFlight::ProcessElement(const Flight& flight, millrace::SideInput<"airports", Airports> airports,
                                    millrace::Output<Flight> valid, millrace::Output<Reject> rejects) const {
  const auto reject = [&](const std::string& reason) { rejects.Emit(Reject{millrace::json::Write(flight), reason}); };
  if (!airports->contains(flight.origin)) return reject("unknown airport " + flight.origin);
  if (!airports->contains(flight.destination)) return reject("unknown airport " + flight.destination);
  if (flight.delay < -120 || flight.delay > 1440)
    return reject("impossible delay of " + std::to_string(flight.delay) + " minutes");
  if (flight.distance <= 0) return reject("impossible distance of " + std::to_string(flight.distance) + " miles");
  valid.Emit(flight);
}

void EnrichFlight::ProcessElement(const Flight& flight, millrace::SideInput<"airports", Airports> airports,
                                  millrace::Output<EnrichedFlight> enriched) const {
  const Airport& origin = airports->at(flight.origin);
  enriched.Emit(EnrichedFlight{flight, origin.city, origin.state});
}

void FlightDelays::Expand(const PCollection<std::string>& events) const {
  const auto known = millrace::AsMap(airports);
  auto [parsed, no_flights] = events | "Parse" >> ParDo<ParseFlight>();
  auto [valid, impossible] = parsed | "Validate" >> ParDo(ValidateFlight{}).WithSideInput("airports", known);
  millrace::Flatten(no_flights, impossible).As("Rejects") | DeadLetters("flights");
  auto flights = valid | "Dedupe" >> Deduplicate(&Flight::id).Within(24h) |
                 "Enrich" >> ParDo(EnrichFlight{}).WithSideInput("airports", known);

  flights | "ByOrigin" >> Map(ByOrigin{delayed}) | "Hours" >> Windows(FixedWindows{1h}) |
      "HourlyStats" >> CombinePerKey(DelayStatsFn{}) | View("hourly_delays").Key("origin");

  flights | "ByRoute" >> Map(ByRoute{delayed}) | "SixHours" >> Windows(SlidingWindows{6h, 1h}) |
      "RouteStats" >> CombinePerKey(DelayStatsFn{}) | View("route_delays");
}

}  // namespace flights
