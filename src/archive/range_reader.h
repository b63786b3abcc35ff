// Reads the offsets of one archived range in order, records and control records alike, and checks what it reads
// against the manifest.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "archive/manifest.h"
#include "archive/record_file.h"
#include "log/log_reader.h"
#include "millrace/core/status.h"
#include "millrace/io/archive_store.h"

namespace millrace::archive {

/// One thread at a time.
class RangeReader {
 public:
  /// Reads the offsets [from, to) of `range`, which is copied. Parts of the file without a record whose event time is
  /// in [from_time, to_time) are skipped. NOT_FOUND when the file is gone, DATA_LOSS when it is not as the manifest
  /// says.
  static StatusOr<RangeReader> Open(ArchiveStore& store, RecordFileFormat& format, const ArchivedRange& range,
                                    std::int64_t from, std::int64_t to, std::optional<Timestamp> from_time = {},
                                    std::optional<Timestamp> to_time = {});

  /// What is at the next offset; kEnd at the end of [from, to). DATA_LOSS names the file and the offset.
  StatusOr<log::Found> Next();
  /// The record that `Next` found; may be moved from.
  LogRecord& record() { return batch_[batch_next_ - 1]; }
  /// No record of the range from this offset on is older.
  Timestamp LeastEventTimeFrom(std::int64_t offset) const;
  /// The control record that `Next` found.
  const ArchivedControl& control() const { return range_.controls[next_control_ - 1]; }

 private:
  RangeReader(RecordFileFormat& format, const ArchivedRange& range) : format_(&format), range_(range) {}
  Status ReadTimes();
  Status FindParts(std::int64_t first, std::int64_t end, Timestamp from_time, Timestamp to_time);
  StatusOr<bool> FillBatch();
  void ExpectRow(std::int64_t row);
  void ExpectNext();
  Status Damaged(const std::string& what) const;

  RecordFileFormat* format_;
  ArchivedRange range_;
  std::string path_;                   // on this machine
  std::vector<RecordFilePart> parts_;  // to be read, the next one last
  std::vector<Timestamp> least_from_;  // by step of rows: the least event time from its first row on; may be empty
  std::unique_ptr<RecordFileReader> file_;
  std::int64_t rows_left_ = 0;        // of the part that is read
  std::int64_t expected_ = 0;         // the offset of the next row
  std::size_t expected_control_ = 0;  // the first control record behind it
  std::size_t next_control_ = 0;      // the next one to be found
  std::size_t end_control_ = 0;
  std::vector<LogRecord> batch_;
  std::size_t batch_size_ = 0;
  std::size_t batch_next_ = 0;
};

}  // namespace millrace::archive
