#include "log/segment_search.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/status_macros.h"
#include "log/segment_index.h"
#include "log/topic_files.h"

namespace millrace::log {

namespace {

constexpr int kTriesMax = 10;  // retention may remove a segment between the list and the opening

// Where a search within a segment begins.
struct Place {
  std::uint64_t position = kSegmentHeaderBytes;
  std::int64_t offset = 0;
};

Status RemovedError(const std::string& folder, std::int64_t offset, std::int64_t start) {
  return OutOfRangeError(folder + ": offset " + std::to_string(offset) +
                         " has been removed by retention; the log begins at " + std::to_string(start) +
                         ". A hold keeps what is still needed");
}

// Goes from `place` to the batch that holds `offset`. False: the segment ends before it.
StatusOr<bool> Advance(SegmentReader& reader, std::int64_t offset, Place* place) {
  while (place->offset < offset) {
    BatchView view;
    MILLRACE_ASSIGN_OR_RETURN(const BatchFound found, reader.ReadBatch(place->position, place->offset, &view));
    if (found == BatchFound::kEnd) return false;
    if (found == BatchFound::kDamaged) return DamagedSegment(reader.path(), place->position, reader.problem());
    if (view.header.end_offset() > offset) break;
    *place = {.position = view.end_position, .offset = view.header.end_offset()};
  }
  return true;
}

StatusOr<FoundBatch> FindInSegment(base::FileSystem& files, const std::string& topic_folder, const TopicMetadata& topic,
                                   std::int32_t partition, std::int64_t first_offset, std::int64_t offset) {
  MILLRACE_ASSIGN_OR_RETURN(SegmentReader reader,
                            SegmentReader::Open(files, topic_folder, topic, partition, first_offset));
  MILLRACE_ASSIGN_OR_RETURN(const std::vector<IndexEntry> index,
                            ReadIndex(files, topic_folder, topic, partition, first_offset, nullptr));
  const auto behind =
      std::find_if(index.begin(), index.end(), [&](const IndexEntry& entry) { return entry.offset > offset; });
  MILLRACE_ASSIGN_OR_RETURN(const IndexEntry begin,
                            BeginAt(reader, index, static_cast<std::size_t>(behind - index.begin())));
  Place place{.position = begin.position, .offset = begin.offset};
  StatusOr<bool> found = Advance(reader, offset, &place);
  if (place.position != kSegmentHeaderBytes && (!found.ok() || !*found)) {  // perhaps the index is wrong
    place = {.offset = first_offset};
    found = Advance(reader, offset, &place);
  }
  if (!found.ok()) return found.status();
  if (!*found) {
    return OutOfRangeError(reader.path() + ": offset " + std::to_string(offset) + " is beyond the end, " +
                           std::to_string(place.offset));
  }
  return FoundBatch{.reader = std::move(reader), .position = place.position, .first_offset = place.offset};
}

}  // namespace

StatusOr<FoundBatch> FindBatch(base::FileSystem& files, const std::string& topic_folder, const TopicMetadata& topic,
                               std::int32_t partition, std::int64_t offset) {
  const std::string folder = PartitionFolder(topic_folder, partition);
  Status last;
  for (int i = 0; i < kTriesMax; ++i) {
    MILLRACE_ASSIGN_OR_RETURN(const std::vector<std::int64_t> segments, ListSegments(files, folder));
    if (segments.empty()) return NotFoundError(folder + " has no segment yet");
    if (offset < segments.front()) return RemovedError(folder, offset, segments.front());
    const std::int64_t first_offset = *std::prev(std::upper_bound(segments.begin(), segments.end(), offset));
    StatusOr<FoundBatch> found = FindInSegment(files, topic_folder, topic, partition, first_offset, offset);
    if (found.ok() || found.status().code() != StatusCode::kNotFound) return found;
    last = found.status();
  }
  return last;
}

namespace {

// The first batch of a segment that is late enough, or `end` when there is none.
StatusOr<std::int64_t> FindTimeInSegment(base::FileSystem& files, const std::string& topic_folder,
                                         const TopicMetadata& topic, std::int32_t partition, std::int64_t first_offset,
                                         Timestamp time, TimeOf which, std::int64_t end) {
  MILLRACE_ASSIGN_OR_RETURN(SegmentReader reader,
                            SegmentReader::Open(files, topic_folder, topic, partition, first_offset));
  MILLRACE_ASSIGN_OR_RETURN(const std::vector<IndexEntry> index,
                            ReadIndex(files, topic_folder, topic, partition, first_offset, nullptr));
  // Begin where all before is known to be too early.
  const auto behind = std::find_if(index.begin(), index.end(), [&](const IndexEntry& entry) {
    return (which == TimeOf::kEvent ? entry.greatest_event_time : entry.publish_time) >= time;
  });
  MILLRACE_ASSIGN_OR_RETURN(const IndexEntry begin,
                            BeginAt(reader, index, static_cast<std::size_t>(behind - index.begin())));
  Place place{.position = begin.position, .offset = begin.offset};
  while (place.offset < end) {
    BatchView view;
    MILLRACE_ASSIGN_OR_RETURN(const BatchFound found, reader.ReadBatch(place.position, place.offset, &view));
    if (found == BatchFound::kEnd) break;
    if (found == BatchFound::kDamaged) return DamagedSegment(reader.path(), place.position, reader.problem());
    const bool late_enough = which == TimeOf::kPublish
                                 ? view.header.publish_time >= time
                                 : view.header.kind == BatchKind::kRecords && view.header.greatest_event_time >= time;
    if (late_enough) return place.offset;
    place = {.position = view.end_position, .offset = view.header.end_offset()};
  }
  return end;
}

}  // namespace

StatusOr<std::int64_t> FindTime(base::FileSystem& files, const std::string& topic_folder, const TopicMetadata& topic,
                                std::int32_t partition, Timestamp time, TimeOf which, std::int64_t end) {
  const std::string folder = PartitionFolder(topic_folder, partition);
  MILLRACE_ASSIGN_OR_RETURN(const std::vector<std::int64_t> segments, ListSegments(files, folder));
  std::size_t first = 0;
  if (which == TimeOf::kPublish) {  // no record of a segment was published after the next one was made
    for (std::size_t i = 1; i < segments.size(); ++i) {
      const StatusOr<SegmentReader> next = SegmentReader::Open(files, topic_folder, topic, partition, segments[i]);
      if (!next.ok() || next->header().created_at >= time) break;
      first = i;
    }
  }
  for (std::size_t i = first; i < segments.size() && segments[i] < end; ++i) {
    StatusOr<std::int64_t> found =
        FindTimeInSegment(files, topic_folder, topic, partition, segments[i], time, which, end);
    if (!found.ok() && found.status().code() == StatusCode::kNotFound) continue;  // removed since the list was made
    if (!found.ok() || *found < end) return found;
  }
  return end;
}

}  // namespace millrace::log
