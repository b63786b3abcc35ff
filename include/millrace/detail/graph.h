// The untyped graph under construction. Public templates fill it in; `src/model` checks it and `src/exec` runs it. A
// transform's typed part is a factory of its kernel.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "millrace/core/source.h"
#include "millrace/core/windowing.h"
#include "millrace/detail/aggregate.h"
#include "millrace/detail/merging.h"
#include "millrace/detail/operator.h"
#include "millrace/detail/source_reader.h"
#include "millrace/detail/type_info.h"

namespace millrace::detail {

class Graph;

using OperatorFactory = std::function<std::unique_ptr<Operator>()>;

/// How a side input is presented; see `transforms/side_input.h`.
enum class SideInputView : std::uint8_t { kSingleton, kIterable, kMap };

/// A side input of a ParDo.
struct SideInputUse {
  std::string name;
  int pcollection = -1;
  SideInputView view = SideInputView::kSingleton;
  const Graph* graph = nullptr;                // that the PCollection belongs to
  const std::type_info* value_type = nullptr;  // of what the DoFn is given
  OperatorFactory make_collector;
};

struct ReadPayload {
  std::string source_name;
  bool unbounded = false;
  bool bounded_in_batch = false;  // in batch mode it ends where its input ends when the run starts
  std::optional<Duration> max_disorder;
  bool processing_time = false;
  std::function<StatusOr<std::vector<Restriction>>(const SplitOptions&)> initial_restrictions;
  std::function<std::unique_ptr<SourceReader>(SourceSink&)> make;
  // Empty: the source does not want to know. `reader` tells runs of one pipeline apart.
  std::function<Status(const std::vector<Restriction>& unfinished, const std::string& reader)> retain;
};
struct ParDoPayload {
  std::string verb = "ParDo";  // Map, Filter, ...
  std::string dofn_name;       // empty where it says nothing
  OperatorFactory make;
  bool keyed = false;  // stateful: needs its keys on one worker
  bool reads_pane = false;
  bool captures = false;  // cannot be shipped to another process
  std::vector<std::string> states;
  std::vector<std::string> timers;             // in event time
  std::vector<std::string> processing_timers;  // in processing time
  std::vector<SideInputUse> side_inputs;
  std::vector<std::string> declared_side_inputs;
};
struct CombinePayload {
  std::string combine_name;
  std::function<std::unique_ptr<AggregateKernel>()> make;
  std::function<std::unique_ptr<MergingKernel>()> make_merging;  // empty where keys have no encoding
  bool group_by_key = false;
  bool globally = false;
  bool emit_default = false;
};
struct DeduplicatePayload {
  OperatorFactory make;
  Duration horizon{0};
};
struct ReshufflePayload {
  OperatorFactory make;
};
struct FlattenPayload {};
struct WindowPayload {
  WindowingStrategy strategy;
};
/// A named view: the sink of a pipeline's result.
struct ViewPayload {
  std::string name;
  std::string key_column;    // of a key that is no struct
  std::string value_column;  // of a value that is no struct
  const Type* key_type = nullptr;
  const Type* value_type = nullptr;
  std::size_t key_offset = 0;  // in the element, in bytes
  std::size_t value_offset = 0;
};
struct DeadLettersPayload {
  std::string name;
};
/// An operator of any other kind that needs nothing of the engine but batches (a sink, a probe of a test).
struct SinkPayload {
  std::string sink_name;
  OperatorFactory make;
};

using Payload = std::variant<ReadPayload, ParDoPayload, CombinePayload, DeduplicatePayload, ReshufflePayload,
                             FlattenPayload, WindowPayload, ViewPayload, DeadLettersPayload, SinkPayload>;

struct Transform {
  std::string label;         // the whole path, "Outer/Inner"
  bool label_given = false;  // by the author, at every level
  std::vector<int> inputs;   // PCollections
  std::vector<int> outputs;
  Payload payload;
};

struct PCollectionNode {
  const TypeInfo* type = nullptr;
  int producer = -1;
  int output = 0;  // of the producer
  WindowingStrategy windowing;
  bool unbounded = false;
  bool bounded_in_batch = false;  // of what is unbounded: in batch mode it has an end
  bool must_be_consumed = false;  // holds what would otherwise be lost silently
};

/// Built by one thread, then read only. Mistakes are collected, so that all of them are reported at once.
class Graph {
 public:
  /// A composite's label, for as long as it expands.
  class Scope {
   public:
    Scope(Graph& graph, std::string_view label, bool given) : graph_(&graph) { graph.Enter(label, given); }
    ~Scope() { graph_->Leave(); }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Graph* graph_;
  };

  /// Adds a transform in the scope that is open, which is its label. Output PCollections inherit windowing and
  /// boundedness of the first input. Gives the transform's index.
  int Add(std::vector<int> inputs, std::vector<const TypeInfo*> outputs, Payload payload);
  /// Adds a ParDo with one input and one output that asks for nothing else.
  int AddElementwise(int input, const TypeInfo* output, const char* verb, bool captures, OperatorFactory make);
  void AddMistake(const std::string& label, std::string text);
  /// Whether `what`, which the open transform reads, is of this graph; notes a mistake if it is of another pipeline's.
  bool Owns(const Graph& graph, const std::string& what);

  const std::vector<Transform>& transforms() const { return transforms_; }
  const std::vector<PCollectionNode>& pcollections() const { return pcollections_; }
  PCollectionNode& pcollection(int index) { return pcollections_[static_cast<std::size_t>(index)]; }
  const PCollectionNode& pcollection(int index) const { return pcollections_[static_cast<std::size_t>(index)]; }
  const Transform& transform(int index) const { return transforms_[static_cast<std::size_t>(index)]; }
  const std::vector<std::string>& mistakes() const { return mistakes_; }
  std::string CurrentLabel() const;

 private:
  void Enter(std::string_view label, bool given);
  void Leave();

  struct OpenScope {
    std::string path;
    bool given = true;
    std::map<std::string, int, std::less<>> uses;  // of labels below
    int added = 0;
  };
  std::vector<OpenScope> scopes_{OpenScope{}};
  std::vector<Transform> transforms_;
  std::vector<PCollectionNode> pcollections_;
  std::vector<std::string> mistakes_;
};

/// The transform's input is in windows that merge, or have been merged.
inline bool MergesWindows(const Graph& graph, const Transform& transform) {
  return graph.pcollection(transform.inputs[0]).windowing.window_fn.merges();
}

}  // namespace millrace::detail
