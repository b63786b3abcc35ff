// Departures from New York and the weather there, 2013: see README.md beside this file.
#include "millrace/runner/main.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

#include "definition.h"
#include "millrace/io/csv.h"
#include "millrace/io/for_each.h"
#include "millrace/io/log.h"

namespace nyc_weather {
namespace {

using namespace std::chrono_literals;

struct Options {
  std::string source = "file";
  std::string flights = ".setup/data/nyc_flights.csv";
  std::string weather = ".setup/data/nyc_weather.csv";

  static constexpr millrace::OptionHelp kOptionHelp[] = {
      {"source",
       "where the events come from: file (--flights, --weather) or log (what `publish` put into the topics "
       "flights and weather of the data directory)"},
      {"flights", "the file of flights"},
      {"weather", "the file of weather"},
  };
};

auto ReadFlights(const std::string& file) {
  return millrace::csv::Read<FlightRow>(file).WithEventTime(&FlightRow::time_hour).WithoutNewlinesInCells();
}
auto ReadWeather(const std::string& file) {
  return millrace::csv::Read<WeatherRow>(file).WithEventTime(&WeatherRow::time_hour).WithoutNewlinesInCells();
}

// What is published, when it becomes known and in that order.
struct Known {
  millrace::Timestamp at;
  millrace::ProducerRecord record;
};

millrace::Status TakeInOrder(std::vector<Known> known, const millrace::TakeRecord& take) {
  std::stable_sort(known.begin(), known.end(), [](const Known& a, const Known& b) { return a.at < b.at; });
  for (Known& each : known) {
    if (millrace::Status status = take(std::move(each.record)); !status.ok()) return status;
  }
  return millrace::OkStatus();
}

// A flight is an event of the time for which it is scheduled, known when it has departed; the weather of an hour is
// known when the hour begins. The header of the file tells which of them it holds.
millrace::Status ReadRecords(const std::string& file, const millrace::TakeRecord& take) {
  std::string header;
  std::getline(std::ifstream(file) >> std::ws, header);
  std::vector<Known> known;
  millrace::Status read;
  if (header.find("dep_delay") != std::string::npos) {
    read = millrace::ForEach(ReadFlights(file), [&](const FlightRow& row, millrace::Timestamp) {
      const Flight flight = FlightOf(row);
      known.push_back({KnownAt(flight),
                       {.id = flight.id,
                        .event_time = flight.scheduled,
                        .key = flight.origin + flight.destination,
                        .data = millrace::json::Write(flight)}});
      return millrace::OkStatus();
    });
  } else {
    read = millrace::ForEach(ReadWeather(file), [&](const WeatherRow& row, millrace::Timestamp) {
      const Weather weather = WeatherOf(row);
      known.push_back({weather.at,
                       {.id = weather.origin + " " + weather.at.ToString(),
                        .event_time = weather.at,
                        .key = weather.origin,
                        .data = millrace::json::Write(weather)}});
      return millrace::OkStatus();
    });
  }
  return read.ok() ? TakeInOrder(std::move(known), take) : read;
}

// The files are in no order of time: one begins with the months whose numbers begin with 1, the other has one airport
// behind the other.
constexpr millrace::Duration kFileDisorder = std::chrono::days(400);

millrace::PCollection<std::string> FlightsOfFile(millrace::Pipeline& pipeline, const std::string& file) {
  return pipeline | "Flights" >> ReadFlights(file).MaxDisorder(kFileDisorder) |
         "FlightEvents" >> millrace::Map([](const FlightRow& row) { return millrace::json::Write(FlightOf(row)); });
}
millrace::PCollection<std::string> WeatherOfFile(millrace::Pipeline& pipeline, const std::string& file) {
  return pipeline | "Weather" >> ReadWeather(file).MaxDisorder(kFileDisorder) |
         "WeatherEvents" >> millrace::Map([](const WeatherRow& row) { return millrace::json::Write(WeatherOf(row)); });
}

// A flight that departs more than an hour late may be late for its hour. The run ends when the topics are closed.
millrace::PCollection<std::string> EventsOfTopic(millrace::Pipeline& pipeline, const std::string& data_dir,
                                                 const std::string& topic) {
  return pipeline |
         ("Log of " + topic) >>
             millrace::log::Read(
                 {.folder = data_dir + "/log", .topic = topic, .max_disorder = 1h, .until_closed = true}) |
         ("Events of " + topic) >> millrace::Map([](const millrace::LogRecord& record) { return record.data; });
}

millrace::Status Build(millrace::Pipeline& pipeline, const Options& options,
                       const millrace::PipelineOptions& pipeline_options) {
  if (options.source != "file" && options.source != "log") {
    return millrace::InvalidArgumentError("--source=" + options.source + ": give file or log");
  }
  const bool of_log = options.source == "log";
  auto weather =
      of_log ? EventsOfTopic(pipeline, pipeline_options.data_dir, "weather") : WeatherOfFile(pipeline, options.weather);
  auto flights =
      of_log ? EventsOfTopic(pipeline, pipeline_options.data_dir, "flights") : FlightsOfFile(pipeline, options.flights);
  flights | millrace::Named("Nyc", NycWeather{weather});
  return millrace::OkStatus();
}

}  // namespace
}  // namespace nyc_weather

int main(int argc, char** argv) {
  return millrace::Main(argc, argv,
                        millrace::Job(nyc_weather::Build)
                            .Publishes({.read = nyc_weather::ReadRecords})
                            .Description("Departures from New York with the weather of their hour (view "
                                         "hourly_weather), sessions of aircraft (aircraft_sessions), and flights with "
                                         "the newest weather (enriched_flights)."));
}
