// Where views live: named, keyed, windowed results that a pipeline writes cell by cell and readers look up.
//
// A view holds cells. A cell is known by (key, window) and has versions: each firing of a pane appends one, a read
// takes the newest, and superseded ones are removed in the background. Writing is by epoch: everything that was
// appended for an epoch becomes visible at once by `Commit`, in one local transaction that also notes the epoch, so
// that a checkpoint which is applied twice is applied once.
//
// The order after a crash, for a sink whose batches are in the checkpoint: open, `LastEpoch`, append and commit the
// checkpoint's epochs again (what was applied already is dropped), then `Fence` the new attempt.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <ostream>
#include <span>
#include <string>
#include <string_view>

#include "millrace/core/schema.h"
#include "millrace/core/status.h"
#include "millrace/core/timestamp.h"

namespace millrace {

/// What a view looks like. A key or value that is a struct has one column per field; any other has one column, with
/// the name given here. Column names within a view are distinct; window_start, window_end and names that begin with an
/// underscore are taken.
struct ViewDescriptor {
  std::string name;
  const Type* key = nullptr;
  const Type* value = nullptr;
  std::string key_column = "key";
  std::string value_column = "value";
  /// The windows of a key are sessions: of its cells, one whose window lies within that of another is an earlier form
  /// of it, from before windows were merged, and is not there any more.
  bool merges_windows = false;
};

/// Which write of a cell is newer: a later generation of the pipeline, within it a later attempt (it rises at each
/// restore), within it a later pane.
struct CellVersion {
  std::uint64_t generation = 0;
  std::uint64_t attempt = 0;
  std::uint64_t pane = 0;

  friend constexpr auto operator<=>(const CellVersion&, const CellVersion&) = default;
};

/// When the pane fired, against the watermark.
enum class CellTiming : std::uint8_t { kEarly, kOnTime, kLate, kUnknown };

/// One version of one cell. The key and value are objects of the view's types, and belong to the caller of an append
/// or, in a read, to the store and only until the visitor returns. A null value means that the cell is removed, such as
/// a session that was merged into a longer one; reads do not give removed cells.
/// The global window is [Timestamp::Min(), Timestamp::Max()].
struct Cell {
  const void* key = nullptr;
  const void* value = nullptr;
  Timestamp window_start;
  Timestamp window_end;  // exclusive
  CellVersion version;
  CellTiming timing = CellTiming::kUnknown;
  bool is_final = false;
};

/// Which cells to read. All conditions hold together; the default is all cells of the view.
struct ViewQuery {
  std::string view;

  // Keys: those whose first `key_columns` columns equal the ones of `*key` (all columns by default), or those in
  // [*key_from, *key_to), where null means no bound. Equality and range exclude each other.
  const void* key = nullptr;
  std::size_t key_columns = std::numeric_limits<std::size_t>::max();
  const void* key_from = nullptr;
  const void* key_to = nullptr;

  // Windows: those that lie within [starts_from, ends_by], both ends included.
  Timestamp starts_from = Timestamp::Min();
  Timestamp ends_by = Timestamp::Max();

  std::size_t limit = std::numeric_limits<std::size_t>::max();

  /// Only the window [start, end).
  void ExactWindow(Timestamp start, Timestamp end) {
    starts_from = start;
    ends_by = end;
    is_exact_window = true;
  }
  bool is_exact_window = false;
};

/// Called for each cell of a read; false ends the read.
using CellVisitor = std::function<bool(const Cell&)>;

/// A store of views. One process at a time holds a store. Thread safe: appends may come from many threads, and reads
/// go on beside them.
class ViewStore {
 public:
  virtual ~ViewStore() = default;

  /// Makes the view, or finds it; new views are declared while no epoch is pending. INVALID_ARGUMENT for a name or
  /// column that cannot be, or a key that has no order (a list or a map); FAILED_PRECONDITION if the store has a view
  /// of that name with other columns or types.
  virtual Status Declare(const ViewDescriptor& view) = 0;

  /// Appends versions of cells as part of `epoch`; nothing is visible before `Commit`. For an epoch that was committed
  /// already, nothing happens. ABORTED if a cell's (generation, attempt) is older than the newest that was fenced: its
  /// writer is dead and must stop; then none of `cells` is appended. After any other error the epoch is to be
  /// discarded.
  virtual Status Append(std::string_view view, std::uint64_t epoch, std::span<const Cell> cells) = 0;

  /// Applies all that was appended for the epoch, durably, together with the epoch's number; an epoch without cells is
  /// noted too. Epochs begin at 1 and are committed in rising order; one that was committed already is left alone.
  /// FAILED_PRECONDITION if an earlier epoch has cells that are neither committed nor discarded.
  virtual Status Commit(std::uint64_t epoch) = 0;

  /// Forgets what was appended for the epoch.
  virtual Status Discard(std::uint64_t epoch) = 0;

  /// The last epoch that was committed, 0 if none was.
  virtual StatusOr<std::uint64_t> LastEpoch() const = 0;

  /// From now on, and after a restart, refuses appends of writers older than (generation, attempt). What such writers
  /// appended but did not commit is discarded. A fence never goes back: an older one changes nothing.
  virtual Status Fence(std::uint64_t generation, std::uint64_t attempt) = 0;

  /// Gives the newest version of each cell that the query selects, in the order of keys, then window start, then
  /// window end. NOT_FOUND for a view that was not declared.
  virtual Status Read(const ViewQuery& query, const CellVisitor& visit) const = 0;

  /// Removes superseded versions now instead of in the background. Safe to be killed in.
  virtual Status Compact() = 0;
};

}  // namespace millrace
