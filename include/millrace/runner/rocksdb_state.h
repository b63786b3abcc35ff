// The state backend RocksDB, for programs without `Main`:
//
//   RunOptions options;
//   options.state = RocksdbState({.folder = "scratch/state", .memory_bytes = std::int64_t{256} << 20});
#pragma once

#include "millrace/runner/run_options.h"

namespace millrace {

/// `options` with the backend kRocksdb, which a run then opens: UNAVAILABLE for a folder that cannot be used,
/// RESOURCE_EXHAUSTED where the disk is full.
StateOptions RocksdbState(StateOptions options);

}  // namespace millrace
