// The whole definition against the obvious loop: random events, both modes, one to four threads.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <random>
#include <set>

#include "definition.h"
#include "millrace/testing/memory_views.h"

namespace flights {
namespace {

using millrace::Duration;
using millrace::KV;
using millrace::Status;
using millrace::StatusOr;
using millrace::Timestamp;
using millrace::TimestampedValue;
using namespace std::chrono_literals;

using Events = std::vector<TimestampedValue<std::string>>;

// Reads each partition in its order.
struct EventSource {
  using Element = std::string;
  std::shared_ptr<const std::vector<Events>> partitions;

  StatusOr<std::vector<millrace::Restriction>> InitialRestrictions(const millrace::SplitOptions&) const {
    std::vector<millrace::Restriction> restrictions;
    for (std::size_t i = 0; i < partitions->size(); ++i) {
      restrictions.push_back(
          {.partition = std::to_string(i), .from = 0, .to = static_cast<std::int64_t>((*partitions)[i].size())});
    }
    return restrictions;
  }
  StatusOr<millrace::ProcessContinuation> Read(millrace::RestrictionTracker& tracker, millrace::WatermarkEstimator&,
                                               millrace::SourceOutput<std::string>& out) {
    const Events& events = (*partitions)[std::stoul(tracker.partition())];
    const auto count = static_cast<std::int64_t>(events.size());
    for (std::int64_t i = tracker.from(); i < count && tracker.TryClaim(i); ++i) {
      const auto& event = events[static_cast<std::size_t>(i)];
      out.Emit(event.value, event.timestamp);
    }
    return millrace::ProcessContinuation::Stop();
  }
};

class CountingLetters : public millrace::DeadLetterSink {
 public:
  Status Write(std::span<const millrace::DeadLetter> letters) override {
    const std::lock_guard lock(mutex_);
    count_ += letters.size();
    return millrace::OkStatus();
  }
  Status Finish() override { return millrace::OkStatus(); }
  std::size_t count() const {
    const std::lock_guard lock(mutex_);
    return count_;
  }

 private:
  mutable std::mutex mutex_;
  std::size_t count_ = 0;
};

const std::vector<std::string> kAirports = {"ATL", "BOS", "LAX", "ORD"};

// Flights of 30 hours, some of them more than once, some impossible, and texts that are no flights; each partition is
// out of order by less than ten minutes.
std::shared_ptr<const std::vector<Events>> RandomEvents(std::mt19937& random) {
  std::vector<std::vector<std::pair<std::int64_t, TimestampedValue<std::string>>>> arrivals(random() % 3 + 1);
  const auto arrive = [&](const std::string& event, Timestamp at) {
    const std::int64_t at_s = at.millis() / 1000;
    arrivals[random() % arrivals.size()].push_back({at_s + static_cast<std::int64_t>(random() % 590), {event, at}});
  };
  for (std::int64_t id = 0; id < 400; ++id) {
    const Timestamp at = Timestamp::FromSeconds(993'945'600 + static_cast<std::int64_t>(random() % 108'000));
    if (random() % 20 == 0) {
      arrive(random() % 2 == 0 ? "garbage" : "{\"id\":", at);
      continue;
    }
    Flight flight{id,
                  at,
                  static_cast<std::int32_t>(random() % 300) - 100,
                  static_cast<std::int32_t>(random() % 3000) + 1,
                  kAirports[random() % kAirports.size()],
                  kAirports[random() % kAirports.size()]};
    if (random() % 25 == 0) flight.origin = "???";
    if (random() % 25 == 0) flight.destination = "";
    if (random() % 25 == 0) flight.delay = 2000;
    if (random() % 25 == 0) flight.distance = 0;
    const std::string event = millrace::json::Write(flight);
    const std::uint64_t copies = random() % 8 == 0 ? 1 + random() % 3 : 1;
    for (std::uint64_t copy = 0; copy < copies; ++copy) arrive(event, at);
  }
  auto partitions = std::make_shared<std::vector<Events>>();
  for (auto& partition : arrivals) {
    std::stable_sort(partition.begin(), partition.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    partitions->emplace_back();
    for (auto& [time, event] : partition) partitions->back().push_back(std::move(event));
  }
  return partitions;
}

// Every row as text: key and window, and its value.
using RowTexts = std::map<std::string, std::string>;

template <class K>
std::string RowText(const K& key, Timestamp start, Timestamp end) {
  return millrace::json::Write(key) + " " + start.ToString() + " " + end.ToString();
}

struct Expected {
  std::map<std::string, DelayStats> hourly;
  std::map<std::string, DelayStats> routes;
  std::size_t rejects = 0;
};

void Add(DelayStats& stats, const Flight& flight) {
  stats.delay_max = stats.flights == 0 ? flight.delay : std::max<std::int64_t>(stats.delay_max, flight.delay);
  stats.flights += 1;
  if (flight.delay >= 15) stats.delayed += 1;
  stats.delay_sum += flight.delay;
  stats.distance_sum += flight.distance;
}

// The obvious slow loop.
Expected Loop(const std::vector<Events>& partitions) {
  Expected expected;
  std::set<std::int64_t> seen;
  const std::set<std::string> airports(kAirports.begin(), kAirports.end());
  for (const Events& events : partitions) {
    for (const auto& event : events) {
      const StatusOr<Flight> flight = millrace::json::Parse<Flight>(event.value);
      if (!flight.ok() || !airports.contains(flight->origin) || !airports.contains(flight->destination) ||
          flight->delay < -120 || flight->delay > 1440 || flight->distance <= 0) {
        ++expected.rejects;
        continue;
      }
      if (!seen.insert(flight->id).second) continue;
      const Timestamp hour = Timestamp::FromSeconds(flight->at.millis() / 3'600'000 * 3600);
      Add(expected.hourly[RowText(flight->origin, hour, hour + 1h)], *flight);
      for (int back = 0; back < 6; ++back) {
        const Timestamp start = hour - std::chrono::hours(back);
        Add(expected.routes[RowText(Route{flight->origin, flight->destination}, start, start + 6h)], *flight);
      }
    }
  }
  return expected;
}

RowTexts Texts(const std::map<std::string, DelayStats>& rows) {
  RowTexts texts;
  for (const auto& [row, stats] : rows) texts[row] = millrace::json::Write(stats);
  return texts;
}

template <class K>
RowTexts Texts(const millrace::testing::MemoryViews& views, const std::string& view) {
  RowTexts texts;
  const auto rows = views.Rows<K, DelayStats>(view);
  EXPECT_EQ(rows.status(), millrace::OkStatus());
  if (!rows.ok()) return texts;
  for (const auto& row : *rows) {
    const bool is_new =
        texts.emplace(RowText(row.key, row.window_start, row.window_end), millrace::json::Write(row.value)).second;
    EXPECT_TRUE(is_new) << "a cell twice";
  }
  return texts;
}

struct Mode {
  bool streaming;
  int threads;
};

class FlightDelaysTest : public ::testing::TestWithParam<Mode> {};

INSTANTIATE_TEST_SUITE_P(Modes, FlightDelaysTest,
                         ::testing::Values(Mode{false, 1}, Mode{false, 2}, Mode{false, 3}, Mode{false, 4},
                                           Mode{true, 1}, Mode{true, 2}, Mode{true, 3}, Mode{true, 4}),
                         [](const auto& mode) {
                           return std::string(mode.param.streaming ? "Streaming" : "Batch") +
                                  std::to_string(mode.param.threads);
                         });

TEST_P(FlightDelaysTest, EqualsTheObviousLoop) {
  for (unsigned seed = 1; seed <= 10; ++seed) {
    std::mt19937 random(seed);
    const auto partitions = RandomEvents(random);
    std::vector<KV<std::string, Airport>> known;
    for (const std::string& code : kAirports) known.push_back({code, Airport{code, "City of " + code, "ST"}});
    auto views = std::make_shared<millrace::testing::MemoryViews>();
    auto letters = std::make_shared<CountingLetters>();
    millrace::Pipeline pipeline;
    auto airports = pipeline | "Airports" >> millrace::Create(known);
    pipeline | "Events" >> millrace::Read(EventSource{partitions}).MaxDisorder(10min) |
        millrace::Named("Delays", FlightDelays{airports});
    millrace::RunOptions options;
    options.streaming = GetParam().streaming;
    options.threads = GetParam().threads;
    options.bundle_elements = 1 + static_cast<std::int64_t>(random() % 60);
    options.views = views;
    options.dead_letters = letters;
    ASSERT_EQ(pipeline.Run(options).status, millrace::OkStatus());
    ASSERT_TRUE(views->finished());
    const Expected expected = Loop(*partitions);
    ASSERT_GT(expected.hourly.size(), 50U);
    ASSERT_GT(expected.rejects, 10U);
    ASSERT_EQ(Texts<std::string>(*views, "hourly_delays"), Texts(expected.hourly)) << "seed " << seed;
    ASSERT_EQ(Texts<Route>(*views, "route_delays"), Texts(expected.routes)) << "seed " << seed;
    ASSERT_EQ(letters->count(), expected.rejects) << "seed " << seed;
  }
}

}  // namespace
}  // namespace flights
