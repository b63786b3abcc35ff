// The state backend `rocksdb`: entries that do not fit into memory, in a RocksDB of this run. It is a place to put
// things, not to keep them: it begins empty, and after a crash the state comes from the checkpoint.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "millrace/core/status.h"
#include "millrace/detail/spill.h"

namespace millrace::storage {

struct RocksdbSpillOptions {
  /// Removed, with what is in it, when the store is opened and when it is closed.
  std::string folder;
  /// For RocksDB's own buffers and cache, beside the memory of the tables.
  std::int64_t cache_bytes = std::int64_t{64} << 20;
};

/// Thread safe; each table is used by one thread. RESOURCE_EXHAUSTED: the disk is full.
StatusOr<std::unique_ptr<detail::SpillStore>> OpenRocksdbSpillStore(const RocksdbSpillOptions& options);

}  // namespace millrace::storage
