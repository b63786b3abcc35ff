// Delays of three million flights, per airport and hour and per route: see README.md beside this file.
#include "millrace/runner/main.h"

#include <chrono>
#include <filesystem>
#include <string>

#include "definition.h"
#include "millrace/io/csv.h"
#include "millrace/io/parquet.h"

namespace flights {
namespace {

using namespace std::chrono_literals;

struct Options {
  std::string input = ".setup/data/flights-3m.parquet";
  std::string airports;  // empty: airports.csv beside the input
};

std::string EventOf(const FlightRow& row) {
  return millrace::json::Write(Flight{row.row, row.date, row.delay, row.distance, row.origin, row.destination});
}

void Build(millrace::Pipeline& pipeline, const Options& options) {
  const std::string airports_file = options.airports.empty()
                                        ? std::filesystem::path(options.input).replace_filename("airports.csv").string()
                                        : options.airports;
  auto airports = pipeline | "Airports" >> millrace::csv::Read<Airport>(airports_file) |
                  "ByCode" >> millrace::WithKeys(&Airport::iata);
  auto events = pipeline |
                "Flights" >> millrace::parquet::Read<FlightRow>(options.input)
                                 .WithEventTime(&FlightRow::date)
                                 .WithRowNumber(&FlightRow::row)
                                 .MaxDisorder(10min) |
                "Publish" >> millrace::Map(EventOf);
  events | millrace::Named("Delays", FlightDelays{airports});
}

}  // namespace
}  // namespace flights

int main(int argc, char** argv) {
  return millrace::Main(
      argc, argv,
      millrace::Job(flights::Build)
          .Description("Delays of flights per airport and hour (view hourly_delays) and per route and six hours "
                       "(view route_delays)."));
}
