// The verb `sql`: reads the DuckDB file, or asks the run that holds it.
#include "cli/warehouse.h"

#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <thread>

#include "base/status_macros.h"
#include "cli/ask_run.h"
#include "cli/merged_views.h"
#include "cli/row_writer.h"
#include "cli/run_results.h"
#include "cli/sql_rows.h"

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

}  // namespace

int WarehouseThreads(const Invocation& invocation) {
  if (invocation.pipeline.threads > 0) return invocation.pipeline.threads;
  return static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
}

StatusOr<columnar::Connection> OpenWarehouse(const Invocation& invocation, const DataDirectory& directory) {
  return OpenWarehouseOf(invocation, directory.ReadFolder());
}

StatusOr<columnar::Connection> OpenWarehouseOf(const Invocation& invocation, const std::string& generation_folder) {
  const std::string& temp = invocation.pipeline.temp_location;
  MILLRACE_ASSIGN_OR_RETURN(const columnar::Database database,
                            columnar::Database::Open({.path = WarehousePath(generation_folder),
                                                      .threads = WarehouseThreads(invocation),
                                                      .memory_limit_mib = MemoryMib(),
                                                      .temp_directory = temp.empty() ? temp : temp + "/duckdb",
                                                      .is_read_only = true}));
  return database.Connect();
}

StatusOr<int> SqlVerb(const Invocation& invocation, const MergedViews& merged) {
  if (invocation.arguments.size() != 1) {
    return UsageError("give one statement, in quotes: " + invocation.program + " sql \"SELECT ...\" --data_dir=DIR");
  }
  if (Status known = CheckFormat(invocation.output.format); !known.ok()) return UsageError(known.message());
  const server::HttpRequest request{.method = "POST",
                                    .path = "/v1/sql",
                                    .query = {{"format", invocation.output.format}, {"as_of", invocation.output.as_of}},
                                    .body = invocation.arguments[0]};
  MILLRACE_ASSIGN_OR_RETURN(const bool answered, PrintAnswerOfRun(invocation, request, std::cout));
  if (answered) return 0;
  MILLRACE_ASSIGN_OR_RETURN(const DataDirectory directory, OpenResults(invocation));
  MILLRACE_ASSIGN_OR_RETURN(columnar::Connection connection, OpenWarehouse(invocation, directory));
  MILLRACE_RETURN_IF_ERROR(merged.Create(connection, invocation.output.as_of));
  MILLRACE_RETURN_IF_ERROR(PrintSqlRows(connection, invocation.arguments[0], invocation.output.format, std::cout));
  TellGeneration(invocation, directory.generation());
  return 0;
}

}  // namespace millrace::cli
