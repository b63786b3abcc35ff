#include "log/segment_index.h"

#include <algorithm>
#include <span>
#include <utility>

#include "base/status_macros.h"
#include "log/byte_buffer.h"

namespace millrace::log {

namespace {

constexpr std::string_view kIndexMagic = "MRINDEX1";
constexpr std::size_t kIndexHeaderBytes = 32;
constexpr std::size_t kIndexEntryBytes = 48;
constexpr std::uint64_t kEveryBytes = std::uint64_t{256} << 10;
constexpr std::uint64_t kFileBytesMax = kIndexHeaderBytes + kIndexEntryBytes * (2 * kSegmentBytesMax / kEveryBytes);

std::string IndexPath(const std::string& topic_folder, std::int32_t partition, std::int64_t first_offset) {
  return PartitionFolder(topic_folder, partition) + "/" + IndexName(first_offset);
}

std::string HeaderOf(const TopicMetadata& topic, std::int64_t first_offset) {
  ByteBuffer bytes;
  bytes.Append(kIndexMagic);
  bytes.AppendNumber(topic.id);
  bytes.AppendNumber(first_offset);
  bytes.AppendNumber(Checksum(bytes.view(), 0));
  return std::string(bytes.view());
}

}  // namespace

void IndexBuilder::Add(const BatchHeader& header, std::uint64_t position, std::vector<IndexEntry>* entries) {
  if (position >= last_position_ + kEveryBytes) {
    entries->push_back({.offset = header.first_offset,
                        .position = position,
                        .publish_time = header.publish_time,
                        .greatest_event_time = greatest_event_time_,
                        .watermark = watermark_});
    last_position_ = position;
  }
  publish_time_ = header.publish_time;
  if (header.kind == BatchKind::kControl) {
    watermark_ = std::max(watermark_, header.greatest_event_time);
  } else {
    greatest_event_time_ = std::max(greatest_event_time_, header.greatest_event_time);
  }
}

StatusOr<std::vector<IndexEntry>> ReadIndex(base::FileSystem& files, const std::string& topic_folder,
                                            const TopicMetadata& topic, std::int32_t partition,
                                            std::int64_t first_offset, bool* whole) {
  std::vector<IndexEntry> entries;
  if (whole != nullptr) *whole = false;
  StatusOr<std::string> content =
      base::ReadFile(files, IndexPath(topic_folder, partition, first_offset), kFileBytesMax);
  if (!content.ok()) {
    const StatusCode code = content.status().code();
    if (code == StatusCode::kNotFound || code == StatusCode::kDataLoss) return entries;
    return content.status();
  }
  if (!content->starts_with(HeaderOf(topic, first_offset))) return entries;
  std::size_t at = kIndexHeaderBytes;
  for (; at + kIndexEntryBytes <= content->size(); at += kIndexEntryBytes) {
    const char* bytes = content->data() + at;
    const auto position = Load<std::uint64_t>(bytes + 8);
    if (Load<std::uint64_t>(bytes + 40) != Checksum({bytes, 40}, position)) break;
    IndexEntry entry{.offset = Load<std::int64_t>(bytes),
                     .position = position,
                     .publish_time = Timestamp::FromMicros(Load<std::int64_t>(bytes + 16)),
                     .greatest_event_time = Timestamp::FromMicros(Load<std::int64_t>(bytes + 24)),
                     .watermark = Timestamp::FromMicros(Load<std::int64_t>(bytes + 32))};
    const bool rises = entries.empty() ? entry.offset >= first_offset && position >= kSegmentHeaderBytes
                                       : entry.offset > entries.back().offset && position > entries.back().position;
    if (!rises || position >= kSegmentBytesMax) break;
    entries.push_back(entry);
  }
  if (whole != nullptr) *whole = at == content->size();
  return entries;
}

StatusOr<IndexEntry> BeginAt(SegmentReader& reader, const std::vector<IndexEntry>& entries, std::size_t count) {
  const IndexEntry first{.offset = reader.header().first_offset, .position = kSegmentHeaderBytes, .publish_time = {}};
  if (count == 0) return first;
  const IndexEntry& last = entries[count - 1];
  BatchView view;
  MILLRACE_ASSIGN_OR_RETURN(const BatchFound found, reader.ReadBatch(last.position, last.offset, &view));
  return found == BatchFound::kBatch && view.header.publish_time == last.publish_time ? last : first;
}

StatusOr<IndexWriter> IndexWriter::Create(base::FileSystem& files, const std::string& topic_folder,
                                          const TopicMetadata& topic, std::int32_t partition,
                                          std::int64_t first_offset) {
  MILLRACE_ASSIGN_OR_RETURN(std::unique_ptr<base::File> file,
                            files.Open(IndexPath(topic_folder, partition, first_offset), base::OpenMode::kReadWrite));
  MILLRACE_RETURN_IF_ERROR(file->Truncate(0));
  const std::string header = HeaderOf(topic, first_offset);
  MILLRACE_RETURN_IF_ERROR(file->WriteAt(0, std::as_bytes(std::span(header))));
  IndexWriter writer(std::move(file));
  writer.position_ = kIndexHeaderBytes;
  return writer;
}

Status IndexWriter::Append(const std::vector<IndexEntry>& entries) {
  if (entries.empty()) return OkStatus();
  ByteBuffer bytes;
  for (const IndexEntry& entry : entries) {
    bytes.AppendNumber(entry.offset);
    bytes.AppendNumber(entry.position);
    bytes.AppendNumber(entry.publish_time.micros());
    bytes.AppendNumber(entry.greatest_event_time.micros());
    bytes.AppendNumber(entry.watermark.micros());
    bytes.AppendNumber(Checksum(bytes.view().substr(bytes.size() - 40), entry.position));
  }
  MILLRACE_RETURN_IF_ERROR(file_->WriteAt(position_, std::as_bytes(std::span(bytes.data(), bytes.size()))));
  position_ += bytes.size();
  return OkStatus();
}

Status RebuildIndex(base::FileSystem& files, const std::string& topic_folder, const TopicMetadata& topic,
                    std::int32_t partition, std::int64_t first_offset) {
  MILLRACE_ASSIGN_OR_RETURN(SegmentReader reader,
                            SegmentReader::Open(files, topic_folder, topic, partition, first_offset));
  IndexBuilder builder(reader.header());
  std::vector<IndexEntry> entries;
  BatchView view;
  view.end_position = kSegmentHeaderBytes;
  view.header.first_offset = first_offset;
  while (true) {
    MILLRACE_ASSIGN_OR_RETURN(const BatchFound found,
                              reader.ReadBatch(view.end_position, view.header.end_offset(), &view));
    if (found != BatchFound::kBatch) break;
    builder.Add(view.header, view.position, &entries);
  }
  MILLRACE_ASSIGN_OR_RETURN(IndexWriter writer,
                            IndexWriter::Create(files, topic_folder, topic, partition, first_offset));
  return writer.Append(entries);
}

}  // namespace millrace::log
