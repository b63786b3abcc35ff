// Which partitions a record is in, and how far before a partition the records lie that its cells are made of: read off
// the windows on the way from the source to a view. And which views cannot be computed by partitions at all.
#pragma once

#include <string>
#include <vector>

#include "batch/partitioning.h"
#include "millrace/core/pipeline.h"
#include "millrace/core/timestamp.h"
#include "millrace/core/window.h"

namespace millrace::batch {

/// The windows of the aggregations that a record passes, in this order.
using WindowChain = std::vector<WindowFn>;

/// What a batch layer needs to know of one view. Value; any thread.
struct ViewGeometry {
  std::string view;
  std::vector<WindowChain> chains = {};  // of each way from a source; distinct
  /// Why the view has no partitions, with the step; empty where it has.
  std::vector<std::string> refusals = {};

  /// The cells of a window are made of records that are at most so much older than its end.
  Duration Lookback() const;
  /// The least and the greatest last timestamp of the windows that a record of that time may be part of.
  TimeRange LastTimestampsOf(Timestamp event_time) const;
};

/// Looks at all steps that feed the view. INVALID_ARGUMENT where the pipeline has no such view.
StatusOr<ViewGeometry> GeometryOf(const Pipeline& pipeline, const std::string& view);

}  // namespace millrace::batch
