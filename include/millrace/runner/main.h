// The command line that every program has: `run`, `query`, `sql`, `export`, `describe`, `--help`, `--version`; and
// `publish` where the job says how (runner/publishing.h).
//
//   struct RidesOptions { std::string input = "rides.json"; };
//   void BuildRides(millrace::Pipeline& pipeline, const RidesOptions& options) { ... | View("rides"); }
//   int main(int argc, char** argv) { return millrace::Main(argc, argv, BuildRides); }
//
// The guide is docs/guide/command-line.md.
#pragma once

#include <concepts>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "millrace/core/options.h"
#include "millrace/core/pipeline.h"
#include "millrace/core/status.h"
#include "millrace/runner/publishing.h"
#include "millrace/topology/logic.h"

namespace millrace {

/// The version of Millrace, as `--version` prints it.
inline constexpr std::string_view kVersion = "0.1.0";

namespace detail {

/// Options as they were read: a struct and its schema; null where there are none.
struct OptionValues {
  const Schema* schema = nullptr;
  const void* object = nullptr;
};

/// A job whose options are not known by type: what `Main` works with.
class JobDefinition {
 public:
  virtual ~JobDefinition() = default;
  /// Adds the job's own options; they are read by the next `Build`.
  virtual void AddOptions(OptionParser& parser) = 0;
  /// The job's own options. They live as long as the job.
  virtual OptionValues OwnOptions() const = 0;
  virtual Status Build(Pipeline& pipeline, const PipelineOptions& options) = 0;
};

using NoOptions = NoTopologyOptions;

// A job's parameters behind the pipeline are those of a topology's logic behind the records.
template <class... P>
struct BuildOptions;
template <class... P>
struct BuildOptions<Pipeline&, P...> : LogicParameters<P...> {};

template <class F>
struct BuildSignature : BuildSignature<decltype(&F::operator())> {};
template <class R, class... P>
struct BuildSignature<R (*)(P...)> : BuildOptions<P...> {
  using Result = R;
};
template <class C, class R, class... P>
struct BuildSignature<R (C::*)(P...)> : BuildSignature<R (*)(P...)> {};
template <class C, class R, class... P>
struct BuildSignature<R (C::*)(P...) const> : BuildSignature<R (*)(P...)> {};

// A topology builds with the options of its logic.
template <class T>
concept IsTopology = requires(const T& topology) {
  typename T::Logic;
  { topology.Describe() } -> std::same_as<TopologyDescription>;
};
template <IsTopology Topology>
struct BuildSignature<Topology> {
  static_assert(
      IsLogic<typename Topology::Logic>,
      "Millrace: the logic of a topology is a function such as "
      "void Logic(const millrace::PCollection<millrace::LogRecord>&) or "
      "void Logic(const millrace::PCollection<millrace::LogRecord>&, const MyOptions&), or a lambda like it.");
  using Options = typename LogicSignature<typename Topology::Logic>::Options;
  using Result = Status;
};

template <class F>
concept IsBuild = requires {
  typename BuildSignature<F>::Options;
} && (std::is_void_v<typename BuildSignature<F>::Result> || std::is_same_v<typename BuildSignature<F>::Result, Status>);

template <class F>
class TypedJob final : public JobDefinition {
 public:
  explicit TypedJob(F build) : build_(std::move(build)) {}

  void AddOptions(OptionParser& parser) override {
    if constexpr (!std::is_same_v<Options, NoOptions>) parser.Add("Options of this program", &options_);
  }
  OptionValues OwnOptions() const override {
    if constexpr (std::is_same_v<Options, NoOptions>)
      return {};
    else
      return {.schema = &SchemaOf<Options>(), .object = &options_};
  }
  Status Build(Pipeline& pipeline, const PipelineOptions& options) override {
    if constexpr (std::is_void_v<typename BuildSignature<F>::Result>) {
      Call(pipeline, options);
      return OkStatus();
    } else {
      return Call(pipeline, options);
    }
  }

 private:
  using Options = typename BuildSignature<F>::Options;

  auto Call(Pipeline& pipeline, const PipelineOptions& options) {
    if constexpr (IsTopology<F>) {
      return build_.BuildWith(pipeline, options_, options);
    } else if constexpr (std::is_invocable_v<F&, Pipeline&>) {
      return build_(pipeline);
    } else if constexpr (std::is_same_v<Options, NoOptions>) {
      return build_(pipeline, options);
    } else if constexpr (std::is_invocable_v<F&, Pipeline&, const Options&>) {
      return build_(pipeline, options_);
    } else {
      return build_(pipeline, options_, options);
    }
  }

  F build_;
  Options options_{};
};

}  // namespace detail

/// What a program runs: a topology, or a function that builds its pipeline. It may be `void` or `Status`, and takes
/// `Pipeline&`, then, if it wants them, its own options (`const X&`, X a plain struct; see core/options.h) and `const
/// PipelineOptions&`. It only describes: whatever it reads is read by sources when the pipeline runs, for every verb
/// builds the pipeline.
class Job {
 public:
  template <class F>
    requires(!std::is_same_v<std::decay_t<F>, Job>)
  Job(F&& build) {  // NOLINT: implicit by design
    using Build = std::decay_t<F>;
    if constexpr (!detail::IsBuild<Build>) {
      static_assert(detail::IsBuild<Build>,
                    "Millrace: a job is a function such as void Build(millrace::Pipeline&) or "
                    "void Build(millrace::Pipeline&, const MyOptions&), or a lambda like it.");
    } else {
      if constexpr (detail::IsTopology<Build>) {
        topology_ = std::make_shared<const detail::TopologyDescription>(build.Describe());
      }
      definition_ = std::make_shared<detail::TypedJob<Build>>(std::forward<F>(build));
    }
  }

  /// What `--help` says of the program, in a sentence or two.
  Job Description(std::string text) const {
    Job result = *this;
    result.description_ = std::move(text);
    return result;
  }

  /// The program also has the verb `publish FILE`, which appends the records of a file to the event log.
  Job Publishes(Publishing publishing) const {
    Job result = *this;
    result.publishing_ = std::make_shared<const Publishing>(std::move(publishing));
    return result;
  }

  detail::JobDefinition& definition() const { return *definition_; }
  const std::string& description() const { return description_; }
  /// Null when the program does not publish.
  const std::shared_ptr<const Publishing>& publishing() const { return publishing_; }
  /// Null for a job that is a function.
  const std::shared_ptr<const detail::TopologyDescription>& topology() const { return topology_; }

 private:
  std::shared_ptr<detail::JobDefinition> definition_;
  std::shared_ptr<const Publishing> publishing_;
  std::shared_ptr<const detail::TopologyDescription> topology_;
  std::string description_;
};

/// Does what the command line says and gives the process's exit code: 0; 1 when it failed; 2 when the command line is
/// wrong; 130 (143) when SIGINT (SIGTERM) ended a run before it had a result. Results go to the standard output,
/// everything else to the standard error. Call it once, from `main`.
int Main(int argc, char** argv, Job job);

/// A job with the name by which `--topology` chooses it.
struct NamedJob {
  std::string name;
  Job job;
};

/// The same for a program that can run in several ways. `--topology=NAME` chooses; without it a data directory is used
/// as the run before did, and else the first one is taken.
int Main(int argc, char** argv, std::initializer_list<NamedJob> jobs);

}  // namespace millrace
