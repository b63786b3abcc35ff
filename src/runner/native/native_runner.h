// The native runner: runs a graph on threads of this process.
#pragma once

#include "millrace/detail/graph.h"
#include "millrace/runner/result.h"
#include "millrace/runner/run_options.h"

namespace millrace::native {

/// Blocks until the pipeline has ended. The graph must have been validated.
PipelineResult RunNative(const detail::Graph& graph, const RunOptions& options);

}  // namespace millrace::native
