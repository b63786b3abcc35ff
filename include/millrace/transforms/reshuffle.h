// Reshuffle: spreads elements evenly over the workers, whatever they were computed from.
#pragma once

#include "millrace/core/pcollection.h"
#include "millrace/detail/shuffle.h"

namespace millrace {

struct Reshuffle : detail::TransformBase {
  template <class T>
  auto Expand(const PCollection<T>& in) const {
    return detail::AddUnary<T>(in,
                               detail::ReshufflePayload{[] { return std::make_unique<detail::ReshuffleKernel<T>>(); }});
  }
};

}  // namespace millrace
