// The views of a Lambda topology as readers see them: the batch layer and the speed layer merged.
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "cli/verbs.h"
#include "columnar/database.h"
#include "millrace/core/status.h"
#include "server/server.h"

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

  /// The view of that name, where it is merged.
  const ViewDescriptor* Find(const std::string& view) const;
  /// Prints the rows of such a view, for which `CheckViewRequest` is OK, merged, in the order of key and window; each
  /// with its _source and _version.
  Status Print(columnar::Connection& connection, const server::ViewRequest& request, std::ostream& out) const;

 private:
  std::string data_dir_;
  std::vector<ViewDescriptor> views_;
};

}  // namespace millrace::cli
