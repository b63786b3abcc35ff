#include "pubsub/record_feed.h"

#include <algorithm>
#include <utility>

#include "base/status_macros.h"

namespace millrace::pubsub {

namespace {

// Rather read so many records than find the place again.
constexpr std::int64_t kReadOnRecordsMax = 2'000;

}  // namespace

RecordFeed::RecordFeed(std::shared_ptr<const log::LogReader> reader, const log::Cut& next)
    : reader_(std::move(reader)), parts_(next.size()) {
  for (std::size_t p = 0; p < next.size(); ++p) parts_[p].next = next[p];
}

StatusOr<std::int64_t> RecordFeed::End(std::int32_t partition) const {
  MILLRACE_ASSIGN_OR_RETURN(const log::Cut end, reader_->End());
  return end[static_cast<std::size_t>(partition)];
}

// False when there is nothing to read yet.
StatusOr<bool> RecordFeed::OpenFresh(std::int32_t partition) {
  Part& part = Of(partition);
  MILLRACE_ASSIGN_OR_RETURN(const log::PartitionRange range, reader_->Range(partition));
  part.next = std::max(part.next, range.start);
  if (part.next >= range.end) return false;
  MILLRACE_ASSIGN_OR_RETURN(part.fresh, reader_->Read(partition, part.next));
  return true;
}

StatusOr<log::Found> RecordFeed::Next(std::int32_t partition, log::RecordView* view) {
  Part& part = Of(partition);
  if (part.put_back) {
    *view = *std::exchange(part.put_back, std::nullopt);
    ++part.next;
    return log::Found::kRecord;
  }
  for (bool is_retry = false;; is_retry = true) {
    if (part.fresh == nullptr) {
      MILLRACE_ASSIGN_OR_RETURN(const bool opened, OpenFresh(partition));
      if (!opened) return log::Found::kEnd;
    }
    StatusOr<log::Found> found = part.fresh->Next(view);
    if (found.ok()) {
      part.next = part.fresh->next_offset();
      return found;
    }
    part.fresh.reset();
    if (is_retry || found.status().code() != StatusCode::kOutOfRange) return found;
  }
}

void RecordFeed::PutBack(const log::RecordView& view) {
  Part& part = Of(view.partition);
  part.put_back = view;
  part.next = view.offset;
}

void RecordFeed::SetNext(std::int32_t partition, std::int64_t offset) {
  Part& part = Of(partition);
  if (offset == part.next) return;
  if (std::exchange(part.put_back, std::nullopt)) ++part.next;
  log::RecordView skipped;
  if (part.fresh != nullptr && offset >= part.next && offset - part.next <= kReadOnRecordsMax) {
    while (part.next < offset) {
      const StatusOr<log::Found> found = part.fresh->Next(&skipped);
      if (!found.ok() || *found == log::Found::kEnd) break;
      part.next = part.fresh->next_offset();
    }
  }
  if (part.next == offset) return;
  part.next = offset;
  part.fresh.reset();
}

Status RecordFeed::ReadAt(std::int32_t partition, std::int64_t offset, log::RecordView* view) {
  Part& part = Of(partition);
  const bool is_near = part.again != nullptr && offset >= part.again->next_offset() &&
                       offset - part.again->next_offset() <= kReadOnRecordsMax;
  if (!is_near) {
    MILLRACE_ASSIGN_OR_RETURN(part.again, reader_->Read(partition, offset));
  }
  while (part.again->next_offset() <= offset) {
    const StatusOr<log::Found> found = part.again->Next(view);
    if (found.ok() && *found != log::Found::kEnd) continue;
    part.again.reset();
    return found.ok() ? OutOfRangeError("offset " + std::to_string(offset) + " is not published") : found.status();
  }
  return OkStatus();
}

void RecordFeed::DropCursors() {
  for (Part& part : parts_) {
    part.put_back.reset();
    part.fresh.reset();
    part.again.reset();
  }
}

}  // namespace millrace::pubsub
