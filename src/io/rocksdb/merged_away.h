// Sessions that were merged into longer ones. Internal to this room.
#pragma once

#include <rocksdb/db.h>

#include <set>
#include <string>

#include "io/rocksdb/pending_cells.h"

namespace millrace::io_rocksdb {

/// Adds to `removals` a removed version for each cell that is there, or will be with `cells` (which are sorted), and
/// whose window lies within that of another cell of its key. Only for views with one of `view_prefixes`; among the
/// cells that `db` has, there are none such already. Looks at the neighbours of the keys and windows of `cells` only.
rocksdb::Status AddMergedAway(const PendingCells& cells, const std::set<std::string>& view_prefixes, rocksdb::DB& db,
                              PendingCells* removals);

}  // namespace millrace::io_rocksdb
