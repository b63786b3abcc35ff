// Makes ranges of one partition: records go into files, one for each ingestion day at least; control records into the
// range. Shared by the archiver and compaction.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "archive/manifest.h"
#include "archive/record_file.h"
#include "archive/session.h"
#include "base/file_system.h"
#include "millrace/core/status.h"

namespace millrace::archive {

/// When a file is full. A record larger than the rest is still taken.
struct RangeLimits {
  std::int64_t records_max = std::numeric_limits<std::int64_t>::max();
  std::int64_t bytes_max = std::numeric_limits<std::int64_t>::max();  // keys, attributes and data, not compressed
};

/// Offsets come in order and without gaps, beginning with `from`. One thread at a time. Files that it has made are
/// orphans until the session commits their ranges.
class RangeWriter {
 public:
  RangeWriter(ArchiveSession& session, base::FileSystem& files, RecordFileFormat& format, const RangeLimits& limits,
              std::int32_t partition, std::int64_t from);

  /// The record to be filled for the next `AddSlot`; its storage is used again.
  LogRecord* Slot() { return &buffer_[buffered_]; }
  /// Takes what was filled in. DATA_LOSS when its offset is not the next one.
  Status AddSlot();
  Status AddControl(const ArchivedControl& control);
  /// The next offset.
  std::int64_t next_offset() const { return next_; }
  /// Ends the last range. The writer can go on.
  Status Finish();

  /// The finished ranges so far, which are taken away.
  std::vector<ArchivedRange> TakeRanges() { return std::move(ranges_); }
  std::size_t finished_files() const { return finished_files_; }

 private:
  Status Expect(std::int64_t offset) const;
  Status BeginDay(Timestamp publish_time);
  Status FlushBuffer();
  Status EndRange();

  ArchiveSession& session_;
  base::FileSystem& files_;
  RecordFileFormat& format_;
  const RangeLimits limits_;
  std::int64_t next_;
  ArchivedRange range_;  // the one in the making
  std::int64_t range_bytes_ = 0;
  std::string day_;
  Timestamp day_begin_;
  Timestamp day_end_;
  std::string staged_;
  std::unique_ptr<RecordFileWriter> file_;
  std::vector<LogRecord> buffer_;
  std::size_t buffered_ = 0;
  std::vector<ArchivedRange> ranges_;
  std::size_t finished_files_ = 0;
};

}  // namespace millrace::archive
