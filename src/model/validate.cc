#include "model/validate.h"

#include <cstdint>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "millrace/core/coder.h"

namespace millrace::model {

namespace {

using detail::CombinePayload;
using detail::DeduplicatePayload;
using detail::ParDoPayload;
using detail::PCollectionNode;
using detail::ReadPayload;
using detail::Transform;
using detail::ViewPayload;
using detail::WindowPayload;

template <class T>
const T* As(const Transform& transform) {
  return std::get_if<T>(&transform.payload);
}

bool HasState(const Transform& transform) {
  const auto* par_do = As<ParDoPayload>(transform);
  return As<CombinePayload>(transform) != nullptr || As<DeduplicatePayload>(transform) != nullptr ||
         (par_do != nullptr && par_do->keyed);
}

class Checker {
 public:
  Checker(const detail::Graph& graph, bool streaming)
      : graph_(graph), streaming_(streaming), mistakes_(graph.mistakes()), recounts_(graph.pcollections().size()) {}

  std::vector<std::string> Run() && {
    for (const Transform& transform : graph_.transforms()) {
      CheckWindowing(transform);
      CheckAggregation(transform);
      CheckView(transform);
      CheckSource(transform);
      CheckStateful(transform);
      CheckSideInputs(transform);
      CheckHorizon(transform);
      CheckKey(transform);
      CheckLabel(transform);
      CheckUnique(transform);
      FollowRecounting(transform);
    }
    CheckConsumption();
    return std::move(mistakes_);
  }

 private:
  void Report(const Transform& transform, const std::string& text) {
    mistakes_.push_back(transform.label + ": " + text);
  }
  const PCollectionNode& Input(const Transform& transform) const { return graph_.pcollection(transform.inputs[0]); }

  void CheckWindowing(const Transform& transform) {
    const auto* window = As<WindowPayload>(transform);
    if (window == nullptr) return;
    const WindowingStrategy& strategy = window->strategy;
    const WindowFn& fn = strategy.window_fn;
    if (fn.merges() && fn.size_micros <= 0) {
      Report(transform, "the gap of session windows must be greater than zero");
    } else if (fn.kind != WindowFn::Kind::kGlobal && (fn.size_micros <= 0 || fn.period_micros <= 0)) {
      Report(transform, "the size and period of windows must be greater than zero");
    }
    if (fn.size_micros > 0 && fn.period_micros > fn.size_micros && !fn.merges()) {
      Report(transform,
             "sliding windows with a period longer than their size would lose the elements in between; "
             "filter these out before, and use FixedWindows");
    }
    if (strategy.trigger.on_time && !strategy.trigger.late.fires() && strategy.allowed_lateness > Duration(0)) {
      Report(transform,
             "the trigger may lose data: it ends with the on-time firing, so nothing would show what comes "
             "within the allowed lateness; add .late, such as AfterWatermark{.late = AfterCount{1}}");
    }
    for (const PaneTrigger& trigger : {strategy.trigger.early, strategy.trigger.late}) {
      if (trigger.count >= 0 && trigger.delay_micros >= -1) continue;
      Report(transform, "a trigger's count or delay is negative");
      break;
    }
    if (!strategy.trigger.on_time && !strategy.trigger.early.fires()) {
      Report(transform, "Repeatedly needs a count or a delay; this trigger never fires");
    }
    if (strategy.allowed_lateness < Duration(0)) Report(transform, "the allowed lateness is negative");
    if (!strategy.fires_once() && !strategy.accumulation_mode_set) {
      Report(transform,
             "a window may fire several times here, so say what a later pane contains: .Accumulating() or "
             ".Discarding()");
    }
  }

  bool Endless(const PCollectionNode& node) const { return node.unbounded && (streaming_ || !node.bounded_in_batch); }

  void CheckAggregation(const Transform& transform) {
    const auto* combine = As<CombinePayload>(transform);
    if (combine == nullptr) return;
    const PCollectionNode& input = Input(transform);
    const bool global = input.windowing.window_fn.kind == WindowFn::Kind::kGlobal;
    if (input.windowing.merges() && combine->make_merging == nullptr) {
      Report(transform,
             "session windows are kept by the encoding of their keys, and this type of key has none; use a key of "
             "integers, std::string, Timestamp, Duration, or a struct of these");
    }
    if (combine->emit_default && !global) {
      Report(transform,
             "CombineGlobally has a default for an empty input only in the global window; add "
             ".WithoutDefaults()");
    }
    if (Endless(input) && global && !input.windowing.trigger.early.fires()) {
      Report(transform,
             "an aggregation of unbounded input in the global window would never fire; apply WindowInto, or "
             "a trigger such as Repeatedly{AfterCount{1000}}");
    }
  }

  void CheckView(const Transform& transform) {
    const auto* view = As<ViewPayload>(transform);
    if (view == nullptr) return;
    if (!views_.insert(view->name).second) {
      Report(transform, "there are two views named \"" + view->name + "\"");
    }
    const WindowingStrategy& windowing = Input(transform).windowing;
    if (!windowing.fires_once() && windowing.accumulation_mode == AccumulationMode::kDiscarding) {
      Report(transform,
             "a view keeps the newest pane of each cell, so panes must contain what earlier ones did; use "
             ".Accumulating()");
    }
  }

  void CheckSource(const Transform& transform) {
    const auto* read = As<ReadPayload>(transform);
    if (read == nullptr) return;
    if (read->max_disorder.value_or(Duration(0)) < Duration(0)) Report(transform, "the greatest disorder is negative");
    if (read->unbounded && !read->bounded_in_batch && !streaming_) {
      Report(transform,
             "its input has no end, and batch mode waits for the end of input; run in streaming mode, or give "
             "it an end");
    }
  }

  // State belongs to a window, and windows that may still merge have no state of their own yet; Beam refuses it, too.
  void CheckStateful(const Transform& transform) {
    const auto* par_do = As<ParDoPayload>(transform);
    if (par_do == nullptr || !par_do->keyed || !Input(transform).windowing.window_fn.merges()) return;
    Report(
        transform,
        "a DoFn with state or timers cannot run in session windows, which merge; apply WindowInto with other windows "
        "before it, or aggregate the sessions with a CombineFn");
  }

  // A side input is given when its window has made a pane.
  void CheckSideInputs(const Transform& transform) {
    const auto* par_do = As<ParDoPayload>(transform);
    if (par_do == nullptr) return;
    for (const auto& use : par_do->side_inputs) {
      const PCollectionNode& side = graph_.pcollection(use.pcollection);
      if (side.windowing.window_fn.merges()) {
        Report(transform, "side input \"" + use.name +
                              "\" is in session windows, and no window of the main input can be mapped to one; apply "
                              "WindowInto with other windows to it");
      }
      if (!Endless(side) || side.windowing.window_fn.kind != WindowFn::Kind::kGlobal) continue;
      if (side.windowing.trigger.early.fires()) continue;
      Report(transform, "side input \"" + use.name +
                            "\" is unbounded and in the global window, so it would never be "
                            "ready and every element would wait; apply WindowInto to it, with other windows or with a "
                            "trigger that fires before the end, such as Repeatedly{AfterCount{1}}");
    }
  }

  // A duplicate that comes later than its id is remembered counts again, so it must be late for all that follows.
  void CheckHorizon(const Transform& transform) {
    const auto* deduplicate = As<DeduplicatePayload>(transform);
    const Horizon* from = nullptr;
    for (const int input : transform.inputs) {
      const Horizon& horizon = horizons_[static_cast<std::size_t>(input)];
      if (horizon.deduplicate != nullptr && (from == nullptr || horizon.micros < from->micros)) from = &horizon;
    }
    Horizon passed = from != nullptr ? *from : Horizon{};
    const auto* window = As<WindowPayload>(transform);
    if (window != nullptr && from != nullptr && window->strategy.allowed_lateness.count() > from->micros) {
      Report(transform, "the allowed lateness (" + DurationToString(window->strategy.allowed_lateness) +
                            ") is longer than \"" + from->deduplicate->label + "\" remembers an id (" +
                            DurationToString(Duration(from->micros)) +
                            "), so a late duplicate would count again; "
                            "lengthen .Within(...)");
    }
    if (deduplicate != nullptr && deduplicate->horizon > Duration(0)) {
      passed = Horizon{&transform, deduplicate->horizon.count()};
    }
    for (const int output : transform.outputs) horizons_[static_cast<std::size_t>(output)] = passed;
  }

  void CheckUnique(const Transform& transform) {
    if (labels_.insert(transform.label).second) return;
    Report(transform, "two transforms have this label; state is found by it, so rename one");
  }

  void CheckKey(const Transform& transform) {
    const bool keyed = HasState(transform) && As<DeduplicatePayload>(transform) == nullptr;
    const auto* combine = As<CombinePayload>(transform);
    if (!keyed || (combine != nullptr && combine->globally)) return;
    const Type* type = Input(transform).type->type;
    if (type == nullptr || type->schema == nullptr || type->schema->fields().empty()) return;
    std::string why;
    if (!IsDeterministic(*type->schema->fields()[0].type, &why)) {
      Report(transform, "keys must be equal exactly when their encodings are, and this one's are not: " + why);
    }
  }

  void CheckLabel(const Transform& transform) {
    if (!streaming_ || transform.label_given || !HasState(transform)) return;
    Report(transform,
           "state is found again by its label, so a transform with state needs one in streaming mode: write "
           "\"Name\" >> before it, and before the composites around it");
  }

  // Panes that contain earlier ones must not be aggregated again: what they repeat would count twice.
  void FollowRecounting(const Transform& transform) {
    bool recounts = false;
    for (const int input : transform.inputs) recounts = recounts || recounts_[static_cast<std::size_t>(input)];
    const auto* combine = As<CombinePayload>(transform);
    const auto* par_do = As<ParDoPayload>(transform);
    if (recounts && (combine != nullptr || (par_do != nullptr && par_do->keyed))) {
      Report(transform,
             "its input comes from an accumulating aggregation that fires several times, so elements would "
             "count twice; let the first aggregation discard, or fire only at the watermark");
    }
    if (combine != nullptr) {
      const WindowingStrategy& windowing = Input(transform).windowing;
      recounts = !windowing.fires_once() && windowing.accumulation_mode == AccumulationMode::kAccumulating;
    }
    for (const int output : transform.outputs) recounts_[static_cast<std::size_t>(output)] = recounts;
  }

  void CheckConsumption() {
    std::vector<bool> consumed(graph_.pcollections().size());
    for (const Transform& transform : graph_.transforms()) {
      for (const int input : transform.inputs) consumed[static_cast<std::size_t>(input)] = true;
      if (const auto* par_do = As<ParDoPayload>(transform)) {
        for (const auto& use : par_do->side_inputs) consumed[static_cast<std::size_t>(use.pcollection)] = true;
      }
    }
    for (std::size_t i = 0; i < consumed.size(); ++i) {
      const PCollectionNode& node = graph_.pcollections()[i];
      if (consumed[i] || !node.must_be_consumed) continue;
      Report(graph_.transform(node.producer),
             "its output of failed elements is not used, so they would be lost "
             "silently; apply DeadLetters to it, or leave .OnError() out");
    }
  }

  const detail::Graph& graph_;
  bool streaming_;
  std::vector<std::string> mistakes_;
  std::vector<bool> recounts_;  // by PCollection
  // How long the nearest Deduplicate before a PCollection remembers an id.
  struct Horizon {
    const Transform* deduplicate = nullptr;
    std::int64_t micros = 0;
  };

  std::vector<Horizon> horizons_ = std::vector<Horizon>(graph_.pcollections().size());  // by PCollection
  std::set<std::string> labels_;
  std::set<std::string> views_;
};

}  // namespace

std::vector<std::string> FindMistakes(const detail::Graph& graph, bool streaming) {
  return Checker(graph, streaming).Run();
}

}  // namespace millrace::model
