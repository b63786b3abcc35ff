// Deduplicate: of the elements with one id, the first to arrive survives.
//
//   clicks | "Dedupe" >> Deduplicate(&Click::id).Within(24h)
//
// An id is remembered until the watermark has passed the event time of its first element by the horizon, as Beam's
// Deduplicate does in the event-time domain. Apply it before windowing: duplicates cross windows. The horizon should be
// at least the allowed lateness of what follows, and duplicates of one id should share their event time: then what
// survives depends neither on threads nor on timing.
#pragma once

#include <functional>
#include <string>
#include <type_traits>
#include <utility>

#include "millrace/core/pcollection.h"
#include "millrace/detail/deduplicate_kernel.h"
#include "millrace/detail/key_check.h"
#include "millrace/transforms/map.h"

namespace millrace {

namespace detail {
/// Notes a mistake where ids may be equal without having the same encoding, or the other way round.
void CheckIdDeterministic(Graph& graph, const Type& type);

template <class F>
struct DeduplicateTransform : TransformBase {
  DeduplicateTransform(F f, Duration within) : id(std::move(f)), horizon(within) {}
  std::string DefaultLabel() const { return "Deduplicate"; }

  DeduplicateTransform Within(Duration within) const { return DeduplicateTransform(id, within); }

  template <class T>
  auto Expand(const PCollection<T>& in) const {
    if constexpr (!CheckCallable<F, T>()) {
      return in;
    } else if constexpr (!CheckKey<std::decay_t<std::invoke_result_t<F&, const T&>>>()) {
      return in;
    } else {
      using Id = std::decay_t<std::invoke_result_t<F&, const T&>>;
      Graph& graph = GraphAccess::GraphOf(in);
      if (horizon <= Duration(0)) {
        graph.AddMistake(graph.CurrentLabel(),
                         "Deduplicate has no horizon; say for how long of event time an id is "
                         "remembered, such as .Within(24h)");
      }
      if constexpr (kDescribable<Id>) CheckIdDeterministic(graph, TypeOf<Id>());
      DeduplicatePayload payload;
      payload.horizon = horizon;
      payload.make = [f = id, within = horizon] { return std::make_unique<DeduplicateKernel<T, Id, F>>(f, within); };
      return AddUnary<T>(in, std::move(payload));
    }
  }

  F id;
  Duration horizon;
};
}  // namespace detail

/// `id` gives an element's id: a pointer to a member or a function.
template <class F>
auto Deduplicate(F id) {
  return detail::DeduplicateTransform<F>(std::move(id), Duration(0));
}

}  // namespace millrace
