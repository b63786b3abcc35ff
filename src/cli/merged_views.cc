#include "cli/merged_views.h"

#include <filesystem>
#include <utility>

#include "base/file_system.h"
#include "base/status_macros.h"
#include "batch/manifest.h"
#include "batch/merged_sql.h"
#include "cli/batch_layer.h"
#include "columnar/view_columns.h"

namespace millrace::cli {

StatusOr<MergedViews> MergedViews::Of(const Invocation& invocation, const Pipeline& pipeline) {
  MergedViews merged;
  if (invocation.topology == nullptr || !invocation.topology->every) return merged;
  merged.data_dir_ = invocation.pipeline.data_dir;
  MILLRACE_ASSIGN_OR_RETURN(merged.views_, ViewsOfTopology(invocation, pipeline));
  return merged;
}

Status MergedViews::Create(columnar::Connection& connection, const std::string& as_of) const {
  if (views_.empty()) {
    return as_of.empty() ? OkStatus() : UsageError("--as_of is for a program with a batch layer (topology::Lambda)");
  }
  batch::AsOf state;
  if (!as_of.empty()) {
    StatusOr<batch::AsOf> parsed = batch::AsOf::Parse(as_of);
    if (!parsed.ok()) return UsageError("--as_of: " + parsed.status().message());
    state = *parsed;
  }
  const std::string folder = std::filesystem::absolute(BatchFolder(data_dir_)).string();
  MILLRACE_ASSIGN_OR_RETURN(const batch::Manifest manifest, batch::ReadManifest(base::PosixFileSystem(), folder));
  MILLRACE_ASSIGN_OR_RETURN(const batch::Snapshot snapshot, batch::SnapshotOf(manifest, state));
  for (const ViewDescriptor& view : views_) {
    MILLRACE_ASSIGN_OR_RETURN(const columnar::ViewColumns columns, columnar::ColumnsOfView(view));
    MILLRACE_RETURN_IF_ERROR(connection.Execute("CREATE OR REPLACE TEMP VIEW " + columnar::QuoteIdentifier(view.name) +
                                                " AS " + batch::MergedSql(view.name, columns, folder, snapshot)));
  }
  return OkStatus();
}

}  // namespace millrace::cli
