#include "exec/plan.h"

#include <algorithm>
#include <type_traits>
#include <utility>
#include <variant>

#include "exec/combine.h"
#include "exec/dead_letters.h"
#include "exec/merging_combine.h"
#include "exec/read.h"
#include "exec/view.h"
#include "exec/window_into.h"

namespace millrace::exec {

namespace {

using detail::Graph;
using detail::Transform;

// Stands for a sink that is to write nothing.
class DropOperator final : public detail::Operator {
 public:
  void Process(detail::BatchBase& /*batch*/, int /*input*/) override {}
};

class Planner {
 public:
  Planner(const Graph& graph, const PlanSinks& sinks)
      : graph_(graph), sinks_(sinks), producers_(graph.pcollections().size()) {}

  Plan Run() && {
    for (const Transform& transform : graph_.transforms()) {
      std::visit([&](const auto& payload) { Add(transform, payload); }, transform.payload);
    }
    FindGates();
    FindOrigins();
    return std::move(plan_);
  }

 private:
  // A node that reads the transform's inputs and produces its outputs.
  PlanNode& AddNode(const Transform& transform, detail::OperatorFactory make) {
    PlanNode node;
    node.label = transform.label;
    for (const int input : transform.inputs) Append(node.inputs, producers_[static_cast<std::size_t>(input)]);
    if (!transform.inputs.empty()) node.input_type = graph_.pcollection(transform.inputs[0]).type->type;
    node.late = sinks_.late;
    node.outputs = static_cast<int>(transform.outputs.size());
    node.make = std::move(make);
    const int index = static_cast<int>(plan_.nodes.size());
    for (std::size_t i = 0; i < transform.outputs.size(); ++i) {
      producers_[static_cast<std::size_t>(transform.outputs[i])] = {Upstream{index, static_cast<int>(i)}};
    }
    plan_.nodes.push_back(std::move(node));
    return plan_.nodes.back();
  }
  static void Append(std::vector<Upstream>& to, const std::vector<Upstream>& from) {
    to.insert(to.end(), from.begin(), from.end());
  }

  void Add(const Transform& transform, const detail::ReadPayload& read) {
    PlanNode& node = AddNode(
        transform, [&read]() -> std::unique_ptr<detail::Operator> { return std::make_unique<ReadOperator>(read); });
    node.is_source = true;
    node.kind = "Read";
    node.read = &read;
  }

  void Add(const Transform& transform, const detail::ParDoPayload& par_do) {
    std::vector<int> collectors;
    for (const detail::SideInputUse& use : par_do.side_inputs) collectors.push_back(AddCollector(transform, use));
    PlanNode& node = AddNode(transform, par_do.make);
    node.kind = par_do.verb;
    node.keyed = par_do.keyed;
    node.keeps_letters = par_do.keyed && sinks_.late != nullptr;
    node.side_inputs = std::move(collectors);
  }

  int AddCollector(const Transform& transform, const detail::SideInputUse& use) {
    PlanNode node;
    node.label = transform.label + "/side input " + use.name;
    node.kind = "SideInput";
    node.inputs = producers_[static_cast<std::size_t>(use.pcollection)];
    node.make = use.make_collector;
    node.keyed = true;
    node.is_collector = true;
    node.keeps_letters = sinks_.late != nullptr;
    node.combines = true;
    node.input_type = graph_.pcollection(use.pcollection).type->type;
    node.late = sinks_.late;
    node.side_window_fn = graph_.pcollection(use.pcollection).windowing.window_fn;
    plan_.nodes.push_back(std::move(node));
    return static_cast<int>(plan_.nodes.size()) - 1;
  }

  void Add(const Transform& transform, const detail::CombinePayload& combine) {
    const CombineSettings settings{.windowing = graph_.pcollection(transform.inputs[0]).windowing,
                                   .emit_default = combine.emit_default};
    PlanNode& node = AddNode(transform, [&combine, settings]() -> std::unique_ptr<detail::Operator> {
      if (settings.windowing.merges()) {
        return std::make_unique<MergingCombineOperator>(combine.make_merging(), settings.windowing);
      }
      return std::make_unique<CombineOperator>(combine.make(), settings);
    });
    node.keyed = true;
    node.keeps_letters = sinks_.late != nullptr;
    node.combines = true;
    node.kind = combine.group_by_key ? "GroupByKey" : combine.globally ? "CombineGlobally" : "CombinePerKey";
  }
  void Add(const Transform& transform, const detail::DeduplicatePayload& deduplicate) {
    PlanNode& node = AddNode(transform, deduplicate.make);
    node.keyed = true;
    node.kind = "Deduplicate";
  }
  void Add(const Transform& transform, const detail::ReshufflePayload& reshuffle) {
    PlanNode& node = AddNode(transform, reshuffle.make);
    node.keyed = true;
    node.kind = "Reshuffle";
  }

  void Add(const Transform& transform, const detail::FlattenPayload&) {
    std::vector<Upstream> all;
    for (const int input : transform.inputs) Append(all, producers_[static_cast<std::size_t>(input)]);
    producers_[static_cast<std::size_t>(transform.outputs[0])] = std::move(all);
  }

  void Add(const Transform& transform, const detail::WindowPayload& window) {
    AddNode(transform, [fn = window.strategy.window_fn] { return std::make_unique<WindowIntoOperator>(fn); }).kind =
        "WindowInto";
  }
  void Add(const Transform& transform, const detail::ViewPayload& view) {
    AddNode(transform, [&view, sink = sinks_.views] { return std::make_unique<ViewOperator>(view, sink); }).kind =
        "View";
  }
  void Add(const Transform& transform, const detail::DeadLettersPayload& letters) {
    const detail::PCollectionNode& input = graph_.pcollection(transform.inputs[0]);
    const std::string& step = graph_.transform(input.producer).label;
    PlanNode& node = AddNode(transform, [&letters, step, type = input.type->type, sink = sinks_.dead_letters] {
      return std::make_unique<DeadLettersOperator>(letters.name, step, *type, *sink);
    });
    node.kind = "DeadLetters";
    node.keeps_letters = true;
  }
  void Add(const Transform& transform, const detail::SinkPayload& sink) {
    const detail::OperatorFactory drop = [] { return std::make_unique<DropOperator>(); };
    AddNode(transform, sinks_.drops_others ? drop : sink.make).kind = "Sink";
  }

  // Which sources a node's input comes from.
  std::vector<bool> SourcesOf(int node) const {
    std::vector<bool> seen(plan_.nodes.size(), false);
    std::vector<int> open{node};
    while (!open.empty()) {
      const int current = open.back();
      open.pop_back();
      if (seen[static_cast<std::size_t>(current)]) continue;
      seen[static_cast<std::size_t>(current)] = true;
      for (const Upstream& upstream : plan_.nodes[static_cast<std::size_t>(current)].inputs)
        open.push_back(upstream.node);
    }
    return seen;
  }

  // A source that feeds a reader of a side input waits for it, unless the side input comes from that source, too.
  // Elements that come before their side input are kept in memory: this way there are none where it can be helped.
  void FindGates() {
    for (std::size_t reader = 0; reader < plan_.nodes.size(); ++reader) {
      for (const int collector : plan_.nodes[reader].side_inputs) {
        if (plan_.nodes[static_cast<std::size_t>(collector)].side_window_fn.kind != WindowFn::Kind::kGlobal) continue;
        const std::vector<bool> main = SourcesOf(static_cast<int>(reader));
        const std::vector<bool> side = SourcesOf(collector);
        for (std::size_t i = 0; i < plan_.nodes.size(); ++i) {
          if (plan_.nodes[i].is_source && main[i] && !side[i]) plan_.nodes[i].gates.push_back(collector);
        }
      }
    }
  }

  // From the steps that keep letters back to the sources, as far as an output comes from one element.
  void FindOrigins() {
    for (PlanNode& node : plan_.nodes) node.outputs_with_origins.assign(static_cast<std::size_t>(node.outputs), false);
    for (std::size_t i = plan_.nodes.size(); i-- > 0;) {
      const PlanNode& node = plan_.nodes[i];
      const auto& outputs = node.outputs_with_origins;
      const bool passes_on = !node.combines && std::find(outputs.begin(), outputs.end(), true) != outputs.end();
      if (!node.keeps_letters && !passes_on) continue;
      for (const Upstream& upstream : node.inputs) {
        PlanNode& before = plan_.nodes[static_cast<std::size_t>(upstream.node)];
        before.outputs_with_origins[static_cast<std::size_t>(upstream.output)] = true;
      }
    }
  }

  const Graph& graph_;
  PlanSinks sinks_;
  Plan plan_;
  std::vector<std::vector<Upstream>> producers_;  // by PCollection
};

}  // namespace

Plan MakePlan(const Graph& graph, const PlanSinks& sinks) { return Planner(graph, sinks).Run(); }

}  // namespace millrace::exec
