#include "batch/geometry.h"

#include <algorithm>
#include <map>
#include <set>
#include <variant>

#include "millrace/detail/graph.h"

namespace millrace::batch {

namespace {

using detail::Graph;
using detail::Transform;

bool IsSame(const WindowFn& a, const WindowFn& b) {
  return a.kind == b.kind && a.size_micros == b.size_micros && a.period_micros == b.period_micros &&
         a.offset_micros == b.offset_micros;
}

bool IsSameChain(const WindowChain& a, const WindowChain& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), IsSame);
}

void AddDistinct(const std::vector<WindowChain>& more, std::vector<WindowChain>* chains) {
  for (const WindowChain& chain : more) {
    const bool is_known = std::any_of(chains->begin(), chains->end(),
                                      [&](const WindowChain& known) { return IsSameChain(known, chain); });
    if (!is_known) chains->push_back(chain);
  }
}

// Walks from a PCollection to its sources, each step once.
class Walk {
 public:
  Walk(const Graph& graph, ViewGeometry* geometry) : graph_(graph), geometry_(geometry) {}

  const std::vector<WindowChain>& Of(int pcollection) {
    const auto known = known_.find(pcollection);
    if (known != known_.end()) return known->second;
    const detail::PCollectionNode& node = graph_.pcollection(pcollection);
    std::vector<WindowChain> chains;
    if (node.producer >= 0) {
      const Transform& transform = graph_.transform(node.producer);
      for (const int input : transform.inputs) AddDistinct(Of(input), &chains);
      if (transform.inputs.empty()) chains.emplace_back();
      Check(transform, node.producer);
      if (std::holds_alternative<detail::CombinePayload>(transform.payload)) {
        for (WindowChain& chain : chains) {
          chain.push_back(graph_.pcollection(transform.inputs.at(0)).windowing.window_fn);
        }
      }
    }
    return known_[pcollection] = std::move(chains);
  }

 private:
  void Refuse(const Transform& transform, int index, const std::string& why) {
    if (refused_.insert(index).second) geometry_->refusals.push_back("step " + transform.label + " " + why);
  }

  void Check(const Transform& transform, int index) {
    if (std::holds_alternative<detail::CombinePayload>(transform.payload)) {
      const WindowFn& window_fn = graph_.pcollection(transform.inputs.at(0)).windowing.window_fn;
      if (window_fn.kind == WindowFn::Kind::kGlobal) Refuse(transform, index, "aggregates over all of time");
      if (window_fn.merges()) Refuse(transform, index, "makes sessions, which may be of any length");
      return;
    }
    const auto* par_do = std::get_if<detail::ParDoPayload>(&transform.payload);
    if (par_do == nullptr) return;
    if (par_do->keyed) Refuse(transform, index, "keeps state of its own, which may depend on all that came before");
    if (par_do->verb == "WithTimestamps") {
      Refuse(transform, index, "gives elements other times than those of their records, which partitions go by");
    }
    for (const detail::SideInputUse& side : par_do->side_inputs) {
      if (side.pcollection < 0 || !graph_.pcollection(side.pcollection).unbounded) continue;
      Refuse(transform, index, "reads the side input " + side.name + ", which changes while the pipeline runs");
    }
  }

  const Graph& graph_;
  ViewGeometry* geometry_;
  std::map<int, std::vector<WindowChain>> known_;
  std::set<int> refused_;
};

}  // namespace

Duration ViewGeometry::Lookback() const {
  std::int64_t longest = 0;
  for (const WindowChain& chain : chains) {
    std::int64_t sum = 0;
    for (const WindowFn& window_fn : chain) sum += window_fn.size_micros;
    longest = std::max(longest, sum);
  }
  return Duration(longest);
}

TimeRange ViewGeometry::LastTimestampsOf(Timestamp event_time) const {
  TimeRange all{.from = Timestamp::Max(), .to = Timestamp::Min()};
  for (const WindowChain& chain : chains) {
    TimeRange times{.from = event_time, .to = event_time};
    for (const WindowFn& window_fn : chain) {
      // The first window that holds a time ends at the last start but the periods that fit into its size.
      const Timestamp last_of_to = window_fn.At(window_fn.LastStart(times.to)).max_timestamp();
      const std::int64_t start = window_fn.LastStart(times.from);
      const std::int64_t into = times.from.micros() - start;
      const std::int64_t earlier = (window_fn.size_micros - 1 - into) / window_fn.period_micros;
      times.from = window_fn.At(start - earlier * window_fn.period_micros).max_timestamp();
      times.to = last_of_to;
    }
    all.from = std::min(all.from, times.from);
    all.to = std::max(all.to, times.to);
  }
  return all;
}

StatusOr<ViewGeometry> GeometryOf(const Pipeline& pipeline, const std::string& view) {
  const Graph& graph = pipeline.graph();
  for (const Transform& transform : graph.transforms()) {
    const auto* payload = std::get_if<detail::ViewPayload>(&transform.payload);
    if (payload == nullptr || payload->name != view) continue;
    ViewGeometry geometry{.view = view};
    const int input = transform.inputs.at(0);
    geometry.chains = Walk(graph, &geometry).Of(input);
    if (graph.pcollection(input).windowing.window_fn.kind == WindowFn::Kind::kGlobal && geometry.refusals.empty()) {
      geometry.refusals.push_back("its cells are in the global window");
    }
    return geometry;
  }
  return InvalidArgumentError("the pipeline has no view " + view);
}

}  // namespace millrace::batch
