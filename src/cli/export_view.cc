// The verb `export`: writes the view itself, or has the run do so that holds the warehouse.
#include "cli/export_view.h"

#include <charconv>
#include <filesystem>
#include <iostream>
#include <sstream>
#include <system_error>

#include "base/file_system.h"
#include "base/status_macros.h"
#include "cli/ask_run.h"
#include "cli/row_writer.h"
#include "cli/verbs.h"
#include "cli/warehouse.h"
#include "columnar/view_columns.h"

namespace millrace::cli {

namespace {

// By the run that holds the directory; nothing where there is none.
StatusOr<std::optional<std::int64_t>> WriteByRun(const Invocation& invocation, const std::string& view,
                                                 const std::string& path) {
  const server::HttpRequest request{.method = "POST",
                                    .path = "/v1/export",
                                    .query = {{"view", view}},
                                    .body = std::filesystem::absolute(path).string()};
  std::ostringstream answer;
  MILLRACE_ASSIGN_OR_RETURN(const bool answered, PrintAnswerOfRun(invocation, request, answer));
  if (!answered) return std::optional<std::int64_t>();
  const std::string text = answer.str();
  std::int64_t rows = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), rows);
  if (error != std::errc()) return InternalError("the run answered with no number of rows: " + text);
  return std::optional(rows);
}

StatusOr<std::int64_t> Write(const Invocation& invocation, const ViewDescriptor& view, const std::string& path) {
  MILLRACE_ASSIGN_OR_RETURN(const std::optional<std::int64_t> rows, WriteByRun(invocation, view.name, path));
  if (rows) return *rows;
  MILLRACE_ASSIGN_OR_RETURN(const DataDirectory directory, OpenResults(invocation));
  MILLRACE_ASSIGN_OR_RETURN(columnar::Connection connection, OpenWarehouse(invocation, directory));
  return WriteParquet(connection, view, path);
}

StatusOr<std::int64_t> CopyToParquet(columnar::Connection& connection, const std::string& rows,
                                     const std::string& compression, const std::string& path) {
  const std::string file = columnar::QuoteLiteral(path);
  MILLRACE_RETURN_IF_ERROR(
      connection.Execute("COPY (" + rows + ") TO " + file + " (FORMAT parquet, COMPRESSION " + compression + ")"));
  return connection.QueryInt64("SELECT count(*) FROM read_parquet(" + file + ")");
}

}  // namespace

StatusOr<std::int64_t> WriteParquet(columnar::Connection& connection, const ViewDescriptor& view,
                                    const std::string& path) {
  MILLRACE_ASSIGN_OR_RETURN(const columnar::ViewColumns columns, columnar::ColumnsOfView(view));
  std::string order;
  for (const columnar::ViewColumn& column : columns.key) order += columnar::QuoteIdentifier(column.name) + ", ";
  return CopyToParquet(
      connection,
      "SELECT * FROM " + columnar::QuoteIdentifier(view.name) + " ORDER BY " + order + "window_start, window_end",
      "zstd", path);
}

StatusOr<std::int64_t> WriteUnordered(columnar::Connection& connection, const std::string& name,
                                      const std::string& path) {
  return CopyToParquet(connection, "FROM " + columnar::QuoteIdentifier(name), "snappy", path);
}

StatusOr<std::int64_t> WriteStatement(columnar::Connection& connection, const std::string& statement,
                                      const std::string& path) {
  return CopyToParquet(connection, statement, "snappy", path);
}

StatusOr<int> ExportVerb(const Invocation& invocation, const Pipeline& pipeline) {
  if (invocation.arguments.size() != 2)
    return UsageError("usage: " + invocation.program + " export VIEW OUT.parquet --data_dir=DIR");
  MILLRACE_ASSIGN_OR_RETURN(const ViewDescriptor view, FindView(pipeline, invocation.arguments[0]));
  const std::string& path = invocation.arguments[1];
  MILLRACE_ASSIGN_OR_RETURN(const bool exists, base::PosixFileSystem().Exists(path));
  if (exists && !invocation.output.overwrite) {
    return AlreadyExistsError("the file " + path + " exists; give another name, or --overwrite");
  }
  MILLRACE_ASSIGN_OR_RETURN(const bool has_folder, base::PosixFileSystem().Exists(base::FolderOf(path)));
  if (!has_folder) return NotFoundError("there is no folder " + base::FolderOf(path) + "; make it first");
  const std::string temporary = path + ".new";
  const StatusOr<std::int64_t> rows = Write(invocation, view, temporary);
  Status written = rows.status();
  if (written.ok()) written = base::PosixFileSystem().Rename(temporary, path);
  if (!written.ok()) {
    std::error_code ignored;
    std::filesystem::remove(temporary, ignored);
    return written;
  }
  std::cerr << invocation.program << ": " << GroupedDigits(*rows) << " rows of " << view.name << " written to " << path
            << "\n";
  return 0;
}

}  // namespace millrace::cli
