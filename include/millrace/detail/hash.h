// The hash of a key. It decides a key's shard and is therefore part of the checkpoint format: see
// docs/formats/sharding.md. Equal keys hash equally on every machine and in every version; the hash of an integer is
// that of its value in 64 bits, of a string that of its bytes, of a struct that of its fields in order.
//
// The construction is the folded multiplication of wyhash (W. Yi, https://github.com/wangyi-fudan/wyhash): a 64x64 to
// 128 bit product whose halves are xored.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "millrace/core/kv.h"
#include "millrace/core/schema.h"
#include "millrace/core/timestamp.h"

namespace millrace::detail {

inline constexpr std::uint64_t kHashSeed = 0x8BB84B93962EACC9;
inline constexpr std::uint64_t kHashMultiplier = 0x2D358DCCAA6C78A5;

constexpr std::uint64_t FoldedMultiply(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

constexpr std::uint64_t HashWord(std::uint64_t word) { return FoldedMultiply(word ^ kHashSeed, kHashMultiplier); }

constexpr std::uint64_t HashCombine(std::uint64_t seed, std::uint64_t hash) {
  return FoldedMultiply(seed ^ kHashMultiplier, hash ^ kHashSeed);
}

inline std::uint64_t LoadWord(const char* at, std::size_t bytes) {
  std::uint64_t word = 0;
  std::memcpy(&word, at, bytes);
  return word;
}

inline std::uint64_t HashBytes(std::string_view bytes) {
  std::uint64_t hash = FoldedMultiply(bytes.size() ^ kHashSeed, kHashMultiplier);
  const char* at = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= 8; left -= 8, at += 8) hash = FoldedMultiply(hash ^ LoadWord(at, 8), kHashMultiplier);
  if (left > 0) hash = FoldedMultiply(hash ^ LoadWord(at, left) ^ kHashSeed, kHashMultiplier);
  return FoldedMultiply(hash, kHashSeed);
}

/// The hash of any type that may be a key.
template <class K>
std::uint64_t KeyHash(const K& key) {
  if constexpr (std::is_same_v<K, double> || std::is_same_v<K, float>) {
    return HashWord(std::bit_cast<std::uint64_t>(static_cast<double>(key) + 0.0));  // −0.0 hashes as 0.0
  } else if constexpr (std::is_integral_v<K> || std::is_enum_v<K>) {
    return HashWord(static_cast<std::uint64_t>(static_cast<std::int64_t>(key)));
  } else if constexpr (std::is_same_v<K, Timestamp>) {
    return HashWord(static_cast<std::uint64_t>(key.micros()));
  } else if constexpr (std::is_same_v<K, Duration>) {
    return HashWord(static_cast<std::uint64_t>(key.count()));
  } else if constexpr (std::is_convertible_v<const K&, std::string_view>) {
    return HashBytes(key);
  } else if constexpr (kIsVector<K>) {
    std::uint64_t hash = HashWord(key.size());
    for (const auto& element : key) hash = HashCombine(hash, KeyHash<typename K::value_type>(element));
    return hash;
  } else if constexpr (kIsOptional<K>) {
    return key.has_value() ? HashCombine(1, KeyHash(*key)) : HashWord(0);
  } else {
    std::uint64_t hash = kHashSeed;
    ForEachField(key, [&hash](const auto& field) { hash = HashCombine(hash, KeyHash(field)); });
    return hash;
  }
}

/// Equality of keys: `==` where the type has one, field by field otherwise.
template <class K>
bool KeyEqual(const K& a, const K& b) {
  if constexpr (requires {
                  { a == b } -> std::convertible_to<bool>;
                }) {
    return a == b;
  } else {
    bool equal = true;
    ForEachFieldPair(a, b, [&equal](const auto& x, const auto& y) { equal = equal && KeyEqual(x, y); });
    return equal;
  }
}

}  // namespace millrace::detail
