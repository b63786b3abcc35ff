#include "millrace/core/pipeline.h"

#include <algorithm>
#include <utility>

#include "millrace/core/coder.h"
#include "millrace/transforms/deduplicate.h"
#include "millrace/transforms/flatten.h"
#include "millrace/transforms/side_input.h"
#include "model/describe.h"
#include "model/validate.h"

namespace millrace {

Pipeline::Pipeline() : graph_(std::make_unique<detail::Graph>()) {}
Pipeline::~Pipeline() = default;
Pipeline::Pipeline(Pipeline&&) noexcept = default;
Pipeline& Pipeline::operator=(Pipeline&&) noexcept = default;

Status Pipeline::Validate(bool streaming) const {
  const std::vector<std::string> mistakes = model::FindMistakes(*graph_, streaming);
  if (mistakes.empty()) return OkStatus();
  std::string text = mistakes.size() == 1 ? "the pipeline has a mistake:"
                                          : "the pipeline has " + std::to_string(mistakes.size()) + " mistakes:";
  for (const std::string& mistake : mistakes) text += "\n  " + mistake;
  return InvalidArgumentError(text);
}

std::string Pipeline::Describe() const { return model::Describe(*graph_); }

namespace detail {

void CheckSideInputs(Graph& graph, ParDoPayload& payload, const std::vector<const std::type_info*>& types) {
  std::vector<SideInputUse> ordered;
  for (std::size_t i = 0; i < payload.declared_side_inputs.size(); ++i) {
    const std::string& name = payload.declared_side_inputs[i];
    const auto is_it = [&](const SideInputUse& use) { return use.name == name; };
    const auto bound = std::find_if(payload.side_inputs.begin(), payload.side_inputs.end(), is_it);
    if (bound == payload.side_inputs.end()) {
      graph.AddMistake(graph.CurrentLabel(), "side input \"" + name + "\" is not bound; add .WithSideInput(\"" + name +
                                                 "\", AsMap(...)), AsSingleton or AsIterable");
      continue;
    }
    if (*bound->value_type != *types[i]) {
      graph.AddMistake(graph.CurrentLabel(), "side input \"" + name + "\" is declared as " +
                                                 ReadableTypeName(*types[i]) + " but bound to " +
                                                 ReadableTypeName(*bound->value_type));
      continue;
    }
    if (std::find_if(bound + 1, payload.side_inputs.end(), is_it) != payload.side_inputs.end()) {
      graph.AddMistake(graph.CurrentLabel(), "side input \"" + name + "\" is bound twice");
    }
    if (graph.Owns(*bound->graph, "side input \"" + name + "\"")) ordered.push_back(*bound);
  }
  for (const SideInputUse& use : payload.side_inputs) {
    const auto& declared = payload.declared_side_inputs;
    if (std::find(declared.begin(), declared.end(), use.name) == declared.end()) {
      graph.AddMistake(graph.CurrentLabel(), "its DoFn has no side input \"" + use.name + "\"");
    }
  }
  payload.side_inputs = std::move(ordered);
}

void CheckIdDeterministic(Graph& graph, const Type& type) {
  std::string why;
  if (IsDeterministic(type, &why)) return;
  graph.AddMistake(graph.CurrentLabel(),
                   "ids must be equal exactly when their encodings are, and these are not: " + why);
}

void CheckSameWindowing(Graph& graph, const std::vector<int>& inputs) {
  for (const int input : inputs) {
    const std::string first = graph.pcollection(inputs.front()).windowing.ToString();
    const std::string other = graph.pcollection(input).windowing.ToString();
    if (first == other) continue;
    graph.AddMistake(graph.CurrentLabel(), "the inputs of Flatten are windowed differently, " + first + " and " +
                                               other + "; apply the same WindowInto to each first");
    return;
  }
}

}  // namespace detail
}  // namespace millrace
