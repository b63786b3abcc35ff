// Finds the mistakes of a graph that its types could not: all of them, with labels, before anything runs.
#pragma once

#include <string>
#include <vector>

#include "millrace/detail/graph.h"

namespace millrace::model {

/// Each mistake starts with the label of the transform. `streaming`: as the pipeline is going to be run.
std::vector<std::string> FindMistakes(const detail::Graph& graph, bool streaming);

}  // namespace millrace::model
