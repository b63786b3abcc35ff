// The logic of a topology: the one definition, from the records of the topic to views. It may leave out the pipeline,
// which is for side inputs and other sources; its options (a plain struct, core/options.h) and `const
// PipelineOptions&` too; and it gives `void` or `Status`. So it is one of
//
//   void Clicks(const PCollection<LogRecord>& records);
//   void Clicks(Pipeline& pipeline, const PCollection<LogRecord>& records, const ClickOptions& options);
//   Status Clicks(const PCollection<LogRecord>& records, const ClickOptions&, const PipelineOptions&);
//
// or a lambda like them.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "millrace/core/options.h"
#include "millrace/core/pipeline.h"
#include "millrace/core/status.h"
#include "millrace/io/log.h"

namespace millrace {

namespace topology {

/// How time advances in the topic, and what a run makes of a topic that is not there yet.
struct TopicOptions {
  /// As in `log::ReadOptions`.
  std::optional<Duration> max_disorder = std::nullopt;
  Duration idle_after = std::chrono::seconds(30);
  std::int32_t partitions = 4;
};

}  // namespace topology

namespace detail {

struct NoTopologyOptions {};

template <class... P>
struct LogicParameters;
template <>
struct LogicParameters<> {
  using Options = NoTopologyOptions;
};
template <>
struct LogicParameters<const PipelineOptions&> {
  using Options = NoTopologyOptions;
};
template <class O>
struct LogicParameters<const O&> {
  using Options = O;
};
template <class O>
struct LogicParameters<const O&, const PipelineOptions&> {
  using Options = O;
};

template <class F>
struct LogicSignature : LogicSignature<decltype(&F::operator())> {};
template <class R, class... P>
struct LogicSignature<R (*)(const PCollection<LogRecord>&, P...)> : LogicParameters<P...> {
  using Result = R;
};
template <class R, class... P>
struct LogicSignature<R (*)(Pipeline&, const PCollection<LogRecord>&, P...)> : LogicParameters<P...> {
  using Result = R;
};
template <class C, class R, class... P>
struct LogicSignature<R (C::*)(P...)> : LogicSignature<R (*)(P...)> {};
template <class C, class R, class... P>
struct LogicSignature<R (C::*)(P...) const> : LogicSignature<R (*)(P...)> {};

template <class F>
concept IsLogic = requires {
  typename LogicSignature<F>::Options;
} && (std::is_void_v<typename LogicSignature<F>::Result> || std::is_same_v<typename LogicSignature<F>::Result, Status>);

template <class F, class Options>
concept TakesPipeline =
    std::is_invocable_v<const F&, Pipeline&, const PCollection<LogRecord>&> ||
    std::is_invocable_v<const F&, Pipeline&, const PCollection<LogRecord>&, const Options&> ||
    std::is_invocable_v<const F&, Pipeline&, const PCollection<LogRecord>&, const PipelineOptions&> ||
    std::is_invocable_v<const F&, Pipeline&, const PCollection<LogRecord>&, const Options&, const PipelineOptions&>;

/// What the command line knows of a program's topology.
struct TopologyDescription {
  std::string name;
  topology::TopicOptions topic;
  std::vector<std::string> views;
  std::optional<Duration> every = std::nullopt;  // of one with a batch layer: the size of its partitions
  std::map<std::string, std::string> sql = {};   // its SQL files, by view
  std::string sql_folder = {};                   // what their paths are relative to
};

/// The records of the topic: of the archive, and from its end on of the log.
PCollection<LogRecord> ReadTopic(Pipeline& pipeline, const topology::TopicOptions& topic,
                                 const PipelineOptions& options);

template <class Logic, class Options, class... Input>
Status CallLogic(const Logic& logic, const Options& options, const PipelineOptions& pipeline_options, Input&... input) {
  const auto call = [&](const auto&... more) {
    if constexpr (std::is_void_v<typename LogicSignature<Logic>::Result>) {
      logic(input..., more...);
      return OkStatus();
    } else {
      return logic(input..., more...);
    }
  };
  if constexpr (std::is_invocable_v<const Logic&, Input&...>) {
    return call();
  } else if constexpr (std::is_same_v<Options, NoTopologyOptions>) {
    return call(pipeline_options);
  } else if constexpr (std::is_invocable_v<const Logic&, Input&..., const Options&>) {
    return call(options);
  } else {
    return call(options, pipeline_options);
  }
}

/// Builds the pipeline of a topology, as a job does.
template <class Logic, class Options>
Status BuildTopology(Pipeline& pipeline, const topology::TopicOptions& topic, const Logic& logic,
                     const Options& options, const PipelineOptions& pipeline_options) {
  const PCollection<LogRecord> records = ReadTopic(pipeline, topic, pipeline_options);
  if constexpr (TakesPipeline<Logic, Options>) {
    return CallLogic(logic, options, pipeline_options, pipeline, records);
  } else {
    return CallLogic(logic, options, pipeline_options, records);
  }
}

}  // namespace detail

}  // namespace millrace
