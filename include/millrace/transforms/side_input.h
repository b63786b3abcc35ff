// Side inputs: a PCollection given whole to a DoFn (https://beam.apache.org/documentation/programming-guide/#side-inputs).
//
//   auto enriched = flights | "Enrich" >> ParDo(Enrich{}).WithSideInput("airports", AsMap(airports));
//   // Enrich::ProcessElement(const Flight&, SideInput<"airports", std::map<std::string, Airport>>, Output<...>)
//
// An element waits until the side input is ready for the window that its own window's end falls into.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "millrace/core/pcollection.h"
#include "millrace/detail/side_input_kernel.h"

namespace millrace {

namespace detail {

template <class Collector>
struct SideInputHandle {
  int pcollection;
  SideInputView view;

  SideInputUse Use(std::string name) const {
    SideInputUse use;
    use.name = std::move(name);
    use.pcollection = pcollection;
    use.view = view;
    use.value_type = &typeid(typename Collector::Value);
    use.make_collector = [] { return std::make_unique<SideInputKernel<Collector>>(); };
    return use;
  }
};

/// Whether the bound side inputs are the declared ones, with their types.
void CheckSideInputs(Graph& graph, ParDoPayload& payload, const std::vector<const std::type_info*>& types);

}  // namespace detail

/// The only element of the PCollection in its window; a `T{}` if there is none. More than one fails the job.
template <class T>
auto AsSingleton(const PCollection<T>& pcollection) {
  return detail::SideInputHandle<detail::SingletonCollector<T>>{detail::GraphAccess::IndexOf(pcollection),
                                                                detail::SideInputView::kSingleton};
}
/// All elements, as std::vector<T>, in no particular order.
template <class T>
auto AsIterable(const PCollection<T>& pcollection) {
  return detail::SideInputHandle<detail::IterableCollector<T>>{detail::GraphAccess::IndexOf(pcollection),
                                                               detail::SideInputView::kIterable};
}
/// KV elements as std::map<K, V>; a key that occurs twice fails the job, as in Beam.
template <class K, class V>
auto AsMap(const PCollection<KV<K, V>>& pcollection) {
  return detail::SideInputHandle<detail::MapCollector<K, V>>{detail::GraphAccess::IndexOf(pcollection),
                                                             detail::SideInputView::kMap};
}

}  // namespace millrace
