// The graph in words, for `describe` and for people who wonder what a pipeline will do.
#pragma once

#include <string>

#include "millrace/detail/graph.h"

namespace millrace::model {

std::string Describe(const detail::Graph& graph);

}  // namespace millrace::model
