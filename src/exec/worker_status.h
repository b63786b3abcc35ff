// What a worker tells of its operators while it runs.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "millrace/core/timestamp.h"
#include "millrace/core/window.h"
#include "millrace/runner/status.h"

namespace millrace::exec {

/// By node of the plan.
struct WorkerStatus {
  struct Node {
    Timestamp input_watermark = Timestamp::Min();
    Timestamp output_watermark = Timestamp::Min();
    std::uint64_t state_bytes = 0;
    std::int64_t open_windows = 0;
    std::optional<BoundedWindow> oldest_open_window = {};
    std::vector<PartitionStatus> partitions = {};  // of a source: those that this worker reads
  };
  std::vector<Node> nodes = {};
};

}  // namespace millrace::exec
