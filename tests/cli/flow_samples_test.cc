// What `compare` makes of what it has seen.
#include <gtest/gtest.h>

#include <chrono>
#include <vector>

#include "cli/compare.h"

namespace millrace::cli {
namespace {

constexpr Duration kFlowDay = std::chrono::hours(24);

Timestamp FlowDay(int number) { return Timestamp() + number * kFlowDay; }

TEST(FlowSamplesTest, QuantilesAreOfTheValuesThatThereAre) {
  std::vector<double> values;
  for (int i = 100; i >= 1; --i) values.push_back(i);
  const Quantiles quantiles = QuantilesOf(values);
  EXPECT_EQ(quantiles.p50, 50);
  EXPECT_EQ(quantiles.p99, 99);
  EXPECT_EQ(quantiles.max, 100);
  EXPECT_EQ(quantiles.count, 100U);
  EXPECT_EQ(QuantilesOf({}).count, 0U);
  EXPECT_EQ(QuantilesOf({7}).p99, 7);
}

TEST(FlowSamplesTest, FreshnessIsTheAgeOfTheLastRecordThatIsCommitted) {
  const std::vector<FlowSample> samples = {{.at_s = 0, .landed = 0, .committed = 0},
                                           {.at_s = 1, .landed = 100, .committed = 0},
                                           {.at_s = 2, .landed = 200, .committed = 150},
                                           {.at_s = 3, .landed = 200, .committed = 200}};
  // At 1 s nothing is committed of what began to land at 0; at 2 s half of what landed in the last second; then all.
  EXPECT_EQ(FreshnessOf(samples), (std::vector<double>{1, 0.5, 0}));
}

TEST(FlowSamplesTest, APartitionIsCertainSoLongAfterTheWatermarkHasPassedIt) {
  const auto sample = [](double at_s, int watermark, int certain) {
    return FlowSample{.at_s = at_s,
                      .watermark = FlowDay(watermark) + std::chrono::hours(1),
                      .certain = certain > 0 ? FlowDay(certain) : Timestamp::Min(),
                      .certain_from = certain > 0 ? FlowDay(0) : Timestamp::Min()};
  };
  const std::vector<FlowSample> samples = {sample(0, 0, 0), sample(1, 1, 0), sample(2, 2, 0),
                                           sample(5, 2, 2), sample(6, 3, 2), sample(8, 3, 3)};
  EXPECT_EQ(CertaintyLagOf(samples, kFlowDay), (std::vector<double>{4, 3, 2}));
  EXPECT_TRUE(CertaintyLagOf({sample(0, 1, 0)}, kFlowDay).empty());
  EXPECT_TRUE(CertaintyLagOf({}, kFlowDay).empty());
}

}  // namespace
}  // namespace millrace::cli
