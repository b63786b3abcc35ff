// Read: the root of a pipeline over any source (core/source.h).
#pragma once

#include <optional>
#include <string>
#include <tuple>
#include <utility>

#include "millrace/core/pipeline.h"
#include "millrace/core/source.h"
#include "millrace/transforms/dead_letters.h"

namespace millrace {

namespace detail {

template <class S>
concept IsSource = requires(S source, RestrictionTracker& tracker, WatermarkEstimator& watermark,
                            SourceOutput<typename S::Element>& output, const SplitOptions& options) {
  { source.Read(tracker, watermark, output) } -> std::convertible_to<StatusOr<ProcessContinuation>>;
  { std::as_const(source).InitialRestrictions(options) } -> std::convertible_to<StatusOr<std::vector<Restriction>>>;
};

template <class S>
struct ReadTransform : TransformBase {
  explicit ReadTransform(S s) : source(std::move(s)) {}
  std::string DefaultLabel() const { return "Read" + ShortTypeName(typeid(S)); }

  /// In streaming mode, elements of one partition are at most this much out of order in event time: the watermark of a
  /// partition is its greatest event time less this. What is more out of order may be late.
  ReadTransform MaxDisorder(Duration disorder) const {
    ReadTransform result = *this;
    result.max_disorder = disorder;
    return result;
  }

  auto Expand(Pipeline& pipeline) const {
    if constexpr (!IsSource<S>) {
      static_assert(IsSource<S>,
                    "Millrace: Read needs a source: a type with Element, InitialRestrictions and Read "
                    "(millrace/core/source.h).");
      return Poison{};
    } else {
      using T = typename S::Element;
      ReadPayload payload;
      payload.source_name = ShortTypeName(typeid(S));
      payload.max_disorder = max_disorder;
      if constexpr (requires { S::kUnbounded; }) payload.unbounded = S::kUnbounded;
      payload.initial_restrictions = [s = source](const SplitOptions& options) {
        return s.InitialRestrictions(options);
      };
      payload.make = [s = source](SourceSink& sink) { return std::make_unique<TypedSourceReader<S>>(s, sink); };
      if constexpr (requires(const std::vector<Restriction>& unfinished) { source.Retain(unfinished); }) {
        payload.retain = [s = source](const std::vector<Restriction>& unfinished, const std::string&) {
          return s.Retain(unfinished);
        };
      }
      Graph& graph = pipeline.graph();
      const int transform = graph.Add({}, {&TypeInfoOf<T>(), &TypeInfoOf<BadRecord>()}, std::move(payload));
      graph.pcollection(graph.transform(transform).outputs[0]).unbounded = payload.unbounded;
      GraphAccess::Output<BadRecord>(graph, transform, 1).Apply("BadRecords", DeadLetters(graph.CurrentLabel()));
      return GraphAccess::Output<T>(graph, transform);
    }
  }

  S source;
  std::optional<Duration> max_disorder;
};

}  // namespace detail

/// Records that the source cannot read go to the dead letters under the read's label.
template <class S>
auto Read(S source) {
  return detail::ReadTransform<S>(std::move(source));
}

}  // namespace millrace
