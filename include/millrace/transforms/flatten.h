// Flatten: several PCollections of one type as one (https://beam.apache.org/documentation/programming-guide/#flatten).
#pragma once

#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "millrace/core/pcollection.h"

namespace millrace {

namespace detail {
/// Notes a mistake where the inputs of a Flatten differ in windows, trigger, accumulation or allowed lateness.
void CheckSameWindowing(Graph& graph, const std::vector<int>& inputs);

template <class T>
struct FlattenTransform {
  std::vector<PCollection<T>> inputs;

  /// Applies it under a label.
  PCollection<T> As(const std::string& label) const {
    Graph& graph = GraphAccess::GraphOf(inputs.front());
    const Graph::Scope scope(graph, label, true);
    std::vector<int> indexes;
    for (const auto& input : inputs) {
      if (graph.Owns(GraphAccess::GraphOf(input), "an input of Flatten"))
        indexes.push_back(GraphAccess::IndexOf(input));
    }
    CheckSameWindowing(graph, indexes);
    const int transform = graph.Add(std::move(indexes), {&TypeInfoOf<T>()}, FlattenPayload{});
    return GraphAccess::Output<T>(graph, transform);
  }
};
}  // namespace detail

/// `Flatten(a, b, c).As("All")`.
template <class T, class... More>
auto Flatten(const PCollection<T>& first, const PCollection<More>&... more) {
  if constexpr ((std::is_same_v<T, More> && ...)) {
    return detail::FlattenTransform<T>{{first, more...}};
  } else {
    static_assert((std::is_same_v<T, More> && ...),
                  "Millrace: Flatten needs PCollections of one element type. Map them "
                  "to a common type first.");
    return detail::FlattenTransform<T>{{first}};
  }
}
/// Where one input has been reported already.
template <class... Inputs>
  requires(detail::kIsPoison<Inputs> || ...)
detail::Poison Flatten(const Inputs&...) {
  return {};
}
/// At least one: throws std::invalid_argument for none, since it would belong to no pipeline.
template <class T>
auto Flatten(std::vector<PCollection<T>> inputs) {
  if (inputs.empty()) throw std::invalid_argument("Flatten needs at least one PCollection");
  return detail::FlattenTransform<T>{std::move(inputs)};
}

}  // namespace millrace
