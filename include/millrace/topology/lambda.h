// The Lambda topology: everything of Kappa, as the speed layer, and a batch layer beside it that computes whole
// partitions of event time again from all that is archived, late events included. A read merges both: the batch layer
// answers for the windows that it has, the speed layer for the rest (docs/guide/lambda.md).
//
//   const topology::Lambda lambda{.log = {.max_disorder = 10s}, .logic = Clicks, .views = {"page_views"}};
//   int main(int argc, char** argv) { return millrace::Main(argc, argv, lambda); }
//
// with the logic as in topology/logic.h: both layers run the one definition. Such a program has, besides the verbs of
// Kappa, `recompute`. A view can be computed by partitions only where its windows are bounded and no step before it
// keeps state of its own: `describe` says which views are, and of others why not.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "millrace/topology/logic.h"

namespace millrace::topology {

/// See above. `views` names the views that the batch layer has; empty: all. `every` is the size of a partition, a day
/// or an hour of event time (UTC). `sql` names, by view, the files that `recompute --batch_engine=sql` runs over the
/// records of the topic instead of the logic (docs/formats/batch.md says what a file sees and must give); their paths
/// are relative to `sql_folder`, which is relative to the working directory and which `--sql_folder` replaces.
template <class L>
struct Lambda {
  TopicOptions log = {};
  L logic;
  std::vector<std::string> views = {};
  Duration every = std::chrono::hours(24);
  std::map<std::string, std::string> sql = {};
  std::string sql_folder = {};

  using Logic = L;
  detail::TopologyDescription Describe() const {
    return {.name = "lambda", .topic = log, .views = views, .every = every, .sql = sql, .sql_folder = sql_folder};
  }
  template <class Options>
  Status BuildWith(Pipeline& pipeline, const Options& options, const PipelineOptions& pipeline_options) const {
    return detail::BuildTopology(pipeline, log, logic, options, pipeline_options);
  }
};

template <class Logic>
Lambda(TopicOptions, Logic, std::vector<std::string>, Duration, std::map<std::string, std::string>, std::string)
    -> Lambda<Logic>;
template <class Logic>
Lambda(TopicOptions, Logic, std::vector<std::string>, Duration, std::map<std::string, std::string>) -> Lambda<Logic>;
template <class Logic>
Lambda(TopicOptions, Logic, std::vector<std::string>, Duration) -> Lambda<Logic>;
template <class Logic>
Lambda(TopicOptions, Logic, std::vector<std::string>) -> Lambda<Logic>;
template <class Logic>
Lambda(TopicOptions, Logic) -> Lambda<Logic>;

}  // namespace millrace::topology
