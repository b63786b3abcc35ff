// The merged view as SQL: the batch layer answers for the windows that it has, the speed layer for the rest.
#pragma once

#include <string>

#include "batch/manifest.h"
#include "columnar/view_columns.h"

namespace millrace::batch {

/// Selects the cells of a view in a snapshot's files in `folder`, with `_version`; a relation of those columns without
/// rows where there is no file. `condition` is SQL on the window.
StatusOr<std::string> SnapshotSql(const std::string& view, const columnar::ViewColumns& columns,
                                  const std::string& folder, const Snapshot& snapshot, const std::string& condition);

/// Selects the key, window and value columns of the view and
///
///   _source    'batch' or 'speed'
///   _version   of the batch layer's partition; NULL of the speed layer
///   _pane      of the speed layer's cell, from 0; NULL of the batch layer
///   _final     whether the cell can only be changed by a recompute
///
/// from the files of a snapshot in `folder` and from the table of cells of a generation's warehouse, which the
/// connection has open.
std::string MergedSql(const std::string& view, const columnar::ViewColumns& columns, const std::string& folder,
                      const Snapshot& snapshot);

}  // namespace millrace::batch
