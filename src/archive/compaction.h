// Compaction: consecutive small files of one partition and day become one.
#pragma once

#include <cstdint>

#include "archive/record_file.h"
#include "archive/session.h"
#include "base/file_system.h"
#include "millrace/core/status.h"
#include "millrace/io/archive_store.h"

namespace millrace::archive {

struct CompactionOptions {
  /// A merged file has at most so many bytes (of the files it is made of), and so many records; files of more than half
  /// of that stay as they are.
  std::uint64_t file_bytes_max = std::uint64_t{256} << 20;
  std::int64_t file_records_max = 8'000'000;
  /// Fewer files than this side by side are left alone: 2 merges whatever can be merged, more saves rewriting.
  std::size_t files_min = 8;
};

/// Merges what can be merged, group by group; each group is one replacement of the manifest. Gives the number of files
/// that were replaced; they stay as superseded ones. Errors as `ArchiveSession::Commit`, and DATA_LOSS that names a
/// file that is damaged: nothing is merged then that holds it.
StatusOr<std::int64_t> CompactArchive(ArchiveSession& session, ArchiveStore& store, base::FileSystem& files,
                                      RecordFileFormat& format, const CompactionOptions& options);

}  // namespace millrace::archive
