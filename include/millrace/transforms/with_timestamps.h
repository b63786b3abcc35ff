// WithTimestamps: gives elements the event time that they carry. Put it right after the source.
#pragma once

#include <functional>
#include <string>
#include <type_traits>
#include <utility>

#include "millrace/core/pcollection.h"
#include "millrace/transforms/map.h"

namespace millrace {

namespace detail {

template <class F>
struct WithTimestampsTransform : TransformBase {
  explicit WithTimestampsTransform(F f) : time(std::move(f)) {}
  std::string DefaultLabel() const { return "WithTimestamps"; }

  template <class T>
  auto Expand(const PCollection<T>& in) const {
    if constexpr (!CheckCallable<F, T>()) {
      return in;
    } else if constexpr (!std::is_convertible_v<std::invoke_result_t<F&, const T&>, Timestamp>) {
      static_assert(kNever<T>,
                    "Millrace: WithTimestamps' function must return a millrace::Timestamp, such as "
                    "Timestamp::FromMillis(event.at_ms).");
      return in;
    } else {
      auto emit = [f = time](OutputBuffer<T>& output, const T& element, std::size_t row) mutable {
        const Timestamp at = std::invoke(f, element);
        output.EmitMoved(T(element), row, at);
      };
      return AddElementwise<T, F>(in, "WithTimestamps",
                                  [emit] { return std::make_unique<EmitKernel<T, T, decltype(emit)>>(emit); });
    }
  }

  F time;
};

}  // namespace detail

/// `WithTimestamps(&Click::at)`. A timestamp before the element's own fails the element, since it may be late.
template <class F>
auto WithTimestamps(F time) {
  return detail::WithTimestampsTransform<F>(std::move(time));
}

}  // namespace millrace
