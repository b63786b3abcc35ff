// Options of a program: fields of plain structs, set on the command line.
//
//   struct RidesOptions {
//     std::string input = "rides.json";
//     millrace::Duration window = std::chrono::minutes(1);
//     std::optional<double> rate;
//     std::vector<std::string> cities;
//     static constexpr millrace::OptionHelp kOptionHelp[] = {{"input", "file of rides"}};   // may be left out
//   };
//
// A field is an option of its name: `--input=x.json`, `--input x.json`; a bool is set by `--verbose` or
// `--verbose=false`. Names are written in snake_case or in camelCase, as in Beam's SDKs (`--temp_location`,
// `--tempLocation`). A list takes one element each time that its option is given; of any other option the last one
// counts. Fields may be bool, integers, enums (as integers), float, double, std::string, Timestamp, Duration,
// std::optional of these, and std::vector of these. The default is what the struct has before it is parsed into.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/core/schema.h"
#include "millrace/core/status.h"
#include "millrace/runner/run_options.h"

namespace millrace {

/// What `--help` says of one option.
struct OptionHelp {
  std::string_view name;  // of the field
  std::string_view text;
};

/// The options that every pipeline has, with Beam's names where Beam has them
/// (https://beam.apache.org/documentation/runners/direct/ and the other runners' pages).
struct PipelineOptions {
  std::string runner = "native";
  std::string job_name;
  bool streaming = false;
  bool batch = false;
  std::int32_t threads = 0;
  std::string data_dir;
  std::string topic;
  std::string temp_location;
  std::string state_backend = "memory";
  std::int32_t state_memory_mib = 1024;
  std::optional<Duration> checkpoint_interval;
  bool fresh = false;
  std::optional<std::uint64_t> restore_epoch;
  std::string from_snapshot;
  bool allow_lost_state = false;
  std::string topology;
  std::optional<Timestamp> read_from;
  std::optional<Timestamp> read_to;
  std::vector<std::int64_t> read_cut;

  static constexpr OptionHelp kOptionHelp[] = {
      {"runner", "what runs the pipeline: native (alias DirectRunner)"},
      {"job_name", "the name of the job, kept in the data directory; by default the program's name"},
      {"streaming", "run in streaming mode: windows fire early and late, as their triggers say; default for a log"},
      {"batch", "run in batch mode, the default for files: each window fires once, complete"},
      {"threads", "worker threads; 0 means one per core"},
      {"data_dir", "the directory that holds the views and the dead letters; one process at a time uses it"},
      {"topic", "the topic of the event log in the data directory; by default the program's name"},
      {"temp_location", "folder for what SQL or state cannot hold in memory; by default beside the warehouse"},
      {"state_backend", "where the state of keyed steps is: memory, or rocksdb for what does not fit into memory"},
      {"state_memory_mib", "with --state_backend=rocksdb: so much of the state is in memory, in MiB"},
      {"checkpoint_interval",
       "how often a streaming run writes down what it needs to go on after a crash; 10s if nothing is said, 0s: never"},
      {"fresh", "give up a run with checkpoints that could be resumed, and start anew"},
      {"restore_epoch", "go on from this checkpoint, not from the newest one"},
      {"from_snapshot", "begin from the snapshot in this folder, which `stop --snapshot` made"},
      {"allow_lost_state", "go on from a checkpoint though it holds state that the pipeline has no use for any more"},
      {"topology", "which of the program's topologies; by default the data directory's, or else the first"},
      {"read_from", "of a replay: only events of this time or later; --from in short"},
      {"read_to", "of a replay: only events before this time, and only what is there when it starts; --to in short"},
      {"read_cut", "of a recompute: only records before this offset, one for each partition of the topic in turn"},
  };
};

/// INVALID_ARGUMENT for both modes at once, or too few threads; UNIMPLEMENTED for a runner that Beam has and this
/// version of Millrace has not. Otherwise what the options say of a run; sinks and call-backs are left unset.
StatusOr<RunOptions> RunOptionsOf(const PipelineOptions& options);

/// Reads command lines into structs. Add the structs, then parse once. Use from one thread.
class OptionParser {
 public:
  /// Makes each field of `*options` an option. The struct must outlive the parser. `title` heads its part of `Help`.
  template <class T>
  void Add(std::string title, T* options) {
    std::span<const OptionHelp> help;
    if constexpr (requires { T::kOptionHelp; }) help = T::kOptionHelp;
    AddFields(std::move(title), SchemaOf<T>(), options, help);
  }
  /// The same for a struct that is known by its schema.
  void AddFields(std::string title, const Schema& schema, void* options, std::span<const OptionHelp> help);

  /// What is wrong with the structs themselves, all of it: two options of one name, a type that no text can set.
  Status Check() const;

  /// Sets the fields from `arguments` (without the program's name) and gives those that are no options, in order; what
  /// follows a lone `--` is none, nor is a number such as -5 or a text with white space before its first `=`.
  /// INVALID_ARGUMENT tells all that is wrong, with the nearest name for an unknown one.
  /// `--help` and `-h` are left to the caller: define no option of that name.
  StatusOr<std::vector<std::string>> Parse(std::span<const std::string> arguments);

  /// All options with types, defaults and help texts, by struct; lines of at most 120 characters.
  std::string Help() const;

 private:
  struct Option {
    std::string name;  // snake_case
    const Type* type;
    void* object;
    std::string help{};
    std::string default_text{};
    bool given = false;
  };
  struct Section {
    std::string title;
    std::size_t begin;  // in options_
    std::size_t end;
  };

  Option* Find(std::string_view name);
  std::string Unknown(std::string_view name) const;
  static std::string SetValue(Option& option, std::string_view text);

  std::vector<Section> sections_;
  std::vector<Option> options_;
  std::vector<std::string> mistakes_;
};

}  // namespace millrace
