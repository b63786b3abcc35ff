// The key-value pair of the Beam model.
#pragma once

#include <compare>
#include <type_traits>

namespace millrace {

/// One element of a keyed PCollection. An aggregate, so `KV<std::string, int>{"a", 1}` and structured bindings work.
template <class K, class V>
struct KV {
  using Key = K;
  using Value = V;

  K key{};
  V value{};

  friend auto operator<=>(const KV&, const KV&) = default;
  friend bool operator==(const KV&, const KV&) = default;
};

template <class K, class V>
KV(K, V) -> KV<K, V>;

namespace detail {
template <class T>
inline constexpr bool kIsKv = false;
template <class K, class V>
inline constexpr bool kIsKv<KV<K, V>> = true;
}  // namespace detail

}  // namespace millrace
