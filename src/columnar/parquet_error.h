// Turns what DuckDB says of a Parquet file into a status that names the file. Internal to this room.
#pragma once

#include <string>

#include "columnar/database.h"
#include "millrace/core/status.h"

namespace millrace::columnar {

/// NOT_FOUND if the file is missing, PERMISSION_DENIED if it may not be read, RESOURCE_EXHAUSTED for memory, else
/// DATA_LOSS: whatever is wrong with a file that is there, is wrong inside it.
Status ParquetError(const std::string& path, const Status& status);

/// The process's database for reading Parquet files: in memory, no threads of its own.
StatusOr<Connection> ConnectForParquet();

/// "function('path'" without the closing parenthesis, so that options can follow; glob characters in the path are taken
/// literally.
std::string ReadParquetCall(const std::string& function, const std::string& path);

}  // namespace millrace::columnar
