// CombineFns: Beam's four calls over an accumulator
// (https://beam.apache.org/documentation/programming-guide/#combine). A CombineFn for values of type V is any type with
//
//   Accumulator CreateAccumulator() const;
//   void AddInput(Accumulator&, const V&) const;
//   void MergeAccumulators(Accumulator& into, const Accumulator& from) const;
//   Out ExtractOutput(const Accumulator&) const;
//
// It must be associative and commutative: elements and accumulators come in any order. `Count`, `Sum`, `Min`, `Max`,
// `Mean` and `Top` fit the type of value that they are applied to.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <type_traits>
#include <utility>
#include <vector>

#include "millrace/core/kv.h"
#include "millrace/detail/exact_sum.h"
#include "millrace/detail/key_check.h"

namespace millrace {

template <class Fn, class V>
concept CombineFn = requires(const Fn& fn, const V& value) {
  fn.CreateAccumulator();
  requires requires(decltype(fn.CreateAccumulator())& into) {
    fn.AddInput(into, value);
    fn.MergeAccumulators(into, std::as_const(into));
    fn.ExtractOutput(std::as_const(into));
  };
};

namespace detail {
/// Whether a CombineFn that looks at the type of its values can take it; if not, it has said so.
template <class Fn>
constexpr bool CheckValue() {
  if constexpr (requires { &Fn::CheckValue; }) {
    return Fn::CheckValue();
  } else {
    return true;
  }
}
}  // namespace detail

template <class V>
struct CountFn {
  std::int64_t CreateAccumulator() const { return 0; }
  void AddInput(std::int64_t& count, const V&) const { ++count; }
  void MergeAccumulators(std::int64_t& into, std::int64_t from) const { into += from; }
  std::int64_t ExtractOutput(std::int64_t count) const { return count; }
};

/// Integers are added in 64 bits and wrap. Floating-point values are added exactly and rounded once, so that the sum
/// depends on no order.
template <class V>
struct SumFn {
  static constexpr bool CheckValue() {
    static_assert(std::is_arithmetic_v<V>,
                  "Millrace: Sum and Mean need numbers. Map to the number first, or write a "
                  "CombineFn.");
    return std::is_arithmetic_v<V>;
  }
  using Accumulator = std::conditional_t<std::is_floating_point_v<V>, detail::ExactSum,
                                         std::conditional_t<std::is_unsigned_v<V>, std::uint64_t, std::int64_t>>;
  Accumulator CreateAccumulator() const { return Accumulator{}; }
  void AddInput(Accumulator& sum, const V& value) const { sum += value; }
  void MergeAccumulators(Accumulator& into, const Accumulator& from) const { into += from; }
  auto ExtractOutput(const Accumulator& sum) const {
    if constexpr (std::is_floating_point_v<V>) {
      return sum.Round();
    } else {
      return sum;
    }
  }
};

/// The least (or greatest) value and whether there is one.
template <class V, class Before>
struct ExtremeFn {
  static constexpr bool CheckValue() {
    static_assert(detail::kComparable<V>,
                  "Millrace: Min and Max need values that < compares. Give the struct an "
                  "operator<=>, or use Top with a comparison of your own.");
    return detail::kComparable<V>;
  }
  struct Accumulator {
    V value{};
    bool any = false;
  };
  Accumulator CreateAccumulator() const { return {}; }
  void AddInput(Accumulator& best, const V& value) const {
    if (!best.any || Before{}(value, best.value)) best = {value, true};
  }
  void MergeAccumulators(Accumulator& into, const Accumulator& from) const {
    if (from.any) AddInput(into, from.value);
  }
  V ExtractOutput(const Accumulator& best) const { return best.value; }
};

template <class V>
struct MeanFn {
  static constexpr bool CheckValue() { return SumFn<V>::CheckValue(); }
  struct Accumulator {
    typename SumFn<V>::Accumulator sum{};
    std::int64_t count = 0;
  };
  Accumulator CreateAccumulator() const { return {}; }
  void AddInput(Accumulator& mean, const V& value) const {
    mean.sum += value;
    ++mean.count;
  }
  void MergeAccumulators(Accumulator& into, const Accumulator& from) const {
    into.sum += from.sum;
    into.count += from.count;
  }
  double ExtractOutput(const Accumulator& mean) const {
    if (mean.count == 0) return std::numeric_limits<double>::quiet_NaN();
    return static_cast<double>(SumFn<V>{}.ExtractOutput(mean.sum)) / static_cast<double>(mean.count);
  }
};

/// The `n` greatest values, the greatest first.
template <class V, class Less>
struct TopFn {
  static constexpr bool CheckValue() {
    constexpr bool kCompares = std::is_invocable_r_v<bool, const Less&, const V&, const V&>;
    static_assert(kCompares,
                  "Millrace: Top's comparison cannot compare two values. Give the struct an operator<=>, or "
                  "write Top{.n = 10, .less = [](const V& a, const V& b) { return ...; }}.");
    return kCompares;
  }
  std::size_t n = 1;
  Less less{};

  std::vector<V> CreateAccumulator() const { return {}; }
  // A heap with the least on top.
  void AddInput(std::vector<V>& top, const V& value) const {
    const auto greater = [this](const V& a, const V& b) { return less(b, a); };
    if (top.size() < n) {
      top.push_back(value);
      std::push_heap(top.begin(), top.end(), greater);
    } else if (n > 0 && less(top.front(), value)) {
      std::pop_heap(top.begin(), top.end(), greater);
      top.back() = value;
      std::push_heap(top.begin(), top.end(), greater);
    }
  }
  void MergeAccumulators(std::vector<V>& into, const std::vector<V>& from) const {
    for (const V& value : from) AddInput(into, value);
  }
  std::vector<V> ExtractOutput(std::vector<V> top) const {
    std::sort(top.begin(), top.end(), [this](const V& a, const V& b) { return less(b, a); });
    return top;
  }
};

/// The number of values, as std::int64_t.
struct Count {
  template <class V>
  CountFn<V> For() const {
    return {};
  }
  struct PerElementTransform;
  /// Counts equal elements: KV<T, std::int64_t>.
  static PerElementTransform PerElement();
};
/// The sum of the values: of integers as 64 bits, of floating-point values as double.
struct Sum {
  template <class V>
  SumFn<V> For() const {
    return {};
  }
};
/// The least value; `V{}` for no value.
struct Min {
  template <class V>
  ExtremeFn<V, std::less<V>> For() const {
    return {};
  }
};
/// The greatest value; `V{}` for no value.
struct Max {
  template <class V>
  ExtremeFn<V, std::greater<V>> For() const {
    return {};
  }
};
/// The arithmetic mean, as double; NaN for no value.
struct Mean {
  template <class V>
  MeanFn<V> For() const {
    return {};
  }
};
/// The `n` greatest values by `less`, the greatest first. Values that compare equal are interchangeable.
template <class Less = std::less<>>
struct Top {
  std::size_t n = 1;
  Less less{};
  template <class V>
  TopFn<V, Less> For() const {
    return {n, less};
  }
};

namespace detail {
/// The CombineFn that `fn` is for values of type `V`.
template <class V, class Fn>
auto BindCombineFn(const Fn& fn) {
  if constexpr (requires { fn.template For<V>(); }) {
    return fn.template For<V>();
  } else {
    return fn;
  }
}
}  // namespace detail

}  // namespace millrace
