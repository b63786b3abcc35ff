// Finds batches by offset and by time: the segment by its name, then its index, then batch after batch.
#pragma once

#include <cstdint>
#include <string>

#include "base/file_system.h"
#include "log/segment_reader.h"
#include "log/topic.h"
#include "millrace/core/status.h"
#include "millrace/core/timestamp.h"

namespace millrace::log {

/// A batch and an open reader of its segment.
struct FoundBatch {
  SegmentReader reader;
  std::uint64_t position = 0;
  std::int64_t first_offset = 0;
};

/// The batch that holds `offset`; when the partition ends there, the place where it will be. OUT_OF_RANGE when the
/// offset has been removed or is beyond the end; NOT_FOUND when the partition has no segment yet.
StatusOr<FoundBatch> FindBatch(base::FileSystem& files, const std::string& topic_folder, const TopicMetadata& topic,
                               std::int32_t partition, std::int64_t offset);

/// Which time of a batch is looked at.
enum class TimeOf : std::uint8_t { kEvent, kPublish };

/// The first offset of the first batch, below `end`, that has a record at or after `time`; `end` when there is none.
StatusOr<std::int64_t> FindTime(base::FileSystem& files, const std::string& topic_folder, const TopicMetadata& topic,
                                std::int32_t partition, Timestamp time, TimeOf which, std::int64_t end);

}  // namespace millrace::log
