// CombinePerKey and CombineGlobally (https://beam.apache.org/documentation/programming-guide/#combine).
#pragma once

#include <string>
#include <utility>

#include "millrace/core/pcollection.h"
#include "millrace/detail/combine_kernel.h"
#include "millrace/detail/key_check.h"
#include "millrace/detail/merging_kernel.h"
#include "millrace/transforms/combine_fns.h"
#include "millrace/transforms/map.h"

namespace millrace {

namespace detail {

template <class Fn>
struct CombinePerKeyTransform : TransformBase {
  explicit CombinePerKeyTransform(Fn f) : fn(std::move(f)) {}
  std::string DefaultLabel() const { return "CombinePerKey"; }

  template <class T>
  auto Expand(const PCollection<T>& in) const {
    if constexpr (!kIsKv<T>) {
      static_assert(kIsKv<T>,
                    "Millrace: CombinePerKey needs a keyed input, PCollection<KV<K, V>>. Apply WithKeys "
                    "before it, or use CombineGlobally.");
      return Poison{};
    } else {
      return ExpandKeyed(in);
    }
  }

  Fn fn;

 private:
  template <class K, class V>
  auto ExpandKeyed(const PCollection<KV<K, V>>& in) const {
    using Bound = decltype(BindCombineFn<V>(fn));
    if constexpr (!CheckKey<K>() || !CheckValue<Bound>()) {
      return Poison{};
    } else if constexpr (!CombineFn<Bound, V>) {
      static_assert(CombineFn<Bound, V>,
                    "Millrace: this is no CombineFn for the values of its input. It needs "
                    "CreateAccumulator, AddInput, MergeAccumulators and ExtractOutput "
                    "(millrace/transforms/combine_fns.h).");
      return Poison{};
    } else {
      using Kernel = CombineKernel<K, V, Bound, true>;
      CombinePayload payload;
      payload.combine_name = ShortTypeName(typeid(Fn));
      payload.make = [bound = BindCombineFn<V>(fn)] { return std::make_unique<Kernel>(bound); };
      payload.make_merging = MakeMerging<K, V>(BindCombineFn<V>(fn));
      return AddUnary<typename Kernel::OutputRow>(in, std::move(payload));
    }
  }
};

template <class Fn>
struct CombineGloballyTransform : TransformBase {
  explicit CombineGloballyTransform(Fn f, bool with_default = true) : fn(std::move(f)), defaults(with_default) {}
  std::string DefaultLabel() const { return "CombineGlobally"; }

  /// No output for a window without elements. Needed in any but the global window.
  CombineGloballyTransform WithoutDefaults() const { return CombineGloballyTransform(fn, false); }

  template <class V>
  auto Expand(const PCollection<V>& in) const {
    using Bound = decltype(BindCombineFn<V>(fn));
    if constexpr (!CheckValue<Bound>()) {
      return Poison{};
    } else if constexpr (!CombineFn<Bound, V>) {
      static_assert(CombineFn<Bound, V>,
                    "Millrace: this is no CombineFn for the elements of its input. It needs "
                    "CreateAccumulator, AddInput, MergeAccumulators and ExtractOutput "
                    "(millrace/transforms/combine_fns.h).");
      return Poison{};
    } else {
      using Kernel = CombineKernel<SingleKey, V, Bound, true>;
      CombinePayload payload;
      payload.combine_name = ShortTypeName(typeid(Fn));
      payload.globally = true;
      payload.emit_default = defaults;
      payload.make = [bound = BindCombineFn<V>(fn)] { return std::make_unique<Kernel>(bound); };
      payload.make_merging = MakeMerging<SingleKey, V>(BindCombineFn<V>(fn));
      return AddUnary<typename Kernel::OutputRow>(in, std::move(payload));
    }
  }

  Fn fn;
  bool defaults;
};

}  // namespace detail

/// Combines the values of each key and window: PCollection<KV<K, V>> to PCollection<KV<K, Out>>.
template <class Fn>
auto CombinePerKey(Fn fn) {
  return detail::CombinePerKeyTransform<Fn>(std::move(fn));
}

/// Combines all elements of each window to one. In the global window an empty input gives the output of an empty
/// accumulator, unless `.WithoutDefaults()`.
template <class Fn>
auto CombineGlobally(Fn fn) {
  return detail::CombineGloballyTransform<Fn>(std::move(fn));
}

/// Counts equal elements.
struct Count::PerElementTransform : detail::TransformBase {
  std::string DefaultLabel() const { return "CountPerElement"; }
  template <class T>
  auto Expand(const PCollection<T>& in) const {
    return in.Apply("Init", Map([](const T& element) { return KV<T, bool>{element, true}; }))
        .Apply("Count", CombinePerKey(Count{}));
  }
};
inline Count::PerElementTransform Count::PerElement() { return {}; }

}  // namespace millrace
