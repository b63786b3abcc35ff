// Map, Filter, FlatMap and what is made of them: Keys, Values, WithKeys
// (https://beam.apache.org/documentation/transforms/python/elementwise/map/).
//
// The functions may be lambdas (generic ones, too), function pointers, pointers to members or any callable. They are
// called with a const reference to the element and must not depend on the order of calls.
#pragma once

#include <functional>
#include <string>
#include <type_traits>
#include <utility>

#include "millrace/core/dofn.h"
#include "millrace/core/pcollection.h"
#include "millrace/detail/map_kernel.h"

namespace millrace {

namespace detail {

// A lambda with captures cannot be shipped to another process; an empty one is found there by its name.
template <class F>
inline constexpr bool kCaptures = !std::is_empty_v<F> && !std::is_member_pointer_v<F> && !std::is_pointer_v<F>;

/// Adds a ParDo that calls an `F` for each element and has one output.
template <class Out, class F, class In>
PCollection<Out> AddElementwise(const PCollection<In>& in, const char* verb, OperatorFactory make) {
  Graph& graph = GraphAccess::GraphOf(in);
  const int transform =
      graph.AddElementwise(GraphAccess::IndexOf(in), &TypeInfoOf<Out>(), verb, kCaptures<F>, std::move(make));
  return GraphAccess::Output<Out>(graph, transform);
}

template <class F, class T>
constexpr bool CheckCallable() {
  constexpr bool kCallable = std::is_invocable_v<F&, const T&>;
  static_assert(kCallable,
                "Millrace: this function cannot be called with an element of its input PCollection. Its one "
                "parameter must accept a const reference to the element type.");
  static_assert(!kCallable || std::is_copy_constructible_v<F>,
                "Millrace: each worker gets a copy of this function, and it cannot be copied. Capture values, or a "
                "std::shared_ptr to what cannot be copied.");
  return kCallable && std::is_copy_constructible_v<F>;
}

template <class F>
struct MapTransform : TransformBase {
  explicit MapTransform(F f) : function(std::move(f)) {}
  std::string DefaultLabel() const { return "Map"; }

  template <class T>
  auto Expand(const PCollection<T>& in) const {
    if constexpr (CheckCallable<F, T>()) {
      using Out = std::decay_t<std::invoke_result_t<F&, const T&>>;
      static_assert(!std::is_void_v<Out>,
                    "Millrace: Map's function returns nothing. Return the new element, or write "
                    "ParDo for work that gives none.");
      if constexpr (std::is_void_v<Out>) {
        return Poison{};
      } else {
        return AddElementwise<Out, F>(in, "Map", [f = function] { return std::make_unique<MapKernel<T, Out, F>>(f); });
      }
    } else {
      return Poison{};
    }
  }

  F function;
};

template <class F>
struct FilterTransform : TransformBase {
  explicit FilterTransform(F f) : predicate(std::move(f)) {}
  std::string DefaultLabel() const { return "Filter"; }

  template <class T>
  auto Expand(const PCollection<T>& in) const {
    if constexpr (CheckCallable<F, T>()) {
      constexpr bool kIsBool = std::is_convertible_v<std::invoke_result_t<F&, const T&>, bool>;
      static_assert(kIsBool, "Millrace: Filter's function must return bool: true for the elements to keep.");
      if constexpr (kIsBool) {
        return AddElementwise<T, F>(in, "Filter", [f = predicate] { return std::make_unique<FilterKernel<T, F>>(f); });
      } else {
        return in;
      }
    } else {
      return in;
    }
  }

  F predicate;
};

template <class F>
struct FlatMapTransform : TransformBase {
  explicit FlatMapTransform(F f) : function(std::move(f)) {}
  std::string DefaultLabel() const { return "FlatMap"; }

  template <class T>
  auto Expand(const PCollection<T>& in) const {
    if constexpr (CheckCallable<F, T>()) {
      using Range = std::decay_t<std::invoke_result_t<F&, const T&>>;
      constexpr bool kIsRange = requires(Range range) { range.begin() != range.end(); };
      static_assert(kIsRange,
                    "Millrace: FlatMap's function must return something to iterate over, such as "
                    "std::vector.");
      if constexpr (kIsRange) {
        using Out = std::decay_t<decltype(*std::declval<Range&>().begin())>;
        auto emit = [f = function](OutputBuffer<Out>& output, const T& element, std::size_t row) mutable {
          for (auto&& value : std::invoke(f, element)) output.Emit(std::forward<decltype(value)>(value), row);
        };
        return AddElementwise<Out, F>(in, "FlatMap",
                                      [emit] { return std::make_unique<EmitKernel<T, Out, decltype(emit)>>(emit); });
      } else {
        return Poison{};
      }
    } else {
      return Poison{};
    }
  }

  F function;
};

template <class F>
struct WithKeysTransform : TransformBase {
  explicit WithKeysTransform(F f) : key(std::move(f)) {}
  std::string DefaultLabel() const { return "WithKeys"; }

  template <class T>
  auto Expand(const PCollection<T>& in) const {
    if constexpr (CheckCallable<F, T>()) {
      using K = std::decay_t<std::invoke_result_t<F&, const T&>>;
      static_assert(!std::is_void_v<K>, "Millrace: WithKeys' function returns nothing. Return the element's key.");
      if constexpr (std::is_void_v<K>) {
        return Poison{};
      } else {
        auto pair = [f = key](const T& value) { return KV<K, T>{std::invoke(f, value), value}; };
        return AddElementwise<KV<K, T>, F>(
            in, "WithKeys", [pair] { return std::make_unique<MapKernel<T, KV<K, T>, decltype(pair)>>(pair); });
      }
    } else {
      return Poison{};
    }
  }

  F key;
};

}  // namespace detail

/// Applies a function to each element: one element out per element in.
template <class F>
auto Map(F function) {
  return detail::MapTransform<F>(std::move(function));
}
/// Keeps the elements for which `predicate` is true.
template <class F>
auto Filter(F predicate) {
  return detail::FilterTransform<F>(std::move(predicate));
}
/// Emits every element of the range that `function` returns.
template <class F>
auto FlatMap(F function) {
  return detail::FlatMapTransform<F>(std::move(function));
}
/// Pairs each element with its key: `WithKeys(&Click::user)` or `WithKeys([](const Click& c) { ... })`.
template <class F>
auto WithKeys(F key) {
  return detail::WithKeysTransform<F>(std::move(key));
}

/// The keys of KV elements.
struct Keys : detail::TransformBase {
  template <class T>
  auto Expand(const PCollection<T>& in) const {
    if constexpr (!detail::kIsKv<T>) {
      static_assert(detail::kIsKv<T>, "Millrace: Keys needs a keyed input, PCollection<KV<K, V>>.");
      return detail::Poison{};
    } else {
      return Map([](const T& kv) { return kv.key; }).Expand(in);
    }
  }
};
/// The values of KV elements.
struct Values : detail::TransformBase {
  template <class T>
  auto Expand(const PCollection<T>& in) const {
    if constexpr (!detail::kIsKv<T>) {
      static_assert(detail::kIsKv<T>, "Millrace: Values needs a keyed input, PCollection<KV<K, V>>.");
      return detail::Poison{};
    } else {
      return Map([](const T& kv) { return kv.value; }).Expand(in);
    }
  }
};

}  // namespace millrace
