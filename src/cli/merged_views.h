// The views of a Lambda topology as readers see them: the batch layer and the speed layer merged.
#pragma once

#include <string>
#include <vector>

#include "cli/verbs.h"
#include "columnar/database.h"
#include "millrace/core/status.h"

namespace millrace::cli {

/// Of one data directory. Value; any thread.
class MergedViews {
 public:
  /// None: whatever is read is the speed layer's.
  MergedViews() = default;
  /// Those of a program with a batch layer; none of another.
  static StatusOr<MergedViews> Of(const Invocation& invocation, const Pipeline& pipeline);

  bool empty() const { return views_.empty(); }
  /// For this connection to a generation's warehouse, gives each name of a view the merged view, as of one manifest of
  /// the batch layer; as `warehouse.NAME` the speed layer is read alone. `as_of` is a version of the
  /// batch layer or a time, or empty. NOT_FOUND where that state is not kept.
  Status Create(columnar::Connection& connection, const std::string& as_of) const;

 private:
  std::string data_dir_;
  std::vector<ViewDescriptor> views_;
};

}  // namespace millrace::cli
