#include "log/segment_reader.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <span>
#include <utility>

#include "base/status_macros.h"

namespace millrace::log {

namespace {

constexpr std::size_t kBlockBytes = std::size_t{1} << 20;

std::span<std::byte> BytesAt(char* at, std::size_t size) { return std::as_writable_bytes(std::span(at, size)); }

}  // namespace

Status DamagedSegment(const std::string& path, std::uint64_t position, std::string_view problem) {
  return DataLossError(path + ", position " + std::to_string(position) + ": " + std::string(problem));
}

StatusOr<SegmentReader> SegmentReader::Open(base::FileSystem& files, const std::string& topic_folder,
                                            const TopicMetadata& topic, std::int32_t partition,
                                            std::int64_t first_offset) {
  const std::string path = PartitionFolder(topic_folder, partition) + "/" + SegmentName(first_offset);
  MILLRACE_ASSIGN_OR_RETURN(std::unique_ptr<base::File> file, files.Open(path, base::OpenMode::kRead));
  SegmentReader reader(std::move(file), path);
  char bytes[kSegmentHeaderBytes];
  MILLRACE_ASSIGN_OR_RETURN(const std::size_t count, reader.file_->ReadAt(0, BytesAt(bytes, sizeof(bytes))));
  const std::optional<SegmentHeader> header = DecodeSegmentHeader({bytes, count});
  if (!header) return DamagedSegment(path, 0, "there is no whole header of a segment");
  if (header->topic_id != topic.id || header->partition != partition || header->first_offset != first_offset) {
    return DamagedSegment(path, 0, "the header is that of another segment; was a file copied or renamed?");
  }
  reader.header_ = *header;
  reader.seed_ = SegmentSeed(topic.id, partition, first_offset);
  return reader;
}

StatusOr<BatchFound> SegmentReader::ReadBatch(std::uint64_t position, std::int64_t offset, BatchView* view) {
  MILLRACE_ASSIGN_OR_RETURN(const bool has_header, Fill(position, kBatchHeaderBytes));
  if (!has_header) {
    if (buffer_position_ + buffer_.size() <= position) return BatchFound::kEnd;
    return Damaged("the file ends in the header of a batch");
  }
  const std::optional<BatchHeader> header = DecodeBatchHeader(buffer_.data() + (position - buffer_position_));
  if (!header) return Damaged("there is no header of a batch");
  MILLRACE_ASSIGN_OR_RETURN(const bool whole, Fill(position, header->total_bytes()));
  if (!whole) return Damaged("the file ends in a batch");
  const char* const batch = buffer_.data() + (position - buffer_position_);
  if (!BatchIsWhole(*header, seed_, position, batch)) return Damaged("the checksum of the batch is wrong");
  if (header->first_offset != offset) {
    return Damaged("the batch has offset " + std::to_string(header->first_offset) + ", expected was " +
                   std::to_string(offset));
  }
  view->header = *header;
  view->body = {batch + kBatchHeaderBytes, header->body_bytes};
  view->position = position;
  view->end_position = position + header->total_bytes();
  return BatchFound::kBatch;
}

BatchFound SegmentReader::Damaged(std::string problem) {
  problem_ = std::move(problem);
  return BatchFound::kDamaged;
}

// Makes [position, position + bytes) the buffer's, or as much of it as the file has; then it is false.
StatusOr<bool> SegmentReader::Fill(std::uint64_t position, std::size_t bytes) {
  const std::uint64_t buffer_end = buffer_position_ + buffer_.size();
  if (position >= buffer_position_ && position + bytes <= buffer_end) return true;
  std::size_t kept = 0;
  if (position >= buffer_position_ && position < buffer_end) {
    kept = static_cast<std::size_t>(buffer_end - position);
    std::memmove(buffer_.data(), buffer_.data() + (position - buffer_position_), kept);
  }
  buffer_.Clear();
  buffer_.Advance(kept);
  buffer_position_ = position;
  std::size_t wanted = std::max(bytes, kBlockBytes);
  if (bytes > kBlockBytes) {  // do not believe a number that may be damaged
    MILLRACE_ASSIGN_OR_RETURN(const std::uint64_t size, file_->Size());
    if (size < position + bytes) wanted = kBlockBytes;
  }
  if (wanted <= kept) return false;
  char* const at = buffer_.Reserve(wanted - kept);
  MILLRACE_ASSIGN_OR_RETURN(const std::size_t count, file_->ReadAt(position + kept, BytesAt(at, wanted - kept)));
  buffer_.Advance(count);
  return buffer_.size() >= bytes;
}

StatusOr<bool> SegmentReader::WasSynced(std::uint64_t position) {
  MILLRACE_ASSIGN_OR_RETURN(const std::uint64_t size, file_->Size());
  for (std::uint64_t at = position + 1; at + kBatchHeaderBytes <= size;) {
    MILLRACE_ASSIGN_OR_RETURN(const bool filled, Fill(at, kBatchHeaderBytes));
    if (!filled) break;
    const std::string_view bytes = buffer_.view().substr(static_cast<std::size_t>(at - buffer_position_));
    const std::size_t found = bytes.find("MRB1", 8);
    if (found == std::string_view::npos) {
      at += bytes.size() - kBatchHeaderBytes + 1;
      continue;
    }
    at += found - 8;
    MILLRACE_ASSIGN_OR_RETURN(const bool has_header, Fill(at, kBatchHeaderBytes));
    if (!has_header) break;
    const std::optional<BatchHeader> header = DecodeBatchHeader(buffer_.data() + (at - buffer_position_));
    if (header && header->synced_position > position && at + header->total_bytes() <= size) {
      MILLRACE_ASSIGN_OR_RETURN(const bool whole, Fill(at, header->total_bytes()));
      if (whole && BatchIsWhole(*header, seed_, at, buffer_.data() + (at - buffer_position_))) return true;
    }
    ++at;
  }
  return false;
}

}  // namespace millrace::log
