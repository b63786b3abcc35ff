#include "model/describe.h"

#include <set>
#include <string_view>
#include <variant>
#include <vector>

#include "millrace/core/coder.h"

namespace millrace::model {

namespace {

using detail::Graph;
using detail::PCollectionNode;
using detail::Transform;

std::string Joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

std::string TypeName(const Type& type) {
  if (!type.is_kv) return type.kind == FieldKind::kStruct ? type.schema->name() : type.ToString();
  const std::vector<Field>& fields = type.schema->fields();
  return "KV<" + TypeName(*fields[0].type) + ", " + TypeName(*fields[1].type) + ">";
}

// "beam:coder:varint:v1" as "varint".
std::string CoderName(const Type& type) {
  std::string text = DescribeCoder(type);
  for (const std::string_view part : {"beam:coder:", "millrace:coder:", ":v1"}) {
    for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at))
      text.erase(at, part.size());
  }
  return text;
}

// How long state outlives the window that it is for.
std::string Lifetime(const WindowingStrategy& windowing) {
  if (windowing.window_fn.kind == WindowFn::Kind::kGlobal) return "kept to the end";
  if (windowing.allowed_lateness == Duration(0)) return "kept to the window's end";
  return "kept until " + DurationToString(windowing.allowed_lateness) + " after the window's end";
}

// What kind of transform it is and what is particular about it, a line each.
class Details {
 public:
  explicit Details(const Graph& graph, const Transform& transform) : graph_(graph), transform_(transform) {
    std::visit([this](const auto& payload) { Add(payload); }, transform.payload);
  }
  const std::string& kind() const { return kind_; }
  const std::vector<std::string>& lines() const { return lines_; }
  // Why streaming and batch may differ here.
  const std::vector<std::string>& uncertain() const { return uncertain_; }

 private:
  const WindowingStrategy& Windowing() const { return graph_.pcollection(transform_.inputs[0]).windowing; }

  void Add(const detail::ReadPayload& read) {
    kind_ = "Read " + read.source_name +
            (!read.unbounded         ? ", bounded"
             : read.bounded_in_batch ? ", unbounded in streaming mode"
                                     : ", unbounded");
    if (read.max_disorder) {
      lines_.push_back("watermark: the greatest event time less " + DurationToString(*read.max_disorder) +
                       ", per partition, when streaming");
    }
    lines_.push_back("records that cannot be read: dead letters \"" + transform_.label + "\"");
  }
  void Add(const detail::ParDoPayload& par_do) {
    kind_ = par_do.verb + (par_do.dofn_name.empty() ? "" : " " + par_do.dofn_name);
    if (par_do.keyed) {
      if (!par_do.states.empty()) lines_.push_back("state: " + Joined(par_do.states) + ", per key and window");
      if (!par_do.timers.empty()) {
        lines_.push_back("timers: " + Joined(par_do.timers) + ", in event time, per key and window");
      }
      if (!par_do.processing_timers.empty()) {
        lines_.push_back("timers: " + Joined(par_do.processing_timers) + ", in processing time, per key and window");
        uncertain_.push_back("has timers in processing time");
      }
      lines_.push_back("windows: " + Windowing().window_fn.ToString() + ", " + Lifetime(Windowing()));
      uncertain_.push_back("depends on the order of elements");
    }
    for (const auto& use : par_do.side_inputs) {
      const PCollectionNode& side = graph_.pcollection(use.pcollection);
      lines_.push_back("side input: " + use.name + " from \"" + graph_.transform(side.producer).label + "\", " +
                       side.windowing.window_fn.ToString());
      if (!side.windowing.fires_once()) {
        lines_.push_back("  its newest pane: " + side.windowing.ToString());
        uncertain_.push_back("which pane of the side input " + use.name + " an element meets depends on when it comes");
      }
    }
    if (par_do.captures) lines_.push_back("captures values: runs on the native runner only");
    if (par_do.reads_pane) uncertain_.push_back("reads PaneInfo");
  }
  void Add(const detail::CombinePayload& combine) {
    kind_ = combine.group_by_key ? combine.combine_name
                                 : (combine.globally ? "CombineGlobally " : "CombinePerKey ") + combine.combine_name;
    lines_.push_back("state: " + std::string(combine.group_by_key ? "the elements" : "an accumulator") +
                     (combine.globally ? " per window" : " per key and window") + ", " + Lifetime(Windowing()));
    lines_.push_back("windows: " + Windowing().ToString());
  }
  void Add(const detail::DeduplicatePayload& deduplicate) {
    kind_ = "Deduplicate";
    lines_.push_back("state: an entry per id");
    lines_.push_back("horizon: " + DurationToString(deduplicate.horizon) + " of event time");
  }
  void Add(const detail::ReshufflePayload&) { kind_ = "Reshuffle"; }
  void Add(const detail::FlattenPayload&) { kind_ = "Flatten"; }
  void Add(const detail::WindowPayload& window) {
    kind_ = "WindowInto";
    lines_.push_back("windows: " + window.strategy.ToString());
  }
  void Add(const detail::ViewPayload& view) {
    kind_ = "View \"" + view.name + "\"";
    lines_.push_back("key " + Columns(*view.key_type, view.key_column));
    lines_.push_back("value " + Columns(*view.value_type, view.value_column));
  }
  void Add(const detail::DeadLettersPayload& letters) { kind_ = "DeadLetters \"" + letters.name + "\""; }
  void Add(const detail::SinkPayload& sink) { kind_ = sink.sink_name; }

  static std::string Columns(const Type& type, const std::string& scalar) {
    return type.kind == FieldKind::kStruct ? type.schema->ToString() : scalar + ": " + type.ToString();
  }

  const Graph& graph_;
  const Transform& transform_;
  std::string kind_;
  std::vector<std::string> lines_;
  std::vector<std::string> uncertain_;
};

std::string OutputLine(const PCollectionNode& node) {
  if (node.type->type == nullptr) return node.type->Name() + ", no coder: stays in the process";
  return TypeName(*node.type->type) + ", coder " + CoderName(*node.type->type);
}

// The dead letters that every read has, and its output of records that it could not read.
bool IsReadOutputOfBadRecords(const Graph& graph, int pcollection) {
  const PCollectionNode& node = graph.pcollection(pcollection);
  return node.output == 1 && std::holds_alternative<detail::ReadPayload>(graph.transform(node.producer).payload);
}

}  // namespace

std::string Describe(const Graph& graph) {
  std::string text;
  std::string uncertain;
  for (const Transform& transform : graph.transforms()) {
    if (transform.inputs.size() == 1 && IsReadOutputOfBadRecords(graph, transform.inputs[0])) continue;
    const Details details(graph, transform);
    text += transform.label + ": " + details.kind() + "\n";
    std::set<std::string> producers;
    for (const int input : transform.inputs) {
      const std::string& label = graph.transform(graph.pcollection(input).producer).label;
      if (producers.insert(label).second) text += "  from \"" + label + "\"\n";
    }
    for (const std::string& line : details.lines()) text += "  " + line + "\n";
    for (const int output : transform.outputs) {
      if (!IsReadOutputOfBadRecords(graph, output)) text += "  gives " + OutputLine(graph.pcollection(output)) + "\n";
    }
    for (const std::string& why : details.uncertain()) uncertain += "  " + transform.label + ": " + why + "\n";
  }
  if (!uncertain.empty()) text += "Not certifiable, since streaming and batch may differ:\n" + uncertain;
  return text;
}

}  // namespace millrace::model
