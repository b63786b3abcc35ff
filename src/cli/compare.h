// The verb `compare`: the same input through Kappa and through Lambda, side by side.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "cli/verbs.h"
#include "log/topic.h"
#include "millrace/core/status.h"
#include "millrace/core/timestamp.h"

namespace millrace::cli {

/// What is seen of a topology from outside while it works, a few times a second.
struct FlowSample {
  double at_s = 0;                         // since the start
  std::int64_t landed = 0;                 // records in the log
  std::int64_t committed = 0;              // of them, in a committed checkpoint
  Timestamp watermark = Timestamp::Min();  // of it
  Timestamp certain = Timestamp::Min();    // the end of what the batch layer has, which begins at ...
  Timestamp certain_from = Timestamp::Min();
};

/// Of a distribution.
struct Quantiles {
  double p50 = 0;
  double p99 = 0;
  double max = 0;
  std::size_t count = 0;
};
Quantiles QuantilesOf(std::vector<double> values);

/// For each sample after the first record: how long before it that many records had landed as are committed at it.
/// Between two samples records land evenly.
std::vector<double> FreshnessOf(const std::vector<FlowSample>& samples);

/// For each partition: from the moment that the watermark had passed its end to the one that the batch layer had it.
std::vector<double> CertaintyLagOf(const std::vector<FlowSample>& samples, Duration every);

}  // namespace millrace::cli
