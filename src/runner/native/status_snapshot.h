// The status of a run out of what its workers tell.
#pragma once

#include <memory>
#include <vector>

#include "exec/plan.h"
#include "millrace/detail/graph.h"
#include "millrace/runner/status.h"
#include "runner/native/worker.h"

namespace millrace::native {

/// Sources, steps, views and dead letters, with the totals of elements and the watermark; the rest is left to the
/// caller. Asks the workers, and takes what each told when it was asked before. Any thread.
RunStatus SnapshotOf(const detail::Graph& graph, const exec::Plan& plan,
                     const std::vector<std::unique_ptr<Worker>>& workers);

}  // namespace millrace::native
