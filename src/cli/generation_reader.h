// Reads one generation's warehouse, whoever has it: by the process that runs it, or from its files.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cli/data_directory.h"
#include "cli/verbs.h"
#include "columnar/database.h"
#include "log/topic.h"
#include "millrace/core/status.h"
#include "server/http_message.h"
#include "storage/checkpoint.h"

namespace millrace::cli {

/// Up to where a generation's results are committed.
struct CommittedThrough {
  std::uint64_t epoch = 0;                 // 0: it has no checkpoints
  Timestamp watermark = Timestamp::Max();  // windows that end by then, and by the allowed lateness, are final
};

/// One thread.
class GenerationReader {
 public:
  /// NOT_FOUND: there is no such generation; FAILED_PRECONDITION: a process has it that answers nothing.
  static StatusOr<GenerationReader> Open(const Invocation& invocation, std::uint64_t generation);

  std::uint64_t generation() const { return generation_; }
  /// The last committed checkpoint, after waiting until the warehouse has what belongs to it. What is exported later
  /// has it too. FAILED_PRECONDITION where it never will, since its process was killed: run it once.
  StatusOr<CommittedThrough> AwaitCommitted() const;
  /// Waits until a committed checkpoint has read the topic of the invocation up to `end`, and gives how many records it
  /// has not: more than none where nobody runs the generation, or its process has read nothing for a minute.
  StatusOr<std::int64_t> AwaitRead(const log::Cut& end) const;
  /// Writes a view or the table of dead letters to a Parquet file, in any order.
  Status Export(const std::string& name, const std::string& path) const;
  /// The same of what a SELECT over its warehouse gives.
  Status ExportRows(const std::string& statement, const std::string& path) const;

 private:
  GenerationReader(const Invocation& invocation, std::uint64_t generation)
      : invocation_(&invocation), generation_(generation) {}
  StatusOr<std::optional<storage::CheckpointManifest>> LatestCheckpoint() const;
  StatusOr<std::uint64_t> CommittedEpoch() const;
  StatusOr<std::string> Ask(server::HttpRequest request) const;

  const Invocation* invocation_;
  std::uint64_t generation_;
  std::optional<DataDirectory> directory_;  // where no process runs it
  mutable std::optional<columnar::Connection> connection_;
};

}  // namespace millrace::cli
