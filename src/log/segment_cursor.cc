// Reads a partition batch after batch, segment after segment, up to the published end.
#include <algorithm>
#include <utility>

#include "base/status_macros.h"
#include "log/topic_files.h"
#include "log/topic_reader.h"

namespace millrace::log {

StatusOr<Found> SegmentCursor::Next(RecordView* view) {
  while (records_.left() == 0) {
    MILLRACE_ASSIGN_OR_RETURN(const bool found, NextBatch());
    if (!found) return Found::kEnd;
    if (batch_.header.kind != BatchKind::kControl) continue;
    *view = {};
    view->partition = partition_;
    view->offset = next_offset_;
    view->publish_time = batch_.header.publish_time;
    view->event_time = batch_.header.greatest_event_time;
    records_ = {};
    ++next_offset_;
    return Found::kControl;
  }
  if (!records_.Next(view)) [[unlikely]] {
    return Damaged();
  }
  view->partition = partition_;
  view->offset = next_offset_++;
  view->publish_time = batch_.header.publish_time;
  return Found::kRecord;
}

// Makes the batch that holds `next_offset_` the current one. False when it is not published.
StatusOr<bool> SegmentCursor::NextBatch() {
  if (next_offset_ >= visible_) {
    MILLRACE_ASSIGN_OR_RETURN(const PartitionEnd end, ends_->Read(partition_));
    if (next_offset_ >= end.visible) return false;
    visible_ = end.visible;
    if (segment_) segment_->DropBuffer();  // what was read behind the old end may have been written anew
  }
  if (!segment_) {
    MILLRACE_ASSIGN_OR_RETURN(FoundBatch found, FindBatch(files_, topic_folder_, *topic_, partition_, next_offset_));
    segment_ = std::move(found.reader);
    position_ = found.position;
    batch_offset_ = found.first_offset;
  }
  MILLRACE_ASSIGN_OR_RETURN(BatchFound found, segment_->ReadBatch(position_, batch_offset_, &batch_));
  if (found == BatchFound::kEnd) {
    MILLRACE_RETURN_IF_ERROR(EnterNextSegment());
    MILLRACE_ASSIGN_OR_RETURN(found, segment_->ReadBatch(position_, batch_offset_, &batch_));
  }
  if (found == BatchFound::kEnd) {
    return DamagedSegment(segment_->path(), position_,
                          "the file ends before offset " + std::to_string(batch_offset_) +
                              ", which has been published; was it cut? Restore it from a copy or the archive");
  }
  if (found == BatchFound::kDamaged) {
    return DamagedSegment(segment_->path(), position_,
                          "offset " + std::to_string(batch_offset_) + ": " + segment_->problem() +
                              "; restore the file from a copy or the archive");
  }
  records_ = RecordParser(batch_.header, batch_.body);
  RecordView skipped;
  for (std::int64_t offset = batch_offset_; offset < next_offset_; ++offset) {
    if (!records_.Next(&skipped)) return Damaged();
  }
  position_ = batch_.end_position;
  batch_offset_ = batch_.header.end_offset();
  return true;
}

// The segment is read, and the log goes on: in the one that begins with the next offset.
Status SegmentCursor::EnterNextSegment() {
  StatusOr<SegmentReader> next = SegmentReader::Open(files_, topic_folder_, *topic_, partition_, batch_offset_);
  if (next.ok()) {
    segment_ = *std::move(next);
    position_ = kSegmentHeaderBytes;
    return OkStatus();
  }
  if (next.status().code() != StatusCode::kNotFound) return next.status();
  const std::string folder = PartitionFolder(topic_folder_, partition_);
  MILLRACE_ASSIGN_OR_RETURN(const std::vector<std::int64_t> segments, ListSegments(files_, folder));
  if (!segments.empty() && segments.front() > batch_offset_) {
    return OutOfRangeError(folder + ": offset " + std::to_string(batch_offset_) +
                           " has been removed by retention; the log begins at " + std::to_string(segments.front()) +
                           ". A hold keeps what is still needed");
  }
  return DamagedSegment(segment_->path(), position_,
                        "the file ends at offset " + std::to_string(batch_offset_) + ", but the log goes on to " +
                            std::to_string(visible_) + "; restore the file from a copy or the archive");
}

// The checksum is right and the records are not: what wrote them was wrong.
Status SegmentCursor::Damaged() const {
  return DamagedSegment(segment_->path(), batch_.position, "the records of the batch are not what its header says");
}

}  // namespace millrace::log
