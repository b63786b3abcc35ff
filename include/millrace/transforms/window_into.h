// WindowInto: assigns windows, and sets triggers, allowed lateness and accumulation for the aggregations that follow
// (https://beam.apache.org/documentation/programming-guide/#windowing).
#pragma once

#include <string>

#include "millrace/core/pcollection.h"

namespace millrace {

struct WindowInto : detail::TransformBase {
  explicit WindowInto(WindowFn window_fn) { strategy.window_fn = window_fn; }

  WindowInto Triggering(Trigger trigger) const {
    WindowInto result = *this;
    result.strategy.trigger = trigger;
    return result;
  }
  /// What comes after the watermark has passed a window's end by this much is late: dropped and counted.
  WindowInto AllowedLateness(Duration lateness) const {
    WindowInto result = *this;
    result.strategy.allowed_lateness = lateness;
    return result;
  }
  /// A later pane contains what earlier ones did.
  WindowInto Accumulating() const { return With(AccumulationMode::kAccumulating); }
  /// A later pane contains only what is new.
  WindowInto Discarding() const { return With(AccumulationMode::kDiscarding); }

  template <class T>
  auto Expand(const PCollection<T>& in) const {
    detail::Graph& graph = detail::GraphAccess::GraphOf(in);
    const int transform =
        graph.Add({detail::GraphAccess::IndexOf(in)}, {&detail::TypeInfoOf<T>()}, detail::WindowPayload{strategy});
    graph.pcollection(graph.transform(transform).outputs[0]).windowing = strategy;
    return detail::GraphAccess::Output<T>(graph, transform);
  }

  WindowingStrategy strategy;

 private:
  WindowInto With(AccumulationMode mode) const {
    WindowInto result = *this;
    result.strategy.accumulation_mode = mode;
    result.strategy.accumulation_mode_set = true;
    return result;
  }
};

}  // namespace millrace
