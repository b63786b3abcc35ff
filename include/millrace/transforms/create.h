// Create: a PCollection of given elements (https://beam.apache.org/documentation/transforms/python/other/create/).
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "millrace/transforms/read.h"

namespace millrace {

namespace detail {

/// An element with its event time.
template <class T>
struct TimestampedValue {
  T value;
  Timestamp timestamp = Timestamp::Min();
};

template <class T>
struct CreateSource {
  using Element = T;
  std::shared_ptr<const std::vector<TimestampedValue<T>>> elements;

  StatusOr<std::vector<Restriction>> InitialRestrictions(const SplitOptions& options) const {
    std::vector<Restriction> parts;
    const auto size = static_cast<std::int64_t>(elements->size());
    const std::int64_t step = size / options.workers + 1;
    for (std::int64_t from = 0; from < size; from += step) {
      parts.push_back(Restriction{.partition = "", .from = from, .to = std::min(size, from + step)});
    }
    return parts;
  }
  StatusOr<ProcessContinuation> Read(RestrictionTracker& tracker, WatermarkEstimator&, SourceOutput<T>& out) {
    for (std::int64_t i = tracker.from(); tracker.TryClaim(i); ++i) {
      const TimestampedValue<T>& element = (*elements)[static_cast<std::size_t>(i)];
      out.Emit(element.value, element.timestamp);
    }
    return ProcessContinuation::Stop();
  }
};

template <class T>
struct CreateTransform : TransformBase {
  explicit CreateTransform(std::vector<TimestampedValue<T>> list)
      : elements(std::make_shared<const std::vector<TimestampedValue<T>>>(std::move(list))) {}
  std::string DefaultLabel() const { return "Create"; }
  auto Expand(Pipeline& pipeline) const { return detail::ReadTransform<CreateSource<T>>({elements}).Expand(pipeline); }

  std::shared_ptr<const std::vector<TimestampedValue<T>>> elements;
};

}  // namespace detail

/// Elements without a timestamp (`Timestamp::Min()`, as in Beam).
template <class T>
auto Create(std::vector<T> elements) {
  std::vector<detail::TimestampedValue<T>> timed;
  timed.reserve(elements.size());
  for (T& element : elements) timed.push_back({std::move(element), Timestamp::Min()});
  return detail::CreateTransform<T>(std::move(timed));
}
/// The same, with event times.
template <class T>
auto Create(std::vector<detail::TimestampedValue<T>> elements) {
  return detail::CreateTransform<T>(std::move(elements));
}
/// `Create<std::string>({"a", "b"})`, `Create({1, 2, 3})`.
template <class T>
auto Create(std::initializer_list<T> elements) {
  return Create(std::vector<T>(elements));
}
template <class T>
using TimestampedValue = detail::TimestampedValue<T>;

}  // namespace millrace
