// A pipeline: the root of a graph of transforms, and how it is run.
//
//   millrace::Pipeline pipeline;
//   pipeline | "Read" >> text::Read("in.txt") | ... ;
//   millrace::PipelineResult result = pipeline.Run(options);
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "millrace/core/pcollection.h"
#include "millrace/runner/result.h"
#include "millrace/runner/run_options.h"

namespace millrace {

class Pipeline {
 public:
  Pipeline();
  ~Pipeline();
  Pipeline(Pipeline&&) noexcept;
  Pipeline& operator=(Pipeline&&) noexcept;

  /// Applies a root transform, such as a read: a type with `auto Expand(Pipeline&) const`.
  template <class X>
  auto Apply(std::string_view label, const X& transform) {
    return ApplyIn(label, true, transform);
  }
  template <class X>
  friend auto operator|(Pipeline& pipeline, const X& transform) {
    return pipeline.ApplyIn(detail::DefaultLabel(transform), false, transform);
  }
  template <class X>
  friend auto operator|(Pipeline& pipeline, const detail::Labelled<X>& labelled) {
    return pipeline.ApplyIn(labelled.label, true, labelled.transform);
  }

  /// Runs to the end and gives the result; blocks. An invalid graph runs nothing: the status names every mistake.
  PipelineResult Run(const RunOptions& options = {});
  /// What is wrong with the graph, all of it; OK if nothing is.
  Status Validate(bool streaming) const;
  /// The graph in words: transforms, windows, coders, state, horizons.
  std::string Describe() const;

  detail::Graph& graph() { return *graph_; }
  const detail::Graph& graph() const { return *graph_; }

 private:
  template <class X>
  auto ApplyIn(std::string_view label, bool given, const X& transform) {
    if constexpr (detail::IsRootTransform<X>) {
      const detail::Graph::Scope scope(*graph_, label, given);
      return transform.Expand(*this);
    } else {
      static_assert(detail::IsRootTransform<X>,
                    "Millrace: this transform needs an input, so a pipeline cannot start with it. Apply it to a "
                    "PCollection; a pipeline starts with a read or Create.");
      return detail::Poison{};
    }
  }

  std::unique_ptr<detail::Graph> graph_;
};

}  // namespace millrace
