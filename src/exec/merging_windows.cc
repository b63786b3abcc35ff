#include "exec/merging_windows.h"

#include <utility>

#include "millrace/detail/state_coder.h"

namespace millrace::exec {

void* MergingWindows::Accumulator(MergingWindow& window) const {
  if (window.accumulator == nullptr) {
    window.accumulator = kernel->Read(window.encoded);
    if (window.accumulator == nullptr) {
      throw detail::PipelineFailure(DataLossError("the state backend gave back an accumulator that cannot be read"));
    }
    window.encoded = std::string();
  }
  return window.accumulator.get();
}

void MergingWindows::AppendTo(std::string* out) const {
  detail::AppendState(due, out);
  detail::AppendFixed(deadline_micros, out);
  detail::AppendVarint(windows.size(), out);
  std::string encoded;
  for (const MergingWindow& window : windows) {
    detail::AppendState(window.window, out);
    window.pane.AppendTo(out);
    detail::AppendVarint(static_cast<std::uint64_t>(window.units), out);
    if (window.accumulator == nullptr) {
      detail::AppendState(window.encoded, out);
    } else {
      encoded.clear();
      kernel->Append(window.accumulator.get(), &encoded);
      detail::AppendState(encoded, out);
    }
  }
}

bool MergingWindows::ReadFrom(std::string_view* in) {
  std::uint64_t count = 0;
  if (!detail::ReadState(in, &due) || !detail::ReadFixed(in, &deadline_micros) || !detail::ReadStateCount(in, &count)) {
    return false;
  }
  windows.clear();
  for (std::uint64_t i = 0; i < count; ++i) {
    MergingWindow& window = windows.emplace_back();
    std::uint64_t units = 0;
    if (!detail::ReadState(in, &window.window) || !window.pane.ReadFrom(in) || !detail::ReadVarint(in, &units) ||
        !detail::ReadState(in, &window.encoded)) {
      return false;
    }
    window.units = static_cast<std::int64_t>(units);
  }
  return true;
}

}  // namespace millrace::exec
