// The verbs `sql` and `export`, which read the DuckDB file; `sql` asks the run that holds it.
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>
#include <system_error>
#include <thread>
#include <utility>

#include "base/file_system.h"
#include "base/status_macros.h"
#include "cli/ask_run.h"
#include "cli/row_writer.h"
#include "cli/run_results.h"
#include "cli/sql_rows.h"
#include "cli/verbs.h"
#include "columnar/database.h"
#include "columnar/view_columns.h"

namespace millrace::cli {

namespace {

// A statement may use a quarter of the machine's memory, but two GiB in any case; the rest goes to the disk.
std::size_t MemoryMib() {
  constexpr std::size_t kLeastMib = 2048;
  const long pages = ::sysconf(_SC_PHYS_PAGES);
  const long page_bytes = ::sysconf(_SC_PAGE_SIZE);
  if (pages <= 0 || page_bytes <= 0) return kLeastMib;
  return std::max(kLeastMib, (static_cast<std::size_t>(pages) * static_cast<std::size_t>(page_bytes) >> 20) / 4);
}

StatusOr<columnar::Connection> OpenWarehouse(const Invocation& invocation, const DataDirectory& directory) {
  const std::string& temp = invocation.pipeline.temp_location;
  const auto cores = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  MILLRACE_ASSIGN_OR_RETURN(
      const columnar::Database database,
      columnar::Database::Open({.path = WarehousePath(directory.CurrentFolder()),
                                .threads = invocation.pipeline.threads > 0 ? invocation.pipeline.threads : cores,
                                .memory_limit_mib = MemoryMib(),
                                .temp_directory = temp.empty() ? temp : temp + "/duckdb",
                                .is_read_only = true}));
  return database.Connect();
}

Status CopyView(const Invocation& invocation, const ViewDescriptor& view, const std::string& path) {
  MILLRACE_ASSIGN_OR_RETURN(const columnar::ViewColumns columns, columnar::ColumnsOfView(view));
  MILLRACE_ASSIGN_OR_RETURN(const DataDirectory directory, OpenResults(invocation));
  MILLRACE_ASSIGN_OR_RETURN(columnar::Connection connection, OpenWarehouse(invocation, directory));
  std::string order;
  for (const columnar::ViewColumn& column : columns.key) order += columnar::QuoteIdentifier(column.name) + ", ";
  const std::string temporary = path + ".new";
  Status copied = connection.Execute("COPY (SELECT * FROM " + columnar::QuoteIdentifier(view.name) + " ORDER BY " +
                                     order + "window_start, window_end) TO " + columnar::QuoteLiteral(temporary) +
                                     " (FORMAT parquet, COMPRESSION zstd)");
  if (copied.ok()) copied = base::PosixFileSystem().Rename(temporary, path);
  if (!copied.ok()) {
    std::error_code ignored;
    std::filesystem::remove(temporary, ignored);
    return copied;
  }
  MILLRACE_ASSIGN_OR_RETURN(const std::int64_t rows, connection.QueryInt64("SELECT count(*) FROM read_parquet(" +
                                                                           columnar::QuoteLiteral(path) + ")"));
  std::cerr << invocation.program << ": " << GroupedDigits(rows) << " rows of " << view.name << " written to " << path
            << "\n";
  return OkStatus();
}

}  // namespace

StatusOr<int> SqlVerb(const Invocation& invocation) {
  if (invocation.arguments.size() != 1) {
    return UsageError("give one statement, in quotes: " + invocation.program + " sql \"SELECT ...\" --data_dir=DIR");
  }
  if (Status known = CheckFormat(invocation.output.format); !known.ok()) return UsageError(known.message());
  const server::HttpRequest request{.method = "POST",
                                    .path = "/v1/sql",
                                    .query = {{"format", invocation.output.format}},
                                    .body = invocation.arguments[0]};
  MILLRACE_ASSIGN_OR_RETURN(const bool answered, PrintAnswerOfRun(invocation, request, std::cout));
  if (answered) return 0;
  MILLRACE_ASSIGN_OR_RETURN(const DataDirectory directory, OpenResults(invocation));
  MILLRACE_ASSIGN_OR_RETURN(columnar::Connection connection, OpenWarehouse(invocation, directory));
  MILLRACE_RETURN_IF_ERROR(PrintSqlRows(connection, invocation.arguments[0], invocation.output.format, std::cout));
  return 0;
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
  MILLRACE_RETURN_IF_ERROR(CopyView(invocation, view, path));
  return 0;
}

}  // namespace millrace::cli
