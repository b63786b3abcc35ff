// Side inputs: a PCollection given whole to a DoFn
// (https://beam.apache.org/documentation/programming-guide/#side-inputs).
//
//   auto enriched = flights | "Enrich" >> ParDo(Enrich{}).WithSideInput("airports", AsMap(airports));
//   // Enrich::ProcessElement(const Flight&, SideInput<"airports", std::map<std::string, Airport>>, Output<...>)
//
// An element waits until the side input is ready for the window that its own window's end falls into: until that has
// made its first pane, or its end has passed. Later panes take the place of earlier ones, so an unbounded PCollection
// in the global window with a trigger that fires repeatedly is a side input that changes slowly.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "millrace/core/pcollection.h"
#include "millrace/detail/key_check.h"
#include "millrace/detail/side_input_kernel.h"

namespace millrace {

namespace detail {

template <class Collector>
struct SideInputHandle {
  const Graph* graph;
  int pcollection;
  SideInputView view;

  SideInputUse Use(std::string name) const {
    SideInputUse use;
    use.name = std::move(name);
    use.graph = graph;
    use.pcollection = pcollection;
    use.view = view;
    use.value_type = &typeid(typename Collector::Value);
    use.make_collector = [windowing = graph->pcollection(pcollection).windowing] {
      return std::make_unique<SideInputKernel<Collector>>(windowing);
    };
    return use;
  }
};

/// Whether the bound side inputs are the declared ones, with their types.
void CheckSideInputs(Graph& graph, ParDoPayload& payload, const std::vector<const std::type_info*>& types);

}  // namespace detail

/// The only element of the PCollection in its window and pane; a `T{}` if there is none. More than one fails the job.
template <class T>
auto AsSingleton(const PCollection<T>& pcollection) {
  return detail::SideInputHandle<detail::SingletonCollector<T>>{&detail::GraphAccess::GraphOf(pcollection),
                                                                detail::GraphAccess::IndexOf(pcollection),
                                                                detail::SideInputView::kSingleton};
}
/// All elements, as std::vector<T>, in no particular order.
template <class T>
auto AsIterable(const PCollection<T>& pcollection) {
  return detail::SideInputHandle<detail::IterableCollector<T>>{&detail::GraphAccess::GraphOf(pcollection),
                                                               detail::GraphAccess::IndexOf(pcollection),
                                                               detail::SideInputView::kIterable};
}
/// KV elements as std::map<K, V>; a key that occurs twice fails the job, as in Beam.
template <class T>
auto AsMap(const PCollection<T>& pcollection) {
  if constexpr (!detail::kIsKv<T>) {
    static_assert(detail::kIsKv<T>,
                  "Millrace: AsMap needs a keyed PCollection<KV<K, V>>. Apply WithKeys before it, or "
                  "use AsIterable.");
    return detail::Poison{};
  } else if constexpr (!detail::kComparable<typename T::Key>) {
    static_assert(detail::kComparable<typename T::Key>,
                  "Millrace: AsMap gives a std::map, so < must compare its keys. "
                  "Give the key an operator<=>.");
    return detail::Poison{};
  } else {
    return detail::SideInputHandle<detail::MapCollector<typename T::Key, typename T::Value>>{
        &detail::GraphAccess::GraphOf(pcollection), detail::GraphAccess::IndexOf(pcollection),
        detail::SideInputView::kMap};
  }
}
/// Where the PCollection has been reported already.
inline detail::Poison AsSingleton(detail::Poison) { return {}; }
inline detail::Poison AsIterable(detail::Poison) { return {}; }
inline detail::Poison AsMap(detail::Poison) { return {}; }

}  // namespace millrace
