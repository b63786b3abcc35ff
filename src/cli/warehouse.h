// The DuckDB file of the results, for the verbs that read it.
#pragma once

#include <string>

#include "cli/verbs.h"
#include "columnar/database.h"

namespace millrace::cli {

/// The threads of a query: --threads, or one per core.
int WarehouseThreads(const Invocation& invocation);

/// The same of a generation's folder. The directory is held.
StatusOr<columnar::Connection> OpenWarehouseOf(const Invocation& invocation, const std::string& generation_folder);

/// Opens the results' file to read it with all cores and a quarter of the memory. The directory must outlive it.
StatusOr<columnar::Connection> OpenWarehouse(const Invocation& invocation, const DataDirectory& directory);

}  // namespace millrace::cli
