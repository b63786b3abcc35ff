// The Kappa architecture: one path. Events are landed in the log, one streaming pipeline makes the views, and the
// archive keeps what the log no longer does. To recompute, the same pipeline reads the archive from its beginning and
// then goes on live, beside the one that is read, until it takes its place (docs/guide/kappa.md).
//
//   const topology::Kappa kappa{.log = {.max_disorder = 10s}, .logic = Clicks, .views = {"page_views"}};
//   int main(int argc, char** argv) { return millrace::Main(argc, argv, kappa); }
//
// with the logic as in topology/logic.h. Such a program has the verbs `run` (which also archives), `replay` and
// `generations`. The topic is `--topic` of the log in `--data_dir`, the archive is beside it.
#pragma once

#include <string>
#include <vector>

#include "millrace/topology/logic.h"

namespace millrace::topology {

/// See above. `views` names the views that a replay must bring and that generations are compared by; empty: all.
template <class L>
struct Kappa {
  TopicOptions log = {};
  L logic;
  std::vector<std::string> views = {};

  using Logic = L;
  detail::TopologyDescription Describe() const { return {.name = "kappa", .topic = log, .views = views}; }
  template <class Options>
  Status BuildWith(Pipeline& pipeline, const Options& options, const PipelineOptions& pipeline_options) const {
    return detail::BuildTopology(pipeline, log, logic, options, pipeline_options);
  }
};

template <class Logic>
Kappa(TopicOptions, Logic, std::vector<std::string>) -> Kappa<Logic>;
template <class Logic>
Kappa(TopicOptions, Logic) -> Kappa<Logic>;

}  // namespace millrace::topology
