#include "nexmark/pace.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "base/random.h"
#include "base/test_settings.h"

namespace millrace::nexmark {
namespace {

TEST(LatencyHistogramTest, PercentilesAreThoseOfTheSortedLatenciesWithinAStep) {
  base::Random random(base::TestSeed());
  for (const std::int64_t most : {50LL, 5'000LL, 3'000'000LL, 4'000'000'000LL}) {
    LatencyHistogram histogram;
    std::vector<std::int64_t> sorted;
    for (int i = 0; i < 20'000; ++i) {
      sorted.push_back(random.Between(0, most));
      histogram.Add(std::chrono::microseconds(sorted.back()));
    }
    std::sort(sorted.begin(), sorted.end());
    const LatencySummary summary = histogram.Summary();
    const auto expect = [&](double found_ms, std::size_t rank) {
      const double exact_ms = static_cast<double>(sorted[rank - 1]) / 1000;
      EXPECT_GE(found_ms, exact_ms);
      EXPECT_LE(found_ms, exact_ms * (1 + 1.0 / 32) + 0.001);
    };
    expect(summary.p50_ms, 10'000);
    expect(summary.p99_ms, 19'800);
    expect(summary.p999_ms, 19'980);
    expect(summary.max_ms, 20'000);
  }
}

TEST(LatencyHistogramTest, WithoutLatenciesAllIsZero) {
  const LatencySummary summary = LatencyHistogram().Summary();
  EXPECT_EQ(summary.p50_ms, 0);
  EXPECT_EQ(summary.max_ms, 0);
}

TEST(PaceTest, RowsAreDueAtTheirRateAndResultsAreLateFromThere) {
  Pace pace(1'000, 500);  // two seconds of the clock are four of event time
  const auto begin = Pace::Clock::now();
  EXPECT_EQ(pace.DueRows(begin), 0);
  const auto later = begin + std::chrono::seconds(3);
  const std::int64_t due = pace.DueRows(later);
  EXPECT_NEAR(static_cast<double>(due), 2'800, 20);
  EXPECT_LE(pace.UntilDue(due - 1, later), Duration(0));
  EXPECT_GT(pace.UntilDue(due, later), Duration(0));
  // Four seconds of event time are due two after the start, which is 0.2 s after `begin`.
  pace.Arrived(Timestamp::FromMillis(kBaseMs + 4'000), later);
  EXPECT_NEAR(pace.Summary().max_ms, 800, 50);
}

}  // namespace
}  // namespace millrace::nexmark
