#include "events.h"

#include <charconv>

namespace nyc_weather {

namespace {

template <class Number>
std::optional<Number> NumberOf(const std::string& text) {
  Number number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

Flight FlightOf(const FlightRow& row) {
  return {.id = row.carrier + std::to_string(row.flight) + " " + row.time_hour.ToString(),
          .scheduled = row.time_hour + std::chrono::minutes(row.minute),
          .delay = NumberOf<std::int32_t>(row.dep_delay),
          .tail = row.tailnum,
          .origin = row.origin,
          .destination = row.dest,
          .distance = row.distance};
}

Weather WeatherOf(const WeatherRow& row) {
  return {.origin = row.origin,
          .at = row.time_hour,
          .temp = NumberOf<double>(row.temp),
          .wind_speed = NumberOf<double>(row.wind_speed),
          .precip = row.precip,
          .visib = row.visib};
}

millrace::Timestamp KnownAt(const Flight& flight) {
  return flight.scheduled + std::chrono::minutes(flight.delay.value_or(0));
}

}  // namespace nyc_weather
