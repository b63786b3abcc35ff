#include "model/describe.h"

#include <variant>
#include <vector>

#include "millrace/core/coder.h"

namespace millrace::model {

namespace {

using detail::Graph;
using detail::Transform;

std::string Joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

// What kind of transform it is and what is particular about it, a line each.
class Details {
 public:
  explicit Details(const Graph& graph, const Transform& transform) : graph_(graph), transform_(transform) {
    std::visit([this](const auto& payload) { Add(payload); }, transform.payload);
  }
  const std::string& kind() const { return kind_; }
  const std::vector<std::string>& lines() const { return lines_; }

 private:
  void Add(const detail::ReadPayload& read) {
    kind_ = "Read " + read.source_name + (read.unbounded ? " (unbounded)" : " (bounded)");
    if (read.max_disorder) lines_.push_back("max disorder " + DurationToString(*read.max_disorder) + " when streaming");
  }
  void Add(const detail::ParDoPayload& par_do) {
    kind_ = "ParDo " + par_do.dofn_name;
    if (!par_do.states.empty()) lines_.push_back("state per key and window: " + Joined(par_do.states));
    if (!par_do.timers.empty()) lines_.push_back("event-time timers: " + Joined(par_do.timers));
    for (const auto& use : par_do.side_inputs) {
      lines_.push_back("side input " + use.name + " from " +
                       graph_.transform(graph_.pcollection(use.pcollection).producer).label);
    }
    if (par_do.captures) lines_.push_back("captures values: native runner only");
    if (par_do.reads_pane) lines_.push_back("reads PaneInfo: not certifiable");
    if (par_do.keyed) lines_.push_back("depends on the order of elements: not certifiable");
  }
  void Add(const detail::CombinePayload& combine) {
    kind_ = combine.group_by_key ? combine.combine_name
                                 : (combine.globally ? "CombineGlobally " : "CombinePerKey ") + combine.combine_name;
    lines_.push_back("state: " + std::string(combine.group_by_key ? "elements" : "an accumulator") +
                     (combine.globally ? " per window" : " per key and window"));
    lines_.push_back("windows " + graph_.pcollection(transform_.inputs[0]).windowing.ToString());
  }
  void Add(const detail::DeduplicatePayload& deduplicate) {
    kind_ = "Deduplicate";
    lines_.push_back("state: one entry per id, horizon " + DurationToString(deduplicate.horizon) + " of event time");
  }
  void Add(const detail::ReshufflePayload&) { kind_ = "Reshuffle"; }
  void Add(const detail::FlattenPayload&) { kind_ = "Flatten"; }
  void Add(const detail::WindowPayload& window) {
    kind_ = "WindowInto";
    lines_.push_back(window.strategy.ToString());
  }
  void Add(const detail::ViewPayload& view) {
    kind_ = "View " + view.name;
    lines_.push_back("key " + view.key_type->ToString());
    lines_.push_back("value " + view.value_type->ToString());
  }
  void Add(const detail::DeadLettersPayload& letters) { kind_ = "DeadLetters " + letters.name; }
  void Add(const detail::SinkPayload& sink) { kind_ = sink.sink_name; }

  const Graph& graph_;
  const Transform& transform_;
  std::string kind_;
  std::vector<std::string> lines_;
};

std::string OutputLine(const detail::PCollectionNode& node) {
  std::string text = node.type->Name();
  if (node.type->type != nullptr) {
    text += ", coder " + DescribeCoder(*node.type->type);
  } else {
    text += ", no coder: stays in the process";
  }
  return text;
}

}  // namespace

std::string Describe(const Graph& graph) {
  std::string text;
  for (const Transform& transform : graph.transforms()) {
    const Details details(graph, transform);
    text += transform.label + "\n  " + details.kind() + "\n";
    for (const int input : transform.inputs) {
      text += "  reads " + graph.transform(graph.pcollection(input).producer).label + "\n";
    }
    for (const std::string& line : details.lines()) text += "  " + line + "\n";
    for (const int output : transform.outputs) text += "  gives " + OutputLine(graph.pcollection(output)) + "\n";
  }
  return text;
}

}  // namespace millrace::model
