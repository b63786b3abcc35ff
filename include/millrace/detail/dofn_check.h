// What is wrong with a DoFn, one error for one mistake: its signatures, its state and its timers.
#pragma once

#include <cstddef>
#include <string_view>
#include <type_traits>

#include "millrace/core/kv.h"
#include "millrace/detail/key_check.h"
#include "millrace/detail/stateful_kernel.h"

namespace millrace::detail {

/// Whether every element of `List` that is picked occurs in `Known`.
template <template <class> class Pick, class Known, class List>
inline constexpr bool kAllKnown = false;
template <template <class> class Pick, class Known, class... P>
inline constexpr bool kAllKnown<Pick, Known, TypeList<P...>> =
    ((!Pick<std::remove_cvref_t<P>>::value || kContains<Known, std::remove_cvref_t<P>>) && ...);

/// Whether no two types of `List` (each occurs once) have the same name.
template <class List>
inline constexpr bool kNamesDiffer = true;
template <class Head, class... Tail>
inline constexpr bool kNamesDiffer<TypeList<Head, Tail...>> =
    ((Head::name() != Tail::name()) && ...) && kNamesDiffer<TypeList<Tail...>>;

/// The parameters of a timer handler or OnWindowExpiration after the key, if it takes the key.
template <class K, class List>
using AfterKey = std::conditional_t<std::is_same_v<typename Split<List>::Head, K> && !kIsDoFnParameter<K>,
                                    typename Split<List>::Tail, List>;

template <class D, class K, class... T>
constexpr bool HandlersKnown(TypeList<T...>) {
  return (ArgumentsKnown<D>(AfterKey<K, HandlerParameters<T>>{}) && ...);
}

/// FinishBundle has no element, so it can only emit.
template <class D>
constexpr bool CheckFinishBundle() {
  if constexpr (requires { &D::FinishBundle; }) {
    using Parameters = typename Signature<decltype(&D::FinishBundle)>::Parameters;
    constexpr bool kOutputs = kAllKnown<PickOther, TypeList<>, Parameters>;
    static_assert(kOutputs,
                  "Millrace: FinishBundle has no element, so all it can ask for is Output<T>. Emit with a "
                  "timestamp and a window that ProcessElement has kept.");
    constexpr bool kKnown = kAllKnown<PickOutput, typename DoFnTraits<D>::Outputs, Parameters>;
    static_assert(kKnown || !kOutputs,
                  "Millrace: FinishBundle, timer handlers and OnWindowExpiration can only emit to an Output<T> "
                  "that ProcessElement has, too.");
    return kOutputs && kKnown;
  } else {
    return true;
  }
}

/// The methods of a DoFn with state or timers beside ProcessElement; `K` is the type of its keys.
template <class D, class K>
constexpr bool CheckHandlers() {
  using Traits = DoFnTraits<D>;
  using Timers = typename StatefulTraits<D>::Timers;
  using All = typename StatefulTraits<D>::All;
  if constexpr (!HandlersKnown<D, K>(Timers{}) ||
                !ArgumentsKnown<D>(AfterKey<K, typename ExpirationParameters<D>::Result>{})) {
    return false;
  } else {
    constexpr bool kOutputs = kAllKnown<PickOutput, typename Traits::Outputs, All>;
    static_assert(kOutputs,
                  "Millrace: FinishBundle, timer handlers and OnWindowExpiration can only emit to an Output<T> "
                  "that ProcessElement has, too.");
    constexpr bool kTimers = kAllKnown<PickTimer, Timers, All>;
    static_assert(kTimers,
                  "Millrace: a timer that a handler or OnWindowExpiration sets must be a parameter of "
                  "ProcessElement, too.");
    constexpr bool kSides = kAllKnown<PickSideInput, typename Traits::SideInputs, All>;
    static_assert(kSides,
                  "Millrace: a side input that a handler or OnWindowExpiration reads must be a parameter of "
                  "ProcessElement, too.");
    constexpr bool kNames = kNamesDiffer<typename StatefulTraits<D>::States>;
    static_assert(kNames,
                  "Millrace: two state cells of this DoFn have one name and different types. Give each cell one "
                  "type in all methods, or two names.");
    constexpr bool kTimerNames = kNamesDiffer<Timers>;
    static_assert(kTimerNames,
                  "Millrace: two timers of this DoFn have one name and different handlers or time domains.");
    return kOutputs && kTimers && kSides && kNames && kTimerNames;
  }
}

/// The DoFn in itself. True means that its Outputs are known.
template <class D>
constexpr bool CheckDoFn() {
  if constexpr (!ProcessMethod<D>::kKnown) {
    static_assert(kNever<D>,
                  "Millrace: ParDo needs a function, a lambda or a class with one public ProcessElement, with "
                  "its parameter types written out: a generic lambda (auto) hides which outputs it has. "
                  "Write the types, or use Map, Filter or FlatMap.");
    return false;
  } else if constexpr (std::is_void_v<typename DoFnTraits<D>::Element>) {
    static_assert(kNever<D>, "Millrace: a DoFn's first parameter is the element; this one has no parameters.");
    return false;
  } else if constexpr (!std::is_void_v<typename DoFnTraits<D>::Process::Result>) {
    static_assert(kNever<D>,
                  "Millrace: what a DoFn returns would be lost. Ask for an Output<T> and emit to it, or use "
                  "Map, Filter or FlatMap.");
    return false;
  } else {
    return true;
  }
}

/// The DoFn on elements of type `T`.
template <class D, class T>
constexpr bool CheckInput() {
  using Traits = DoFnTraits<D>;
  if constexpr (!std::is_same_v<typename Traits::Element, T>) {
    static_assert(kNever<D>,
                  "Millrace: the DoFn's first parameter is not the element type of the PCollection it is "
                  "applied to. Write `const T&` with the PCollection's T.");
    return false;
  } else if constexpr (kIsMutableReference<typename Split<typename Traits::Parameters>::Written>) {
    static_assert(kNever<D>,
                  "Millrace: a DoFn must not change its element, which others read, too. Take it as `const "
                  "T&`, or by value to have a copy.");
    return false;
  } else if constexpr (!ArgumentsKnown<D>(typename Traits::Arguments{}) || !CheckFinishBundle<D>()) {
    return false;
  } else if constexpr (!Traits::kStateful) {
    return true;
  } else if constexpr (!kIsKv<T>) {
    static_assert(kNever<D>,
                  "Millrace: a DoFn with State or Timer needs a keyed input: PCollection<KV<K, V>>. Apply "
                  "WithKeys before it.");
    return false;
  } else {
    return CheckKey<typename T::Key>() && CheckHandlers<D, typename T::Key>();
  }
}

}  // namespace millrace::detail
