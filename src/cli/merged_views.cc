#include "cli/merged_views.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "base/file_system.h"
#include "base/status_macros.h"
#include "batch/manifest.h"
#include "batch/merged_sql.h"
#include "cli/batch_layer.h"
#include "cli/sql_rows.h"
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

const ViewDescriptor* MergedViews::Find(const std::string& view) const {
  const auto found =
      std::find_if(views_.begin(), views_.end(), [&](const ViewDescriptor& v) { return v.name == view; });
  return found != views_.end() ? &*found : nullptr;
}

Status MergedViews::Print(columnar::Connection& connection, const server::ViewRequest& request,
                          std::ostream& out) const {
  MILLRACE_RETURN_IF_ERROR(Create(connection, request.as_of));
  const ViewDescriptor& view = *Find(request.view);
  MILLRACE_ASSIGN_OR_RETURN(const columnar::ViewColumns columns, columnar::ColumnsOfView(view));
  std::string where = "true";
  std::string order;
  for (std::size_t i = 0; i < columns.key.size(); ++i) {
    const columnar::ViewColumn& column = columns.key[i];
    const std::string name = columnar::QuoteIdentifier(column.name);
    order += name + " NULLS FIRST, ";
    if (i >= request.key.size()) continue;
    const bool is_optional = column.type->kind == FieldKind::kOptional;
    const Type& type = is_optional ? *column.type->element : *column.type;
    MILLRACE_ASSIGN_OR_RETURN(const std::string sql_type, columnar::SqlType(type));
    where += is_optional && request.key[i].empty()
                 ? " AND " + name + " IS NULL"
                 : " AND " + name + " = CAST(" + columnar::QuoteLiteral(request.key[i]) + " AS " + sql_type + ")";
  }
  if (request.from) where += " AND window_start >= " + columnar::SqlTimestamp(*request.from);
  if (request.to) where += " AND window_end <= " + columnar::SqlTimestamp(*request.to);
  const std::string limit = request.limit ? " LIMIT " + std::to_string(*request.limit) : "";
  return PrintSqlRows(connection,
                      "SELECT * EXCLUDE (_pane, _final) FROM " + columnar::QuoteIdentifier(view.name) + " WHERE " +
                          where + " ORDER BY " + order + "window_start, window_end" + limit,
                      request.format, out);
}

}  // namespace millrace::cli
