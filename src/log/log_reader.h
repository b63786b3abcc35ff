// The reading end of the log: any number of readers in any processes, beside a writer or without one.
//
// Readers see what the writer has published, and under the policies always and interval it publishes only what is
// synced: a record that has been read does not disappear in a crash.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_system.h"
#include "log/topic.h"
#include "millrace/core/status.h"
#include "millrace/core/timestamp.h"
#include "millrace/io/log.h"

namespace millrace::log {

/// A record where it lies in the reader's buffer; valid until the next call.
struct RecordView {
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  Timestamp publish_time = {};
  Timestamp event_time = {};
  std::string_view key = {};
  std::string_view data = {};
  std::string_view encoded_attributes = {};
  std::uint32_t attribute_count = 0;

  /// Copies everything into `*record`, whose storage is used again.
  void CopyTo(LogRecord* record) const;
};

enum class Found : std::uint8_t {
  kEnd,  // nothing more is published; ask again later
  kRecord,
  kControl,  // time advances to the view's event time; key and data are empty
};

/// Reads one partition, in order. Memory: a block of 1 MiB, or the largest batch. One thread at a time.
class PartitionCursor {
 public:
  virtual ~PartitionCursor() = default;

  /// The record at `next_offset()`, which it moves on. DATA_LOSS names the file and the position of what is damaged,
  /// OUT_OF_RANGE says that the next offset has been removed. After an error the cursor stays where it is.
  virtual StatusOr<Found> Next(RecordView* view) = 0;
  virtual std::int64_t next_offset() const = 0;

 protected:
  PartitionCursor() = default;
};

/// What of a partition can be read at a moment.
struct PartitionRange {
  std::int64_t start = 0;                  // the first offset that is still there
  std::int64_t end = 0;                    // the offset after the last one that is published
  Timestamp watermark = Timestamp::Min();  // of the last control record below `end`
  bool closed() const { return watermark == Timestamp::Max(); }
};

/// Reads a topic. Thread safe; each cursor is one thread's.
class LogReader {
 public:
  /// NOT_FOUND when there is no such topic. When no writer is there and the last one ended without closing the topic
  /// (a crash), it is recovered first, as a writer would do it; that needs permission to write.
  static StatusOr<std::unique_ptr<LogReader>> Open(base::FileSystem& files, const std::string& log_folder,
                                                   const std::string& topic);
  virtual ~LogReader() = default;

  virtual const TopicMetadata& topic() const = 0;
  virtual StatusOr<PartitionRange> Range(std::int32_t partition) const = 0;
  /// The end of every partition.
  virtual StatusOr<Cut> End() const = 0;

  /// A cursor whose first record is the one at `offset`: at least the start of the partition (OUT_OF_RANGE), at most
  /// its end (OUT_OF_RANGE: the log has lost what was read before, see the policy os).
  virtual StatusOr<std::unique_ptr<PartitionCursor>> Read(std::int32_t partition, std::int64_t offset) const = 0;

  /// The first offset such that all records before it have an earlier event time, as near as batches tell: the record
  /// there is in the first batch that has one at or after `time`. The end when there is none.
  virtual StatusOr<std::int64_t> OffsetOfEventTime(std::int32_t partition, Timestamp time) const = 0;
  /// The first offset whose publish time is at or after `time`; the end when there is none.
  virtual StatusOr<std::int64_t> OffsetOfPublishTime(std::int32_t partition, Timestamp time) const = 0;

 protected:
  LogReader() = default;
};

}  // namespace millrace::log
