// The status of a run, or of a data directory without one, for people.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/data_directory.h"
#include "server/server.h"

namespace millrace::cli {

/// The last checkpoint of a generation, as its manifest tells.
struct StoredCheckpoint {
  std::uint64_t epoch = 0;
  std::uint64_t attempt = 0;
  Timestamp at = {};
  Duration duration = {};
  std::uint64_t bytes = 0;  // of all that it needs
  std::optional<Timestamp> watermark = {};
};

/// What a data directory holds while nobody runs; the JSON of the verb `status` then.
struct DirectoryStatus {
  std::string data_dir = {};
  std::string job = {};
  std::uint64_t generation = 0;  // of the results; 0: there are none
  std::string mode = {};
  std::optional<Timestamp> written_at = {};
  std::optional<RunningGeneration> resumable = {};  // that the next run with checkpoints goes on with
  std::optional<StoredCheckpoint> checkpoint = {};  // of it, or else of the generation of the results
  std::vector<server::GenerationStatus> generations = {};
  std::optional<server::BatchStatus> batch = {};
};

/// Lines of text, the last one ended.
std::string StatusText(const server::ServerStatus& status);
std::string StatusText(const DirectoryStatus& status);

}  // namespace millrace::cli
