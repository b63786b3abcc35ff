// PCollections and how transforms are applied to them.
//
//   auto counts = lines | "Words" >> FlatMap(SplitWords) | "Count" >> CombinePerKey(Count{});
//
// `>>` binds tighter than `|`, as in Beam's Python SDK. `pc.Apply("Count", CombinePerKey(Count{}))` says the same.
// A transform is any type with `auto Expand(const PCollection<T>&) const`; composites need no base class. A literal
// finds `>>` only for Millrace's own transforms, so a user's composite is applied as `in | X{}`, `in | Named("EU",
// X{})` or `in.Apply("EU", X{})`.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "millrace/detail/graph.h"
#include "millrace/detail/poison.h"

namespace millrace {

class Pipeline;

namespace detail {
/// A transform with its label.
template <class X>
struct Labelled {
  std::string label;
  X transform;
};
template <class X>
inline constexpr bool kIsLabelled = false;
template <class X>
inline constexpr bool kIsLabelled<Labelled<X>> = true;

/// Millrace's own transforms derive from it, so that `"label" >> X` is found.
struct TransformBase {};

template <class X>
std::string DefaultLabel(const X& transform) {
  if constexpr (requires {
                  { transform.DefaultLabel() } -> std::convertible_to<std::string>;
                }) {
    return transform.DefaultLabel();
  } else {
    return ShortTypeName(typeid(X));
  }
}

struct GraphAccess;

template <class X>
concept IsRootTransform = requires(const X& transform, Pipeline& pipeline) { transform.Expand(pipeline); };
template <class X, class T>
concept IsTransformOf = requires(const X& transform, const PCollection<T>& in) { transform.Expand(in); };

/// One error for what cannot be applied to a PCollection<T>.
template <class X, class T>
constexpr bool CheckTransform() {
  if constexpr (IsTransformOf<X, T>) {
    return true;
  } else if constexpr (IsRootTransform<X>) {
    static_assert(kNever<X>,
                  "Millrace: this transform starts a pipeline (a read or Create), so it has no input. Apply "
                  "it to the Pipeline.");
    return false;
  } else {
    static_assert(kNever<X>,
                  "Millrace: this cannot be applied to a PCollection of this element type. A transform has "
                  "a public `auto Expand(const PCollection<T>&) const` with the PCollection's T; a function "
                  "is wrapped in Map, Filter, FlatMap or ParDo.");
    return false;
  }
}
}  // namespace detail

/// Gives a transform a label.
template <class X>
detail::Labelled<std::decay_t<X>> Named(std::string label, X&& transform) {
  return {std::move(label), std::forward<X>(transform)};
}

namespace detail {
// In the namespace of its operand's base, so that it is found from everywhere.
template <class X>
  requires std::is_base_of_v<TransformBase, std::decay_t<X>> || std::is_same_v<PoisonTransform, std::decay_t<X>>
Labelled<std::decay_t<X>> operator>>(std::string label, X&& transform) {
  return {std::move(label), std::forward<X>(transform)};
}
}  // namespace detail

/// An unordered collection of elements of type `T`, each with a timestamp, windows and a pane: a node of the pipeline's
/// graph. Cheap to copy. Belongs to the pipeline that made it and must not outlive it.
template <class T>
class PCollection {
 public:
  using Element = T;

  /// Applies `transform` under `label`.
  template <class X>
  auto Apply(std::string_view label, const X& transform) const {
    return ApplyIn(label, true, transform);
  }

  template <class X>
  friend auto operator|(const PCollection& in, const X& transform) {
    return in.ApplyIn(detail::DefaultLabel(transform), false, transform);
  }
  template <class X>
  friend auto operator|(const PCollection& in, const detail::Labelled<X>& labelled) {
    return in.ApplyIn(labelled.label, true, labelled.transform);
  }

  const WindowingStrategy& windowing() const { return graph_->pcollection(index_).windowing; }

 private:
  friend struct detail::GraphAccess;
  template <class>
  friend class PCollection;
  PCollection(detail::Graph* graph, int index) : graph_(graph), index_(index) {}

  template <class X>
  auto ApplyIn(std::string_view label, bool given, const X& transform) const {
    if constexpr (detail::CheckTransform<X, T>()) {
      const detail::Graph::Scope scope(*graph_, label, given);
      return transform.Expand(*this);
    } else {
      return detail::Poison{};
    }
  }

  detail::Graph* graph_;
  int index_;
};

namespace detail {
/// What transforms need of a PCollection's inside.
struct GraphAccess {
  template <class T>
  static Graph& GraphOf(const PCollection<T>& pcollection) {
    return *pcollection.graph_;
  }
  template <class T>
  static int IndexOf(const PCollection<T>& pcollection) {
    return pcollection.index_;
  }
  template <class T>
  static PCollection<T> Make(Graph& graph, int index) {
    return PCollection<T>(&graph, index);
  }
  /// The first output of a transform.
  template <class T>
  static PCollection<T> Output(Graph& graph, int transform, std::size_t output = 0) {
    return Make<T>(graph, graph.transform(transform).outputs[output]);
  }
};

/// Adds a transform with one input and one output.
template <class Out, class In>
PCollection<Out> AddUnary(const PCollection<In>& in, Payload payload) {
  Graph& graph = GraphAccess::GraphOf(in);
  const int transform = graph.Add({GraphAccess::IndexOf(in)}, {&TypeInfoOf<Out>()}, std::move(payload));
  return GraphAccess::Output<Out>(graph, transform);
}
}  // namespace detail

}  // namespace millrace
