// Views as tables of a DuckDB file: a SQL view with the plain name of each view shows the newest cells.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "columnar/database.h"
#include "columnar/view_columns.h"
#include "io/duckdb/view_sql.h"
#include "millrace/io/view_store.h"

namespace millrace::io_duckdb {

/// How a store of views in a DuckDB file is opened.
struct DuckdbViewStoreOptions {
  std::string path = {};  // made if missing; empty: in memory
  int threads = 1;
  std::size_t memory_limit_mib = 1024;
  std::string temp_directory = {};  // for what does not fit into memory; empty: beside the file, or nowhere
  /// A view is compacted in the background once this many cells that may supersede others were appended since the last
  /// time, and as many as it had cells then. 0: only by `Compact`.
  std::uint64_t compact_after_cells = 1'000'000;
};

/// See `ViewStore`. Each pending epoch is an open transaction of its own. Texts that are not UTF-8 are refused.
class DuckdbViewStore : public ViewStore {
 public:
  /// Opens or makes the file. FAILED_PRECONDITION if another process holds it, DATA_LOSS if it is damaged.
  static StatusOr<std::unique_ptr<DuckdbViewStore>> Open(const DuckdbViewStoreOptions& options);
  ~DuckdbViewStore() override;

  Status Declare(const ViewDescriptor& view) override;
  Status Append(std::string_view view, std::uint64_t epoch, std::span<const Cell> cells) override;
  /// Appends rows to a table of the caller's in the schema `main`, which exists and has these columns, as part of
  /// `epoch`: they are committed in the transaction of its cells, and once as these are.
  Status AppendRows(const std::string& table, const std::vector<columnar::ColumnSpec>& columns, std::uint64_t epoch,
                    const std::vector<columnar::ColumnSource>& sources, std::size_t count);
  Status Commit(std::uint64_t epoch) override;
  Status Discard(std::uint64_t epoch) override;
  StatusOr<std::uint64_t> LastEpoch() const override;
  Status Fence(std::uint64_t generation, std::uint64_t attempt) override;
  Status Read(const ViewQuery& query, const CellVisitor& visit) const override;
  /// Where nothing is committed to a view meanwhile, its SQL view and reads do without ranking until the next commit.
  Status Compact() override;

  /// The database, for SQL over the views: each is a SQL view with its key columns, window_start, window_end (NULL for
  /// the global window) and its value columns.
  const columnar::Database& database() const { return database_; }

  /// Opaque.
  struct View;
  struct PendingEpoch;

 private:
  DuckdbViewStore(columnar::Database database, DuckdbViewStoreOptions options);

  Status LoadState();
  StatusOr<std::shared_ptr<View>> FindView(std::string_view name) const;
  StatusOr<std::shared_ptr<PendingEpoch>> FindEpoch(std::uint64_t epoch);
  Status SetState(View& view, CellTableState state);
  Status CompactView(View& view);
  void RunCompactions();

  columnar::Database database_;
  const DuckdbViewStoreOptions options_;

  mutable std::mutex mutex_;  // guards what follows
  std::map<std::string, std::shared_ptr<View>, std::less<>> views_;
  std::map<std::uint64_t, std::shared_ptr<PendingEpoch>> pending_;
  std::uint64_t last_epoch_ = 0;
  std::pair<std::uint64_t, std::uint64_t> fence_ = {0, 0};  // generation, attempt
  std::condition_variable wake_;
  bool is_closing_ = false;

  std::mutex commit_mutex_;                                   // one commit or fence at a time; taken before mutex_
  std::mutex compact_mutex_;                                  // one compaction at a time; taken before mutex_
  std::unique_ptr<columnar::Connection> compact_connection_;  // guarded by mutex_, to interrupt it
  std::thread compactor_;
};

}  // namespace millrace::io_duckdb
