// Digests of cells as SQL: what two computations of a view are compared by, without comparing cell by cell.
//
// The digest of a group of cells is the sum of the hashes of (key, window, value): it does not depend on their order,
// and differs where a cell is missing, is there more than once, or is another. The hash is DuckDB's, of 64 bits, which
// takes -0.0 as 0.0 and every NaN as one; the sum has 128 bits. Both sides are digested by the same DuckDB at the same
// time: a digest is not kept.
#pragma once

#include <string>

#include "columnar/view_columns.h"

namespace millrace::batch {

/// Cells are grouped by partition and by so many ranges of the hash of the key.
inline constexpr int kDigestRanges = 16;

/// Cells as SQL: those of `relation`, of the view's columns, without those that a row of the relation `late` names by
/// the condition `is_late`, on a cell `c` and a row `_late`; all of them where `late` is empty.
struct CellsSql {
  std::string relation;
  std::string late = {};
  std::string is_late = {};
};

/// Selects _partition, _range, _cells and _digest (HUGEINT). `unit` is "day" or "hour".
std::string DigestsSql(const columnar::ViewColumns& columns, const std::string& unit, const CellsSql& cells);

/// Selects _partition, _range and the view's columns of the cells in the groups that `groups` names by these two.
std::string CellsOfGroupsSql(const columnar::ViewColumns& columns, const std::string& unit, const CellsSql& cells,
                             const std::string& groups);

}  // namespace millrace::batch
