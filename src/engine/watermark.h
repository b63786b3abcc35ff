// The watermark of an operator's input: the least of its channels.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "millrace/core/timestamp.h"

namespace millrace::engine {

/// One watermark per channel; each only advances.
class InputWatermark {
 public:
  explicit InputWatermark(std::size_t channels) : channels_(channels, Timestamp::Min()) {}

  void Advance(std::size_t channel, Timestamp watermark) {
    if (watermark > channels_[channel]) channels_[channel] = watermark;
  }
  Timestamp current() const { return *std::min_element(channels_.begin(), channels_.end()); }
  /// The channel that holds the watermark back.
  std::size_t slowest() const {
    return static_cast<std::size_t>(std::min_element(channels_.begin(), channels_.end()) - channels_.begin());
  }

 private:
  std::vector<Timestamp> channels_;
};

}  // namespace millrace::engine
