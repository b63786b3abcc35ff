// Which types can be keys: those that `KeyHash` and `KeyEqual` take apart.
#pragma once

#include <concepts>
#include <cstddef>
#include <string_view>
#include <type_traits>
#include <utility>

#include "millrace/detail/hash.h"

namespace millrace::detail {

template <class K>
constexpr bool KeyThroughout();

template <class K>
constexpr bool FieldsAreKeys() {
  if constexpr (HasFieldList<K>) {
    return true;  // its author says so
  } else if constexpr (kFieldCount<K> == 0) {
    return true;
  } else {
    constexpr auto kProbe = [](const auto&... field) {
      return std::bool_constant<(KeyThroughout<std::remove_cvref_t<decltype(field)>>() && ...)>{};
    };
    return decltype(Bindings<kFieldCount<K>>::Apply(std::declval<const K&>(), kProbe))::value;
  }
}

/// `K` and all that it is made of can be hashed and compared. Floating-point keys are refused later, with the label.
template <class K>
constexpr bool KeyThroughout() {
  if constexpr (std::is_pointer_v<K> || std::is_same_v<K, long double>) {
    return false;
  } else if constexpr (std::is_arithmetic_v<K> || std::is_enum_v<K> || std::is_same_v<K, Timestamp> ||
                       std::is_same_v<K, Duration> || std::is_convertible_v<const K&, std::string_view>) {
    return true;
  } else if constexpr (kIsVector<K>) {
    return !std::is_same_v<typename K::value_type, bool> && KeyThroughout<typename K::value_type>();
  } else if constexpr (kIsOptional<K>) {
    return KeyThroughout<typename K::value_type>();
  } else if constexpr (std::is_same_v<K, std::byte>) {
    return true;
  } else if constexpr (std::is_class_v<K> && Reflectable<K>) {
    return FieldsAreKeys<K>();
  } else {
    return false;
  }
}

template <class V>
inline constexpr bool kComparable = requires(const V& a, const V& b) {
  { a < b } -> std::convertible_to<bool>;
};

/// One error for a type that cannot be a key.
template <class K>
constexpr bool CheckKey() {
  constexpr bool kKey = KeyThroughout<K>();
  static_assert(kKey,
                "Millrace: this type cannot be a key (or an id). A key is an integer, a std::string, a Timestamp, "
                "a Duration, an enum, or a struct, std::vector or std::optional of these.");
  return kKey;
}

}  // namespace millrace::detail
