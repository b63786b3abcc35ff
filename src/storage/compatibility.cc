#include "storage/compatibility.h"

#include <algorithm>
#include <utility>

#include "millrace/detail/state_coder.h"

namespace millrace::storage {
namespace {

const StateDescription* Find(const std::vector<StateDescription>& now, const StateDescription& old) {
  const auto found = std::find_if(now.begin(), now.end(), [&](const StateDescription& state) {
    return state.step == old.step && state.state == old.state;
  });
  return found == now.end() ? nullptr : &*found;
}

std::string NameOf(const StateDescription& state) {
  return "step \"" + state.step + "\", state \"" + state.state + "\"";
}

RestoreProblem Problem(RestoreProblemKind kind, const StateDescription& state, const std::string& text) {
  return {.kind = kind, .step = state.step, .state = state.state, .text = NameOf(state) + ": " + text};
}

RestoreProblem LostState(const StateChain& old, const std::vector<StateDescription>& now) {
  const bool has_step = std::any_of(now.begin(), now.end(),
                                    [&](const StateDescription& state) { return state.step == old.description.step; });
  return Problem(
      RestoreProblemKind::kLostState, old.description,
      std::to_string(old.bytes()) + " bytes of it would be lost: " +
          (has_step ? "the step has no such state any more. Give the state its old name back"
                    : "the pipeline has no such step any more. If it was renamed, give it its old label back"));
}

}  // namespace

std::vector<RestoreProblem> CompareForRestore(const CheckpointManifest& checkpoint,
                                              const std::vector<StateDescription>& now,
                                              const std::vector<std::string>& source_steps) {
  std::vector<RestoreProblem> problems;
  for (const StateChain& old : checkpoint.states) {
    const StateDescription* state = Find(now, old.description);
    if (state == nullptr) {
      problems.push_back(LostState(old, now));
    } else if (state->kind != old.description.kind) {
      problems.push_back(Problem(RestoreProblemKind::kChangedKind, old.description,
                                 "it was of a " + old.description.kind + " and the step is a " + state->kind +
                                     " now. Give the step a new label"));
    } else if (std::string why = detail::LayoutProblem(old.description.layout, state->layout); !why.empty()) {
      problems.push_back(Problem(RestoreProblemKind::kChangedState, old.description,
                                 why + ". Fields may be added to values, with a default; for any other change give "
                                       "the step a new label"));
    }
  }
  for (const SourcePosition& source : checkpoint.sources) {
    if (std::find(source_steps.begin(), source_steps.end(), source.step) != source_steps.end()) continue;
    problems.push_back({.kind = RestoreProblemKind::kLostSource,
                        .step = source.step,
                        .state = "",
                        .text = "source \"" + source.step +
                                "\": nobody would read on where it stands: the pipeline has no such source any more. "
                                "If it was renamed, give it its old label back"});
  }
  return problems;
}

}  // namespace millrace::storage
