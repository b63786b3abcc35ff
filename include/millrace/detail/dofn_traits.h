// Reads a DoFn's parameters off its signature.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <tuple>
#include <type_traits>

#include "millrace/core/dofn.h"

namespace millrace::detail {

template <class... T>
struct TypeList {
  static constexpr std::size_t kSize = sizeof...(T);
};

/// Parameter and result types of a function, member function or function pointer.
template <class F>
struct Signature;
#define MILLRACE_SIGNATURE(QUALIFIERS)          \
  template <class R, class C, class... A>       \
  struct Signature<R (C::*)(A...) QUALIFIERS> { \
    using Result = R;                           \
    using Parameters = TypeList<A...>;          \
  };                                            \
  static_assert(true)
MILLRACE_SIGNATURE();
MILLRACE_SIGNATURE(const);
MILLRACE_SIGNATURE(noexcept);
MILLRACE_SIGNATURE(const noexcept);
#undef MILLRACE_SIGNATURE
template <class R, class... A>
struct Signature<R (*)(A...)> {
  using Result = R;
  using Parameters = TypeList<A...>;
};
template <class R, class... A>
struct Signature<R (*)(A...) noexcept> : Signature<R (*)(A...)> {};

/// A function named in the type, so that it inlines and can be shipped: ParDo<Parse>().
template <auto kFunction>
struct FunctionDoFn {
  static constexpr auto function() { return kFunction; }
};
template <class D>
inline constexpr bool kIsFunctionDoFn = false;
template <auto kFunction>
inline constexpr bool kIsFunctionDoFn<FunctionDoFn<kFunction>> = true;

template <class D>
concept HasProcessElement = requires { &D::ProcessElement; };
template <class D>
concept HasCallOperator = requires { &D::operator(); };

/// The DoFn's process method: its signature, and how to call it.
template <class D>
struct ProcessMethod {
  static constexpr bool kKnown = false;
};
template <class D>
  requires HasProcessElement<D>
struct ProcessMethod<D> : Signature<decltype(&D::ProcessElement)> {
  static constexpr bool kKnown = true;
  template <class... A>
  static void Call(D& fn, A&&... arguments) {
    fn.ProcessElement(std::forward<A>(arguments)...);
  }
};
template <class D>
  requires(HasCallOperator<D> && !HasProcessElement<D>)
struct ProcessMethod<D> : Signature<decltype(&D::operator())> {
  static constexpr bool kKnown = true;
  template <class... A>
  static void Call(D& fn, A&&... arguments) {
    fn(std::forward<A>(arguments)...);
  }
};
template <class D>
  requires kIsFunctionDoFn<D>
struct ProcessMethod<D> : Signature<decltype(D::function())> {
  static constexpr bool kKnown = true;
  template <class... A>
  static void Call(D&, A&&... arguments) {
    D::function()(std::forward<A>(arguments)...);
  }
};

template <class P>
inline constexpr bool kIsOutput = false;
template <class T>
inline constexpr bool kIsOutput<Output<T>> = true;
template <class P>
inline constexpr bool kIsSideInput = false;
template <FixedString kName, class T>
inline constexpr bool kIsSideInput<SideInput<kName, T>> = true;
template <class P>
inline constexpr bool kIsState = false;
template <FixedString kName, class T>
inline constexpr bool kIsState<State<kName, T>> = true;
template <FixedString kName, class Fn>
inline constexpr bool kIsState<CombiningState<kName, Fn>> = true;
template <class P>
inline constexpr bool kIsTimer = false;
template <FixedString kName, auto kHandler, TimeDomain kDomain>
inline constexpr bool kIsTimer<Timer<kName, kHandler, kDomain>> = true;
template <class P>
inline constexpr bool kIsTimerNamed = false;
template <FixedString kName>
inline constexpr bool kIsTimerNamed<TimerNamed<kName>> = true;

/// The index of the timer of that name in a list of timers, or the list's size.
template <class List>
struct TimerIndex;
template <class... T>
struct TimerIndex<TypeList<T...>> {
  static consteval std::size_t Of(std::string_view name) {
    std::size_t index = 0;
    static_cast<void>(((T::name() == name ? true : (++index, false)) || ...));
    return index;
  }
};

template <class P>
inline constexpr bool kIsDoFnParameter =
    kIsOutput<P> || kIsSideInput<P> || kIsState<P> || kIsTimer<P> || kIsTimerNamed<P> || std::is_same_v<P, Timestamp> ||
    std::is_same_v<P, BoundedWindow> || std::is_same_v<P, PaneInfo>;

// --- lists ---------------------------------------------------------------------------------------------------------

template <class List, class T>
inline constexpr bool kContains = false;
template <class... U, class T>
inline constexpr bool kContains<TypeList<U...>, T> = (std::is_same_v<U, T> || ...);

template <class List, class T>
struct AppendUnique;
template <class... U, class T>
struct AppendUnique<TypeList<U...>, T> {
  using Result = std::conditional_t<kContains<TypeList<U...>, T>, TypeList<U...>, TypeList<U..., T>>;
};

/// Those of `Rest` for which `kPick` is true, appended to `Done`; each once if `kUnique`.
template <template <class> class Pick, bool kUnique, class Done, class Rest>
struct Select {
  using Result = Done;
};
template <template <class> class Pick, bool kUnique, class... D, class Head, class... Tail>
struct Select<Pick, kUnique, TypeList<D...>, TypeList<Head, Tail...>> {
  using P = std::remove_cvref_t<Head>;
  using Taken = std::conditional_t<kUnique, typename AppendUnique<TypeList<D...>, P>::Result, TypeList<D..., P>>;
  using Result = typename Select<Pick, kUnique, std::conditional_t<Pick<P>::value, Taken, TypeList<D...>>,
                                 TypeList<Tail...>>::Result;
};

template <class P>
using PickOutput = std::bool_constant<kIsOutput<P>>;
template <class P>
using PickSideInput = std::bool_constant<kIsSideInput<P>>;
template <class P>
using PickState = std::bool_constant<kIsState<P>>;
template <class P>
using PickTimer = std::bool_constant<kIsTimer<P>>;

template <class P>
using PickOther = std::bool_constant<!kIsOutput<P>>;

template <class P>
using PickPane = std::bool_constant<std::is_same_v<P, PaneInfo>>;
template <class P>
using PickWindow = std::bool_constant<std::is_same_v<P, BoundedWindow>>;

template <class List, class T>
inline constexpr std::size_t kIndexOf = 0;
template <class Head, class... Tail, class T>
inline constexpr std::size_t kIndexOf<TypeList<Head, Tail...>, T> =
    std::is_same_v<Head, T> ? 0 : 1 + kIndexOf<TypeList<Tail...>, T>;

/// The head of a parameter list is the element (or the key), the tail the rest.
template <class List>
struct Split {
  using Head = void;
  using Tail = TypeList<>;
};
template <class H, class... T>
struct Split<TypeList<H, T...>> {
  using Written = H;
  using Head = std::remove_cvref_t<H>;
  using Tail = TypeList<T...>;
};

/// How many Output parameters stand before position `kPosition`: the n-th Output is output n, also when types repeat.
template <class List>
struct OutputRanks;
template <class... P>
struct OutputRanks<TypeList<P...>> {
  static constexpr std::array<std::size_t, sizeof...(P) + 1> kRank = [] {
    std::array<std::size_t, sizeof...(P) + 1> rank{};
    constexpr std::array<bool, sizeof...(P) + 1> kOutput{kIsOutput<std::remove_cvref_t<P>>..., false};
    for (std::size_t i = 0; i < sizeof...(P); ++i) rank[i + 1] = rank[i] + (kOutput[i] ? 1 : 0);
    return rank;
  }();
};

/// All that is known of a DoFn `D`.
template <class D>
struct DoFnTraits {
  using Process = ProcessMethod<D>;
  using Parameters = typename Process::Parameters;
  using Element = typename Split<Parameters>::Head;
  using Arguments = typename Split<Parameters>::Tail;
  using Outputs = typename Select<PickOutput, false, TypeList<>, Arguments>::Result;
  using SideInputs = typename Select<PickSideInput, true, TypeList<>, Arguments>::Result;
  using States = typename Select<PickState, true, TypeList<>, Arguments>::Result;
  using Timers = typename Select<PickTimer, true, TypeList<>, Arguments>::Result;
  static constexpr bool kStateful = States::kSize > 0 || Timers::kSize > 0;
  static constexpr bool kObservesWindow =
      Select<PickWindow, true, TypeList<>, Arguments>::Result::kSize > 0 || SideInputs::kSize > 0;
};

template <class P>
inline constexpr bool kIsMutableReference =
    std::is_reference_v<P> && (std::is_rvalue_reference_v<P> || !std::is_const_v<std::remove_reference_t<P>>);

/// One error for a parameter that means nothing.
template <class D, class... P>
constexpr bool ArgumentsKnown(TypeList<P...>) {
  constexpr bool kKnown = (kIsDoFnParameter<std::remove_cvref_t<P>> && ...);
  static_assert(!kKnown || !(kIsMutableReference<P> || ...),
                "Millrace: take Output, Timestamp, State and what else a DoFn asks for by value, not by reference.");
  static_assert(kKnown,
                "Millrace: a DoFn's parameter after the element is none of Output<T>, Timestamp, BoundedWindow, "
                "PaneInfo, SideInput<\"name\", T>, State<\"name\", T>, CombiningState<\"name\", Fn>, "
                "Timer<\"name\", &Self::Handler>.");
  return kKnown && !(kIsMutableReference<P> || ...);
}

}  // namespace millrace::detail
