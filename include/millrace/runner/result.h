// What a run of a pipeline leaves behind.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "millrace/core/metrics.h"
#include "millrace/core/status.h"
#include "millrace/runner/ledger.h"

namespace millrace {

/// How often a step did what, beside the user's own metrics. Keys are labels.
struct StepCounts {
  std::int64_t elements_out = 0;  // of all outputs
  std::int64_t late_dropped = 0;  // (element, window) pairs that came after the allowed lateness
};

class PipelineResult {
 public:
  enum class State { kDone, kFailed, kCancelled };

  State state = State::kDone;
  Status status;
  std::map<std::string, StepMetrics> metrics;  // by label
  std::map<std::string, StepCounts> steps;     // by label
  Ledger ledger;                               // of a run that has failed: as far as its checkpoints go
  double wall_s = 0;

  bool ok() const { return state == State::kDone; }
  /// A counter's sum over all steps.
  std::int64_t Counter(const std::string& name) const;
};

}  // namespace millrace
