// Delays of three million flights, per airport and hour and per route: see README.md beside this file.
#include "millrace/runner/main.h"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>

#include "definition.h"
#include "millrace/io/csv.h"
#include "millrace/io/for_each.h"
#include "millrace/io/log.h"
#include "millrace/io/parquet.h"
#include "millrace/topology/kappa.h"
#include "millrace/topology/lambda.h"

namespace flights {
namespace {

using namespace std::chrono_literals;

constexpr millrace::Duration kMaxDisorder = 10min;

struct Options {
  std::string source = "file";
  std::string input = ".setup/data/flights-3m.parquet";
  std::string airports;  // empty: airports.csv beside the input
  std::string delayed_state;
  std::int32_t delayed_minutes = DelayedRule::kMinutes;

  static constexpr millrace::OptionHelp kOptionHelp[] = {
      {"source", "where the events come from: file (--input) or log (what `publish` put into the data directory)"},
      {"input", "the file of flights"},
      {"airports", "the file of airports; by default airports.csv beside the input"},
      {"delayed_state", "flights from this state are delayed from delayed_minutes on, others from 15 minutes on"},
      {"delayed_minutes", "see delayed_state"},
  };
};

Flight FlightOf(const FlightRow& row) {
  return {row.row, row.date, row.delay, row.distance, row.origin, row.destination};
}
std::string EventOf(const FlightRow& row) { return millrace::json::Write(FlightOf(row)); }

auto ReadFlights(const std::string& file) {
  return millrace::parquet::Read<FlightRow>(file).WithEventTime(&FlightRow::date).WithRowNumber(&FlightRow::row);
}

// region publish
// What `publish` appends: the events of one route go to one partition.
millrace::Status ReadRecords(const std::string& file, const millrace::TakeRecord& take) {
  return millrace::ForEach(ReadFlights(file), [&](const FlightRow& row, millrace::Timestamp at) {
    return take(
        {.id = std::to_string(row.row), .event_time = at, .key = row.origin + row.destination, .data = EventOf(row)});
  });
}

// Broken JSON, a text where a number belongs, or an airport that is not known.
std::string Garbage(const millrace::ProducerRecord& good, std::uint64_t random) {
  if (random % 3 == 0) return good.data.substr(0, 1 + random / 3 % (good.data.size() - 1));
  Flight flight = *millrace::json::Parse<Flight>(good.data);
  flight.id = -1 - static_cast<std::int64_t>(random / 3 % 1'000'000'000);
  if (random % 3 == 1) flight.origin = "???";
  std::string data = millrace::json::Write(flight);
  if (random % 3 == 2) {
    const std::string field = "\"delay\":";
    const std::size_t begin = data.find(field) + field.size();
    data.insert(data.find(',', begin), "\"");
    data.insert(begin, "\"");
  }
  return data;
}
// end publish

millrace::PCollection<std::string> EventsOfFile(millrace::Pipeline& pipeline, const Options& options) {
  return pipeline | "Flights" >> ReadFlights(options.input).MaxDisorder(kMaxDisorder) |
         "Publish" >> millrace::Map(EventOf);
}

// The run ends when the topic is closed.
millrace::PCollection<std::string> EventsOfLog(millrace::Pipeline& pipeline, const millrace::PipelineOptions& options) {
  return pipeline |
         "Log" >> millrace::log::Read({.folder = options.data_dir + "/log",
                                       .topic = options.topic,
                                       .max_disorder = kMaxDisorder,
                                       .until_closed = true}) |
         "Event" >> millrace::Map([](const millrace::LogRecord& record) { return record.data; });
}

void BuildViews(millrace::Pipeline& pipeline, const millrace::PCollection<std::string>& events,
                const Options& options) {
  const std::string airports_file = options.airports.empty()
                                        ? std::filesystem::path(options.input).replace_filename("airports.csv").string()
                                        : options.airports;
  auto airports = pipeline | "Airports" >> millrace::csv::Read<Airport>(airports_file) |
                  "ByCode" >> millrace::WithKeys(&Airport::iata);
  const DelayedRule delayed{.state = options.delayed_state, .minutes_in_state = options.delayed_minutes};
  events | millrace::Named("Delays", FlightDelays{airports, delayed});
}

millrace::Status Build(millrace::Pipeline& pipeline, const Options& options,
                       const millrace::PipelineOptions& pipeline_options) {
  if (options.source != "file" && options.source != "log") {
    return millrace::InvalidArgumentError("--source=" + options.source + ": give file or log");
  }
  BuildViews(pipeline,
             options.source == "log" ? EventsOfLog(pipeline, pipeline_options) : EventsOfFile(pipeline, options),
             options);
  return millrace::OkStatus();
}

// region kappa
// The logic of the topology: from the records of the topic to the views.
void FlightViews(millrace::Pipeline& pipeline, const millrace::PCollection<millrace::LogRecord>& records,
                 const Options& options) {
  auto events = records | "Event" >> millrace::Map([](const millrace::LogRecord& record) { return record.data; });
  BuildViews(pipeline, events, options);
}

const millrace::topology::Kappa kKappa{
    .log = {.max_disorder = kMaxDisorder}, .logic = FlightViews, .views = {"hourly_delays", "route_delays"}};
// end kappa

// region lambda
// The same logic, with a batch layer of days; each view can be computed by a SQL file, too.
const millrace::topology::Lambda kLambda{
    .log = {.max_disorder = kMaxDisorder},
    .logic = FlightViews,
    .views = {"hourly_delays", "route_delays"},
    .every = 24h,
    .sql = {{"hourly_delays", "hourly_delays.sql"}, {"route_delays", "route_delays.sql"}},
    .sql_folder = "examples/flights"};
// end lambda

}  // namespace
}  // namespace flights

// region main
int main(int argc, char** argv) {
  const auto program = [](const millrace::Job& job) {
    return job.Publishes({.read = flights::ReadRecords, .garbage = flights::Garbage})
        .Description(
            "Delays of flights per airport and hour (view hourly_delays) and per route and six hours "
            "(view route_delays).");
  };
  return millrace::Main(argc, argv,
                        {{"pipeline", program(flights::Build)},
                         {"kappa", program(flights::kKappa)},
                         {"lambda", program(flights::kLambda)}});
}
// end main
