// The plan: a checked graph as the operators that one worker runs, in topological order. Flatten has no operator of its
// own: whoever reads its output reads its inputs. A ParDo's side inputs have collectors as operators.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "millrace/core/status.h"
#include "millrace/detail/graph.h"
#include "millrace/io/view_sink.h"

namespace millrace::exec {

struct Upstream {
  int node;
  int output;
};

/// What all workers share of one operator.
struct PlanNode {
  std::string label;
  std::string kind;  // "Read", "ParDo", "CombinePerKey": the transform
  std::vector<Upstream> inputs;
  int outputs = 0;
  bool keyed = false;  // exchanges batches with the same operator of other workers
  bool is_source = false;
  const detail::ReadPayload* read = nullptr;  // of a source
  std::vector<int> side_inputs;               // collector nodes, in the order of the DoFn's parameters
  bool is_collector = false;
  const Type* input_type = nullptr;        // null where it has no schema
  DeadLetterSink* late = nullptr;          // takes what comes too late; may be null
  WindowFn side_window_fn;                 // of a collector: the windows of the side input
  std::vector<int> gates;                  // of a source: collectors that are to be complete before it is read
  bool keeps_letters = false;              // of a step that writes dead letters, or late elements
  bool combines = false;                   // what it puts out does not come from one element
  std::vector<bool> outputs_with_origins;  // whether a step ahead wants to know where elements came from
  detail::OperatorFactory make;
};

struct Plan {
  std::vector<PlanNode> nodes;
};

/// Where the sinks of the plan write. `views` may be null.
struct PlanSinks {
  ViewSink* views = nullptr;
  DeadLetterSink* dead_letters = nullptr;
  /// Takes elements that come after the allowed lateness, named "late". Null: they are only counted.
  DeadLetterSink* late = nullptr;
  /// Sinks of other kinds are given nothing.
  bool drops_others = false;
};

/// The graph must have been validated and must outlive the plan.
Plan MakePlan(const detail::Graph& graph, const PlanSinks& sinks);

}  // namespace millrace::exec
