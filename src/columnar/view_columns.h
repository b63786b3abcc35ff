// Which columns a view has: shared by the stores, so that they accept and refuse the same views.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "millrace/core/schema.h"
#include "millrace/core/status.h"
#include "millrace/io/view_store.h"

namespace millrace::columnar {

/// One column of a view: where its value sits in the key or value object.
struct ViewColumn {
  std::string name;
  std::size_t offset = 0;  // bytes from the start of the key or value object
  const Type* type = nullptr;
};

/// The columns of a view, in order.
struct ViewColumns {
  std::vector<ViewColumn> key;
  std::vector<ViewColumn> value;
  /// "(page: string) -> (count: int64)", with " in sessions" behind it where windows merge: two views are compatible if
  /// and only if theirs are equal.
  std::string signature;
  bool merges_windows = false;
};

/// Checks the descriptor and lists the columns. INVALID_ARGUMENT names the view, all columns that cannot be, and what
/// to do: key columns must be scalars or optional scalars; names must be distinct and not reserved.
StatusOr<ViewColumns> ColumnsOfView(const ViewDescriptor& view);

/// INVALID_ARGUMENT for a query with both an equal key and a range, or a prefix of no columns.
Status CheckViewQuery(const ViewQuery& query);

/// What a writer is told whose (generation, attempt) is older than `fence`.
Status FencedError(std::string_view view, const CellVersion& version, std::pair<std::uint64_t, std::uint64_t> fence);

}  // namespace millrace::columnar
