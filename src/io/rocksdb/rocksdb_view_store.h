// Views in RocksDB: low-latency look-ups by key, prefix and window.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "millrace/io/view_store.h"

namespace millrace::io_rocksdb {

/// How a store of views in a RocksDB directory is opened.
struct RocksdbViewStoreOptions {
  std::string path = {};  // a directory, made if missing; its parent must exist
  std::size_t block_cache_mib = 64;
  std::size_t write_buffer_mib = 64;
  /// The most that may be appended for epochs that are not committed, which is held in memory.
  std::size_t pending_mib_max = 2048;
};

/// See `ViewStore`. Superseded versions are dropped when RocksDB compacts its files.
class RocksdbViewStore : public ViewStore {
 public:
  /// Opens or makes the store. FAILED_PRECONDITION if another process holds it, DATA_LOSS if it is damaged.
  static StatusOr<std::unique_ptr<RocksdbViewStore>> Open(const RocksdbViewStoreOptions& options);
  ~RocksdbViewStore() override;

  Status Declare(const ViewDescriptor& view) override;
  Status Append(std::string_view view, std::uint64_t epoch, std::span<const Cell> cells) override;
  Status Commit(std::uint64_t epoch) override;
  Status Discard(std::uint64_t epoch) override;
  StatusOr<std::uint64_t> LastEpoch() const override;
  Status Fence(std::uint64_t generation, std::uint64_t attempt) override;
  Status Read(const ViewQuery& query, const CellVisitor& visit) const override;
  Status Compact() override;

  /// The number of stored versions of all cells, superseded ones included. Reads everything: for tests and tools.
  StatusOr<std::uint64_t> CountVersions() const;

  /// Opaque.
  struct Impl;

 private:
  explicit RocksdbViewStore(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::io_rocksdb
