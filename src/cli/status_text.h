// The status of a run, or of a data directory without one, for people.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cli/data_directory.h"
#include "server/server.h"

namespace millrace::cli {

/// What a data directory holds while nobody runs. As JSON, `run` is absent and `directory` is this.
struct DirectoryStatus {
  std::string data_dir = {};
  std::string job = {};
  std::uint64_t generation = 0;  // of the results; 0: there are none
  std::string mode = {};
  std::optional<Timestamp> written_at = {};
};

/// Lines of text, the last one ended.
std::string StatusText(const server::ServerStatus& status);
std::string StatusText(const DirectoryStatus& status);

}  // namespace millrace::cli
