// Which cells of a view have missed elements that came too late: from the dead letters of the run, by key and window.
#pragma once

#include <string>
#include <vector>

#include "columnar/view_columns.h"
#include "millrace/core/pipeline.h"
#include "millrace/core/timestamp.h"
#include "millrace/io/view_store.h"

namespace millrace::cli {

/// The steps whose late elements a view misses, and what is needed of them.
struct LateSource {
  std::vector<std::string> steps;  // that drop what is late, and feed the view
  bool has_key = false;            // their elements have the view's key
  Duration allowed_lateness{0};
};
LateSource LateSourceOf(const Pipeline& pipeline, const std::string& view_name);

/// The name of a key column of a view, quoted, and what gives it from a late element as JSON.
struct LateKey {
  std::string name;
  std::string from_late;
};
std::vector<LateKey> LateKeysOf(const columnar::ViewColumns& columns, const ViewDescriptor& view,
                                const LateSource& source);

/// Selects the key columns, as text, and window_start, window_end of each late cell from a table of dead letters.
std::string LateCellsSql(const LateSource& source, const std::vector<LateKey>& keys, const std::string& letters);
/// Whether a row of such a relation names the cell. Without the key of what was late, it names all cells of its window.
std::string SameLateSql(const LateSource& source, const std::vector<LateKey>& keys, const std::string& late_cell,
                        const std::string& cell);

/// Whether two rows are of the same key, or window.
std::string SameKeySql(const std::vector<LateKey>& keys, const std::string& a, const std::string& b);
std::string SameWindowSql(const std::string& a, const std::string& b);

}  // namespace millrace::cli
