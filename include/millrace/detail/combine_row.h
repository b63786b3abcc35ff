// What the parts of the combine kernel share: the rows it reads, and what a worker ships of another worker's key.
#pragma once

#include <cstdint>
#include <type_traits>

#include "millrace/core/kv.h"
#include "millrace/core/windowing.h"

namespace millrace::detail {

/// The one key of CombineGlobally.
struct SingleKey {
  friend bool operator==(SingleKey, SingleKey) { return true; }
};

/// The input rows of an aggregation of `V` by `K`: bare values where the key is the single one.
template <class K, class V>
struct CombineRow {
  static constexpr bool kGlobally = std::is_same_v<K, SingleKey>;
  using Row = std::conditional_t<kGlobally, V, KV<K, V>>;

  static const K& KeyOf(const Row& row) {
    if constexpr (kGlobally) {
      static constexpr SingleKey kOnly;
      return kOnly;
    } else {
      return row.key;
    }
  }
  static const V& ValueOf(const Row& row) {
    if constexpr (kGlobally) {
      return row;
    } else {
      return row.value;
    }
  }
};

/// What is shipped of a key: its accumulator over `count` elements of one window or slice (the batch's window column).
template <class K, class Accumulator>
struct Partial {
  K key;
  Accumulator accumulator;
  std::int64_t count;
  std::uint64_t hash;
  bool is_slice;
};

/// The slice of that length, aligned as the window function's windows are, that `time` is in.
inline BoundedWindow SliceAt(const WindowFn& fn, std::int64_t slice_micros, Timestamp time) {
  std::int64_t offset = (time.micros() - fn.offset_micros) % slice_micros;
  if (offset < 0) offset += slice_micros;
  const Timestamp start = time - Duration(offset);
  return {start, start + Duration(slice_micros)};
}

}  // namespace millrace::detail
