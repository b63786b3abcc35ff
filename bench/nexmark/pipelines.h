// The queries as user pipelines on the public API.
#pragma once

#include <memory>
#include <mutex>

#include "millrace/core/pipeline.h"
#include "nexmark/options.h"
#include "nexmark/pace.h"
#include "nexmark/rows.h"

namespace millrace::nexmark {

/// Where a pipeline leaves its check.
struct CheckResult {
  std::mutex mutex;
  Check check;
};

/// Builds the query of `options`. `result` is filled while the pipeline runs. With a `pace` the rows come when they are
/// due, in `partitions` partitions, and latencies of the results are kept there.
void BuildQuery(const Options& options, Pipeline& pipeline, std::shared_ptr<CheckResult> result,
                std::shared_ptr<Pace> pace = nullptr, int partitions = 1);

}  // namespace millrace::nexmark
