#include "log/partition_files.h"

#include <utility>

#include "base/status_macros.h"

namespace millrace::log {

namespace {

std::span<const std::byte> BytesOf(const char* at, std::size_t size) { return std::as_bytes(std::span(at, size)); }

}  // namespace

std::string PartitionFiles::PathOf(const std::string& name) const {
  return PartitionFolder(topic_folder_, partition_) + "/" + name;
}

void PartitionFiles::Take(std::deque<SegmentInfo> segments, std::unique_ptr<base::File> last, const Tail& tail) {
  segments_ = std::move(segments);
  last_ = std::move(last);
  index_.reset();  // readers have what recovery wrote; entries go on with the next segment
  written_ = synced_ = tail;
  broken_ = false;
}

Status PartitionFiles::Write(std::span<const Chunk> chunks, const Tail& tail_after) {
  const std::size_t segments_before = segments_.size();
  Status status = WriteChunks(chunks);
  if (status.ok()) {
    written_ = tail_after;
    before_.reset();
    return OkStatus();
  }
  CutBack(segments_before, std::move(before_));
  return status;
}

Status PartitionFiles::WriteChunks(std::span<const Chunk> chunks) {
  for (const Chunk& chunk : chunks) {
    if (chunk.new_segment) MILLRACE_RETURN_IF_ERROR(BeginSegment(*chunk.new_segment));
    MILLRACE_RETURN_IF_ERROR(last_->WriteAt(chunk.position, BytesOf(chunk.bytes.data(), chunk.bytes.size())));
    segments_.back().bytes = chunk.position + chunk.bytes.size();
    WriteIndex(chunk);
  }
  return OkStatus();
}

Status PartitionFiles::BeginSegment(const SegmentHeader& header) {
  const bool sync = policy_ != SyncPolicy::kOs;
  if (sync && last_ != nullptr) {
    if (Status synced = last_->Sync(); !synced.ok()) {
      broken_ = true;
      return synced;
    }
  }
  const std::string path = PathOf(SegmentName(header.first_offset));
  StatusOr<std::unique_ptr<base::File>> file = files_.Open(path, base::OpenMode::kCreate);
  if (!file.ok()) {
    if (file.status().code() == StatusCode::kAlreadyExists) broken_ = true;  // recovery knows what to do with it
    return file.status();
  }
  if (before_ == nullptr) before_ = std::move(last_);
  last_ = *std::move(file);
  segments_.push_back({.first_offset = header.first_offset, .created_at = header.created_at, .bytes = 0});
  char bytes[kSegmentHeaderBytes];
  EncodeSegmentHeader(header, bytes);
  MILLRACE_RETURN_IF_ERROR(last_->WriteAt(0, BytesOf(bytes, sizeof(bytes))));
  segments_.back().bytes = kSegmentHeaderBytes;
  if (sync) {
    MILLRACE_RETURN_IF_ERROR(last_->Sync());
    MILLRACE_RETURN_IF_ERROR(files_.SyncFolder(PartitionFolder(topic_folder_, partition_)));
  }
  StatusOr<IndexWriter> index = IndexWriter::Create(files_, topic_folder_, topic_, partition_, header.first_offset);
  index_.reset();
  if (index.ok()) index_ = *std::move(index);  // without one, reading takes longer
  return OkStatus();
}

// Undoes a write that failed in the middle: the log ends where it did before.
void PartitionFiles::CutBack(std::size_t segments_before, std::unique_ptr<base::File> file_before) {
  const bool began = segments_.size() > segments_before;
  if (began) {
    last_ = std::move(file_before);
    index_.reset();
  }
  while (segments_.size() > segments_before && !broken_) {
    const std::int64_t first_offset = segments_.back().first_offset;
    if (!files_.Remove(PathOf(SegmentName(first_offset))).ok()) {
      broken_ = true;
      return;
    }
    static_cast<void>(files_.Remove(PathOf(IndexName(first_offset))));  // recovery removes what is left of it
    segments_.pop_back();
  }
  // A removed segment must not come back after a crash, when the one before has grown over its offsets.
  if (began && !broken_) broken_ = !files_.SyncFolder(PartitionFolder(topic_folder_, partition_)).ok();
  if (broken_ || last_ == nullptr) return;
  if (!last_->Truncate(written_.position).ok()) {
    broken_ = true;
    return;
  }
  segments_.back().bytes = written_.position;
}

Status PartitionFiles::Sync() {
  if (!needs_sync()) return OkStatus();
  if (Status status = last_->Sync(); !status.ok()) {
    broken_ = true;
    return status;
  }
  if (policy_ == SyncPolicy::kOs) {  // segments were begun without a sync
    for (const SegmentInfo& segment : segments_) {
      if (segment.first_offset < synced_.segment_first || segment.first_offset == written_.segment_first) continue;
      MILLRACE_ASSIGN_OR_RETURN(const std::unique_ptr<base::File> file,
                                files_.Open(PathOf(SegmentName(segment.first_offset)), base::OpenMode::kReadWrite));
      if (Status status = file->Sync(); !status.ok()) {
        broken_ = true;
        return status;
      }
    }
    MILLRACE_RETURN_IF_ERROR(files_.SyncFolder(PartitionFolder(topic_folder_, partition_)));
  }
  synced_ = written_;
  return OkStatus();
}

void PartitionFiles::WriteIndex(const Chunk& chunk) {
  if (!index_) return;
  if (!index_->Append(chunk.index).ok()) index_.reset();
}

Status PartitionFiles::RemoveOldest() {
  const std::int64_t first_offset = segments_.front().first_offset;
  MILLRACE_RETURN_IF_ERROR(files_.Remove(PathOf(SegmentName(first_offset))));
  segments_.pop_front();
  static_cast<void>(files_.Remove(PathOf(IndexName(first_offset))));  // the next start removes what is left of it
  return files_.SyncFolder(PartitionFolder(topic_folder_, partition_));
}

}  // namespace millrace::log
