// The sparse index of a segment: where some of its batches begin. It only saves reading; what it says is checked by
// whoever follows it. Format: docs/formats/log.md, "Index".
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/file_system.h"
#include "log/segment_reader.h"
#include "log/topic.h"
#include "millrace/core/status.h"
#include "millrace/core/timestamp.h"

namespace millrace::log {

/// A batch, and what was before it in its segment.
struct IndexEntry {
  std::int64_t offset = 0;
  std::uint64_t position = 0;
  Timestamp publish_time;                            // of the batch
  Timestamp greatest_event_time = Timestamp::Min();  // of all batches of the segment before it
  Timestamp watermark = Timestamp::Min();            // of the last control record before it, in any segment
};

/// Follows the batches of a segment and says which get an entry. Also what is known at the end of a segment.
class IndexBuilder {
 public:
  IndexBuilder() = default;
  explicit IndexBuilder(const SegmentHeader& header) : watermark_(header.watermark) {}

  /// To be called for each batch in order; adds an entry when one is due.
  void Add(const BatchHeader& header, std::uint64_t position, std::vector<IndexEntry>* entries);

  Timestamp watermark() const { return watermark_; }
  Timestamp publish_time() const { return publish_time_; }

 private:
  std::uint64_t last_position_ = 0;
  Timestamp greatest_event_time_ = Timestamp::Min();
  Timestamp watermark_ = Timestamp::Min();
  Timestamp publish_time_ = Timestamp::Min();
};

/// The entries of an index file up to the first one that is damaged. `whole` (may be null) says whether the file is
/// there and nothing of it is damaged. Damage is no error.
StatusOr<std::vector<IndexEntry>> ReadIndex(base::FileSystem& files, const std::string& topic_folder,
                                            const TopicMetadata& topic, std::int32_t partition,
                                            std::int64_t first_offset, bool* whole);

/// Where reading may begin: at the last of the first `count` entries, if the batch is there that it tells of, otherwise
/// at the first batch of the segment.
StatusOr<IndexEntry> BeginAt(SegmentReader& reader, const std::vector<IndexEntry>& entries, std::size_t count);

/// An index file that is written anew.
class IndexWriter {
 public:
  static StatusOr<IndexWriter> Create(base::FileSystem& files, const std::string& topic_folder,
                                      const TopicMetadata& topic, std::int32_t partition, std::int64_t first_offset);
  Status Append(const std::vector<IndexEntry>& entries);

 private:
  explicit IndexWriter(std::unique_ptr<base::File> file) : file_(std::move(file)) {}

  std::unique_ptr<base::File> file_;
  std::uint64_t position_ = 0;
};

/// Reads a segment up to `end_offset`, or as far as it is whole, and writes its index anew.
Status RebuildIndex(base::FileSystem& files, const std::string& topic_folder, const TopicMetadata& topic,
                    std::int32_t partition, std::int64_t first_offset);

}  // namespace millrace::log
