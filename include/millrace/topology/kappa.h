// The Kappa architecture: one path. Events are landed in the log, one streaming pipeline makes the views, and the
// archive keeps what the log no longer does. To recompute, the same pipeline reads the archive from its beginning and
// then goes on live, beside the one that is read, until it takes its place (docs/guide/kappa.md).
//
//   const topology::Kappa kappa{.log = {.max_disorder = 10s}, .logic = Clicks, .views = {"page_views"}};
//   int main(int argc, char** argv) { return millrace::Main(argc, argv, kappa); }
//
// where the logic is the one definition, from the records of the topic to views:
//
//   void Clicks(Pipeline& pipeline, const PCollection<LogRecord>& records, const ClickOptions& options);
//
// It may leave out the pipeline, which is for side inputs and other sources, and its options (a plain struct,
// core/options.h), take `const PipelineOptions&` as well, and give `void` or `Status`. Such a program has the verbs
// `run` (which also archives), `replay` and `generations`. The topic is
// `--topic` of the log in `--data_dir`, the archive is beside it.
#pragma once

#include <chrono>
#include <cstdint>
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
};

/// The records of the topic: of the archive, and from its end on of the log.
PCollection<LogRecord> ReadKappa(Pipeline& pipeline, const topology::TopicOptions& topic,
                                 const PipelineOptions& options);

}  // namespace detail

namespace topology {

/// See above. `views` names the views that a replay must bring and that generations are compared by; empty: all.
template <class Logic>
struct Kappa {
  TopicOptions log = {};
  Logic logic;
  std::vector<std::string> views = {};

  detail::TopologyDescription Describe() const { return {.name = "kappa", .topic = log, .views = views}; }

  /// Builds the pipeline, as a job does.
  template <class Options>
  Status BuildWith(Pipeline& pipeline, const Options& options, const PipelineOptions& pipeline_options) const {
    const PCollection<LogRecord> records = detail::ReadKappa(pipeline, log, pipeline_options);
    if constexpr (detail::TakesPipeline<Logic, Options>) {
      return Call(options, pipeline_options, pipeline, records);
    } else {
      return Call(options, pipeline_options, records);
    }
  }

 private:
  template <class Options, class... Input>
  Status Call(const Options& options, const PipelineOptions& pipeline_options, Input&... input) const {
    const auto call = [&](const auto&... more) {
      if constexpr (std::is_void_v<typename detail::LogicSignature<Logic>::Result>) {
        logic(input..., more...);
        return OkStatus();
      } else {
        return logic(input..., more...);
      }
    };
    if constexpr (std::is_invocable_v<const Logic&, Input&...>) {
      return call();
    } else if constexpr (std::is_same_v<Options, detail::NoTopologyOptions>) {
      return call(pipeline_options);
    } else if constexpr (std::is_invocable_v<const Logic&, Input&..., const Options&>) {
      return call(options);
    } else {
      return call(options, pipeline_options);
    }
  }
};

template <class Logic>
Kappa(TopicOptions, Logic, std::vector<std::string>) -> Kappa<Logic>;
template <class Logic>
Kappa(TopicOptions, Logic) -> Kappa<Logic>;

}  // namespace topology

}  // namespace millrace
