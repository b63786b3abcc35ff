#include <algorithm>
#include <cmath>

#include "cli/compare.h"

namespace millrace::cli {

Quantiles QuantilesOf(std::vector<double> values) {
  Quantiles quantiles{.count = values.size()};
  if (values.empty()) return quantiles;
  std::sort(values.begin(), values.end());
  const auto at = [&](double share) {
    const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(values.size())));
    return values[std::clamp<std::size_t>(rank, 1, values.size()) - 1];
  };
  quantiles.p50 = at(0.5);
  quantiles.p99 = at(0.99);
  quantiles.max = values.back();
  return quantiles;
}

std::vector<double> FreshnessOf(const std::vector<FlowSample>& samples) {
  std::vector<double> ages;
  for (const FlowSample& sample : samples) {
    if (sample.landed == 0) continue;
    // The first sample at which more had landed than is committed now: the one record too many came before it.
    const auto later = std::find_if(samples.begin(), samples.end(),
                                    [&](const FlowSample& other) { return other.landed > sample.committed; });
    if (later == samples.end() || later->at_s > sample.at_s) {
      ages.push_back(0);
      continue;
    }
    double landed_at = later->at_s;
    if (later != samples.begin()) {
      const FlowSample& before = *(later - 1);
      const double share =
          static_cast<double>(sample.committed - before.landed) / static_cast<double>(later->landed - before.landed);
      landed_at = before.at_s + std::max(share, 0.0) * (later->at_s - before.at_s);
    }
    ages.push_back(sample.at_s - landed_at);
  }
  return ages;
}

std::vector<double> CertaintyLagOf(const std::vector<FlowSample>& samples, Duration every) {
  std::vector<double> lags;
  if (samples.empty() || samples.back().certain == Timestamp::Min()) return lags;
  for (Timestamp end = samples.back().certain_from + every; end <= samples.back().certain; end += every) {
    const auto passed =
        std::find_if(samples.begin(), samples.end(), [&](const FlowSample& sample) { return sample.watermark >= end; });
    const auto certain =
        std::find_if(samples.begin(), samples.end(), [&](const FlowSample& sample) { return sample.certain >= end; });
    if (passed == samples.end() || certain == samples.end()) continue;
    lags.push_back(std::max(certain->at_s - passed->at_s, 0.0));
  }
  return lags;
}

}  // namespace millrace::cli
