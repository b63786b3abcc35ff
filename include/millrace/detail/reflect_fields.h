// Which types are structs to Millrace, how many fields they have, and a typed visit of those fields.
#pragma once

#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>

#include "millrace/detail/reflect_bindings.h"
#include "millrace/detail/reflect_names.h"

namespace millrace {

/// A member and the name that it has in the schema; see `Fields`.
template <class C, class M>
struct NamedMember {
  const char* name;
  M C::* member;
};

/// Names one member for `Fields`. The name must have static storage, as a literal has.
template <class C, class M>
  requires std::is_object_v<M>
constexpr NamedMember<C, M> Named(const char* name, M C::* member) {
  return {name, member};
}

/// What a class's friend `MillraceFields` returns.
template <class... Members>
struct FieldList {
  std::tuple<Members...> members;
};

/// The fields of a class that is no aggregate, in the order of the schema:
/// `friend auto MillraceFields(const Click*) { return millrace::Fields(millrace::Named("id", &Click::id_)); }`.
template <class... C, class... M>
constexpr FieldList<NamedMember<C, M>...> Fields(NamedMember<C, M>... members) {
  return {std::tuple<NamedMember<C, M>...>(members...)};
}

namespace detail {

#if defined(__clang__)
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wundefined-internal"  // where Whole is local or in an unnamed namespace
#endif
/// Converts to anything but a base of `Whole`; never evaluated.
template <class Whole>
struct AnyValue {
  template <class U>
    requires(!std::is_base_of_v<U, Whole>)
  operator U() const noexcept;
};

/// Converts to the bases of `Whole` only; never evaluated.
template <class Whole>
struct AnyBase {
  template <class U>
    requires(std::is_base_of_v<U, Whole> && !std::is_same_v<U, Whole>)
  operator U() const noexcept;
};
#if defined(__clang__)
#pragma clang diagnostic pop
#endif

template <class T, std::size_t>
using AnyValueAt = AnyValue<T>;

template <class T, std::size_t... kIndex>
constexpr bool InitialisedBy(std::index_sequence<kIndex...>) {
  return requires { T{AnyValueAt<T, kIndex>{}...}; };
}

/// The greatest count in [kLow, kHigh) of values that `T` can be initialised from; monotone as `T` has defaults.
template <class T, std::size_t kLow, std::size_t kHigh>
constexpr std::size_t CountInitialisers() {
  if constexpr (kHigh - kLow == 1) {
    return kLow;
  } else {
    constexpr std::size_t kMiddle = (kLow + kHigh) / 2;
    if constexpr (InitialisedBy<T>(std::make_index_sequence<kMiddle>())) {
      return CountInitialisers<T, kMiddle, kHigh>();
    } else {
      return CountInitialisers<T, kLow, kMiddle>();
    }
  }
}

/// Braces around nothing initialise a whole array, so the values behind them are then too many.
template <class T, std::size_t... kBefore, std::size_t... kAfter>
constexpr bool InitialisedWithBraces(std::index_sequence<kBefore...>, std::index_sequence<kAfter...>) {
  return requires { T{AnyValueAt<T, kBefore>{}..., {}, AnyValueAt<T, kAfter>{}...}; };
}

template <class T, std::size_t kCount, std::size_t... kIndex>
constexpr bool HasArrays(std::index_sequence<kIndex...>) {
  return !(
      InitialisedWithBraces<T>(std::make_index_sequence<kIndex>(), std::make_index_sequence<kCount - kIndex - 1>()) &&
      ...);
}

/// A class with a friend `MillraceFields`.
template <class T>
concept HasFieldList = std::is_class_v<T> && requires { MillraceFields(static_cast<const T*>(nullptr)); };

/// Why a class has no schema.
enum class StructProblem { kNone, kNoAggregate, kNoDefault, kNoCopy, kBase, kTooManyFields, kArray, kBitField };

template <class T>
constexpr std::size_t kFieldCount = CountInitialisers<T, 0, kMaxAggregateFields + 2>();

template <class T>
constexpr StructProblem FindStructProblem() {
  if constexpr (HasFieldList<T>) {
    return StructProblem::kNone;
  } else if constexpr (!std::is_aggregate_v<T> || std::is_union_v<T>) {
    return StructProblem::kNoAggregate;
  } else if constexpr (!std::is_default_constructible_v<T>) {
    return StructProblem::kNoDefault;
  } else if constexpr (!std::is_copy_constructible_v<T> || !std::is_copy_assignable_v<T>) {
    return StructProblem::kNoCopy;
  } else if constexpr (requires { T{AnyBase<T>{}}; }) {
    return StructProblem::kBase;
  } else if constexpr (kFieldCount<T> > kMaxAggregateFields) {
    return StructProblem::kTooManyFields;
  } else if constexpr (HasArrays<T, kFieldCount<T>>(std::make_index_sequence<kFieldCount<T>>())) {
    return StructProblem::kArray;
  } else if constexpr (std::is_same_v<decltype(Bindings<kFieldCount<T>>::Addresses(std::declval<const T&>())),
                                      HasBitFields>) {
    return StructProblem::kBitField;
  } else {
    return StructProblem::kNone;
  }
}

template <class T>
inline constexpr StructProblem kStructProblem = FindStructProblem<T>();

/// A class whose fields can be visited: a plain struct, or one with a friend `MillraceFields`. Says nothing about the
/// fields' own types.
template <class T>
concept Reflectable =
    std::is_class_v<std::remove_cv_t<T>> && kStructProblem<std::remove_cv_t<T>> == StructProblem::kNone;

/// Calls `visit(field)` with a reference to each field of `object`, in the order of the schema.
template <class T, class Visit>
  requires Reflectable<T>
constexpr void ForEachField(T& object, Visit&& visit) {
  using Struct = std::remove_cv_t<T>;
  if constexpr (HasFieldList<Struct>) {
    std::apply([&](auto... named) { (visit(object.*named.member), ...); },
               MillraceFields(static_cast<const Struct*>(nullptr)).members);
  } else {
    Bindings<kFieldCount<Struct>>::Apply(object, [&](auto&... field) { (visit(field), ...); });
  }
}

/// Calls `visit(x, y)` with each field of `a` and the same field of `b`, in the order of the schema.
template <class T, class Visit>
  requires Reflectable<T>
constexpr void ForEachFieldPair(const T& a, const T& b, Visit&& visit) {
  if constexpr (HasFieldList<T>) {
    std::apply([&](auto... named) { (visit(a.*named.member, b.*named.member), ...); },
               MillraceFields(static_cast<const T*>(nullptr)).members);
  } else {
    using Fields = Bindings<kFieldCount<T>>;
    Fields::Apply(a, [&](const auto&... x) { Fields::Apply(b, [&](const auto&... y) { (visit(x, y), ...); }); });
  }
}

}  // namespace detail
}  // namespace millrace
