// Whether a changed pipeline can go on from a checkpoint, and what it would lose.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "storage/checkpoint.h"

namespace millrace::storage {

enum class RestoreProblemKind : std::uint8_t {
  kLostState,     // no step takes this state
  kChangedState,  // a step takes it but cannot read it
  kChangedKind,   // the step is another operator now
  kLostSource,    // nobody reads on from this position
};

/// One reason not to restore, in plain English, with what to do.
struct RestoreProblem {
  RestoreProblemKind kind = RestoreProblemKind::kLostState;
  std::string step;
  std::string state;
  std::string text;
};

/// Compares what a checkpoint holds with what the pipeline has now; empty: it can be restored and nothing is lost. A
/// state is found by step and state name. Compatible is the same layout, and one with fields added, in values only, at
/// any place (they get their defaults); detail::LayoutProblem decides and says what has changed. A step without state
/// in the checkpoint begins empty, which is no problem. `source_steps` are the labels of the sources now.
std::vector<RestoreProblem> CompareForRestore(const CheckpointManifest& checkpoint,
                                              const std::vector<StateDescription>& now,
                                              const std::vector<std::string>& source_steps);

}  // namespace millrace::storage
