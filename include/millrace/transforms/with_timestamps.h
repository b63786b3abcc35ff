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

template <class T, class F>
class WithTimestampsKernel final : public Operator {
 public:
  explicit WithTimestampsKernel(F time) : time_(std::move(time)) {}
  void Open(OperatorContext& context) override {
    Operator::Open(context);
    output_.Open(context.output(0));
  }
  void Process(BatchBase& batch, int /*input*/) override {
    auto& rows = static_cast<Batch<T>&>(batch);
    const MetricsScope scope(context().metrics());
    output_.Begin(rows);
    std::size_t mark = 0;
    ForEachRow(
        rows, context().label(),
        [&](std::size_t row) {
          mark = output_.size();
          const Timestamp time = std::invoke(time_, std::as_const(rows.values[row]));
          output_.EmitMoved(T(rows.values[row]), row, time);
        },
        [&](std::size_t) { output_.Rewind(mark); });
    output_.Flush();
  }

 private:
  F time_;
  OutputBuffer<T> output_;
};

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
      return AddElementwise<T, F>(in, "WithTimestamps",
                                  [f = time] { return std::make_unique<WithTimestampsKernel<T, F>>(f); });
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
