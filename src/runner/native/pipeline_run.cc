#include "millrace/core/pipeline.h"
#include "runner/native/native_runner.h"

namespace millrace {

PipelineResult Pipeline::Run(const RunOptions& options) {
  PipelineResult result;
  if (Status valid = Validate(options.streaming); !valid.ok()) {
    result.state = PipelineResult::State::kFailed;
    result.status = std::move(valid);
    return result;
  }
  return native::RunNative(graph(), options);
}

std::int64_t PipelineResult::Counter(const std::string& name) const {
  std::int64_t sum = 0;
  for (const auto& [label, step] : metrics) {
    const auto found = step.counters.find(name);
    if (found != step.counters.end()) sum += found->second;
  }
  return sum;
}

}  // namespace millrace
