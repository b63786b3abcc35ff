// The windows of one key that may still merge, with their accumulators: what the table of `MergingCombineOperator`
// holds per key.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/merging_pane.h"
#include "millrace/detail/merging.h"

namespace millrace::exec {

/// A window of one key. The accumulator is an object, or, after it has been outside memory, its bytes until it is
/// needed.
struct MergingWindow {
  BoundedWindow window;
  engine::MergingPane pane;
  std::int64_t units = 0;  // elements in it, whether a pane has shown them or not
  std::shared_ptr<void> accumulator;
  std::string encoded;
};

/// All of a key's, disjoint and by their starts. Without `kernel` every accumulator is there as bytes.
struct MergingWindows {
  static constexpr bool kCodable = true;

  std::vector<MergingWindow> windows;
  Timestamp due = Timestamp::Max();                    // the watermark that they wait for, which is in the queue
  std::int64_t deadline_micros = detail::kNoDeadline;  // the processing time likewise
  const detail::MergingKernel* kernel = nullptr;

  /// The accumulator as an object. INTERNAL, thrown, if its bytes cannot be read.
  void* Accumulator(MergingWindow& window) const;

  /// For checkpoints and for what is outside memory; docs/formats/state.md.
  void AppendTo(std::string* out) const;
  bool ReadFrom(std::string_view* in);
};

}  // namespace millrace::exec
