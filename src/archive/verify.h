// Checks an archive against its manifest: everything that can be known without the log.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "archive/record_file.h"
#include "millrace/core/status.h"
#include "millrace/io/archive_store.h"

namespace millrace::archive {

/// One thing that is wrong.
struct ArchiveProblem {
  std::string path;  // of the file; "manifest" for the manifest
  std::int32_t partition = -1;
  std::int64_t offset = -1;  // where it is, as far as that is known
  std::string problem;
};

struct ArchiveReport {
  std::int64_t files = 0;
  std::int64_t records = 0;
  std::uint64_t bytes = 0;
  std::vector<ArchiveProblem> problems;
  /// Files that the manifest does not name: orphans of a crash, which the next archiver removes, and files of others.
  std::vector<std::string> unnamed;
};

/// Checks that ranges touch each other (as reading the manifest does), and of each file: size, digest, day, that it has
/// exactly the records that the manifest says, in order, and that the least and greatest times are theirs. Problems are
/// listed, at most one for each file. `on_file` is told of each file before it is read. A damaged manifest is a
/// problem; an error is returned when the archive cannot be read at all, and NOT_FOUND when there is none.
StatusOr<ArchiveReport> VerifyArchive(ArchiveStore& store, RecordFileFormat& format,
                                      const std::function<void(const std::string& path)>& on_file = nullptr);

}  // namespace millrace::archive
