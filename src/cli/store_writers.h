// Both view stores of a generation's folder, each written by a thread of its own.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "cli/cell_portion.h"
#include "io/duckdb/duckdb_view_store.h"
#include "io/rocksdb/rocksdb_view_store.h"
#include "millrace/core/status.h"
#include "millrace/io/view_store.h"

namespace millrace::cli {

/// What the stores have applied.
struct AppliedEpochs {
  std::uint64_t warehouse = 0;
  std::uint64_t lookup = 0;
};

/// DuckDB with the table of dead letters, and RocksDB. Portions are written by one thread per store; the dead letters
/// of an epoch are committed in the transaction of its cells. Thread safe.
class StoreWriters {
 public:
  /// Opens or makes the stores in the folder, which exists. `is_streaming`: superseded versions are removed in the
  /// background.
  static StatusOr<std::unique_ptr<StoreWriters>> Open(const std::string& folder, bool is_streaming);
  /// Drops what was not committed.
  ~StoreWriters();
  StoreWriters(const StoreWriters&) = delete;
  StoreWriters& operator=(const StoreWriters&) = delete;

  Status Declare(const ViewDescriptor& view);
  Status Fence(std::uint64_t generation, std::uint64_t attempt);
  StatusOr<AppliedEpochs> LastEpochs() const;

  /// Hands a portion to both stores; waits while one of them has enough to do. After a store's first error, that.
  Status Push(const std::shared_ptr<const CellPortion>& portion);
  /// Whether `Push` would not wait. It does not get less while nobody pushes.
  bool HasRoom() const;
  /// Until all that was pushed is written.
  Status WaitUntilIdle();
  /// Removes superseded versions from the warehouse: reads by SQL are some ten times as fast until the next write.
  Status CompactWarehouse() { return warehouse_->Compact(); }
  Status failure() const;
  /// To read what is committed; valid as long as the object.
  const ViewStore& lookup() const { return *lookup_; }
  const columnar::Database& warehouse() const { return warehouse_->database(); }

  /// Processor time of the threads.
  double warehouse_s() const;
  double lookup_s() const;

 private:
  // One store with what waits for it.
  struct Queue {
    ViewStore* store = nullptr;
    std::deque<std::shared_ptr<const CellPortion>> waiting;
    bool busy = false;
    double used_s = 0;
  };

  StoreWriters() = default;
  Status OpenStores(const std::string& folder, bool is_streaming);
  bool HasRoomLocked() const;
  bool IsIdle() const;
  void Run(Queue& queue);
  Status Write(const Queue& queue, const CellPortion& portion);
  Status AppendLetters(const CellPortion& portion);

  std::unique_ptr<io_duckdb::DuckdbViewStore> warehouse_;
  std::unique_ptr<io_rocksdb::RocksdbViewStore> lookup_;

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  Queue queues_[2];  // of the warehouse, of the look-up store
  Status failure_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace millrace::cli
