#include "log/recovery.h"

#include <algorithm>
#include <span>
#include <utility>

#include "base/status_macros.h"
#include "log/segment_reader.h"
#include "log/topic_files.h"

namespace millrace::log {

namespace {

constexpr std::size_t kCopyBytes = std::size_t{1} << 20;

// Where the scan of the last segments has come to.
struct Scan {
  Tail tail;                                   // behind the last whole batch
  std::uint64_t unsynced_position = 0;         // in the tail's segment: nothing before it needs to be synced
  std::optional<std::string> tear;             // what is wrong at the tail
  std::optional<std::int64_t> torn_header_of;  // the tear is the header of that segment
};

class PartitionRecovery {
 public:
  PartitionRecovery(base::FileSystem& files, const std::string& topic_folder, const TopicMetadata& topic,
                    std::int32_t partition, const std::optional<PartitionEnd>& end, const Report& report)
      : files_(files),
        topic_folder_(topic_folder),
        topic_(topic),
        partition_(partition),
        folder_(PartitionFolder(topic_folder, partition)),
        synced_(end ? end->synced : 0),
        report_(report) {}

  StatusOr<RecoveredPartition> Run() {
    MILLRACE_RETURN_IF_ERROR(files_.CreateFolders(folder_));
    MILLRACE_RETURN_IF_ERROR(files_.SyncFolder(topic_folder_));
    MILLRACE_ASSIGN_OR_RETURN(segments_, ListSegments(files_, folder_));
    MILLRACE_RETURN_IF_ERROR(ScanLastSegments());
    if (EndOffset() < synced_) {
      return DataLossError(folder_ + ": the log ends at offset " + std::to_string(EndOffset()) + ", but offset " +
                           std::to_string(synced_ - 1) + " was synced; was a file cut or removed?" +
                           (scan_.tear ? " " + *scan_.tear : ""));
    }
    MILLRACE_RETURN_IF_ERROR(CutTear());
    RecoveredPartition result;
    result.tail = scan_.tail;
    MILLRACE_RETURN_IF_ERROR(SyncAll(&result));
    MILLRACE_RETURN_IF_ERROR(RenewIndexes());
    MILLRACE_RETURN_IF_ERROR(ListInfo(&result));
    return result;
  }

 private:
  // Without a whole segment there is nothing, whatever the first one was called.
  std::int64_t EndOffset() const { return scan_.tail.segment_first < 0 ? 0 : scan_.tail.next_offset; }

  std::string PathOf(std::int64_t first_offset) const { return folder_ + "/" + SegmentName(first_offset); }

  StatusOr<std::optional<SegmentHeader>> HeaderOf(std::int64_t first_offset) const {
    const StatusOr<SegmentReader> reader = SegmentReader::Open(files_, topic_folder_, topic_, partition_, first_offset);
    if (reader.ok()) return std::optional(reader->header());
    if (reader.status().code() == StatusCode::kDataLoss) return std::optional<SegmentHeader>();
    return reader.status();
  }

  // The first segment that may hold something that is not synced.
  StatusOr<std::size_t> FirstToScan() const {
    std::size_t first = segments_.size() - 1;
    for (; first > 0; --first) {
      MILLRACE_ASSIGN_OR_RETURN(const std::optional<SegmentHeader> header, HeaderOf(segments_[first]));
      if (header && (header->previous_synced || segments_[first] <= synced_)) break;
    }
    return first;
  }

  Status ScanLastSegments() {
    if (segments_.empty()) return OkStatus();
    MILLRACE_ASSIGN_OR_RETURN(first_scanned_, FirstToScan());
    scan_.tail.next_offset = segments_[first_scanned_];
    for (std::size_t i = first_scanned_; i < segments_.size() && !scan_.tear; ++i) {
      if (segments_[i] != scan_.tail.next_offset) {
        return Tear(std::nullopt, scan_.tail.position, "the next segment begins with another offset", false);
      }
      MILLRACE_RETURN_IF_ERROR(ScanSegment(i));
    }
    return OkStatus();
  }

  Status ScanSegment(std::size_t index) {
    const std::int64_t first_offset = segments_[index];
    StatusOr<SegmentReader> reader = SegmentReader::Open(files_, topic_folder_, topic_, partition_, first_offset);
    if (!reader.ok()) {
      if (reader.status().code() != StatusCode::kDataLoss) return reader.status();
      return Tear(first_offset, 0, reader.status().message(), false);
    }
    scan_.tail.segment_first = first_offset;
    scan_.tail.segment_created = reader->header().created_at;
    scan_.tail.last_publish = std::max(scan_.tail.last_publish, reader->header().created_at);
    scan_.tail.index = IndexBuilder(reader->header());
    scan_.tail.position = kSegmentHeaderBytes;
    scan_.unsynced_position = first_offset < synced_ ? kSegmentHeaderBytes : 0;
    index_entries_.clear();
    while (true) {
      BatchView view;
      MILLRACE_ASSIGN_OR_RETURN(const BatchFound found,
                                reader->ReadBatch(scan_.tail.position, scan_.tail.next_offset, &view));
      if (found == BatchFound::kEnd) return OkStatus();
      if (found == BatchFound::kDamaged) {
        MILLRACE_ASSIGN_OR_RETURN(const bool was_synced, reader->WasSynced(scan_.tail.position));
        return Tear(std::nullopt, scan_.tail.position, reader->problem(), was_synced);
      }
      scan_.tail.index.Add(view.header, view.position, &index_entries_);
      scan_.tail.last_publish = view.header.publish_time;
      scan_.tail.next_offset = view.header.end_offset();
      scan_.tail.position = view.end_position;
      if (scan_.tail.next_offset <= synced_) scan_.unsynced_position = view.end_position;
    }
  }

  // At the tail something is wrong. It is a tear unless it is known to have been synced.
  Status Tear(std::optional<std::int64_t> header_of, std::uint64_t position, const std::string& problem,
              bool was_synced) {
    const std::string path = PathOf(header_of.value_or(scan_.tail.segment_first));
    if (was_synced || scan_.tail.next_offset < synced_) {
      return DamagedSegment(path, position,
                            "offset " + std::to_string(scan_.tail.next_offset) + ": " + problem +
                                "; this was synced, so it is damage and no torn end; nothing is changed. Restore "
                                "the file from a copy or the archive");
    }
    scan_.tear = problem;
    scan_.torn_header_of = header_of;
    return OkStatus();
  }

  // Removes everything behind the tail.
  Status CutTear() {
    if (!scan_.tear) return OkStatus();
    const bool keeps_segment = scan_.tail.segment_first >= 0;
    while (!segments_.empty() && (!keeps_segment || segments_.back() != scan_.tail.segment_first)) {
      MILLRACE_RETURN_IF_ERROR(RemoveSegment(segments_.back()));
      segments_.pop_back();
    }
    if (!keeps_segment) {
      scan_.tail = {};
      return OkStatus();
    }
    const std::string path = PathOf(scan_.tail.segment_first);
    MILLRACE_ASSIGN_OR_RETURN(const std::unique_ptr<base::File> file, files_.Open(path, base::OpenMode::kReadWrite));
    MILLRACE_ASSIGN_OR_RETURN(const std::uint64_t size, file->Size());
    if (size == scan_.tail.position) return OkStatus();
    MILLRACE_RETURN_IF_ERROR(file->Truncate(scan_.tail.position));
    report_(path + ": cut off a torn end of " + std::to_string(size - scan_.tail.position) + " bytes at position " +
            std::to_string(scan_.tail.position) + ", offset " + std::to_string(scan_.tail.next_offset) + " (" +
            *scan_.tear + "); it was not synced");
    return OkStatus();
  }

  Status RemoveSegment(std::int64_t first_offset) {
    const std::string path = PathOf(first_offset);
    MILLRACE_ASSIGN_OR_RETURN(const std::unique_ptr<base::File> file, files_.Open(path, base::OpenMode::kRead));
    MILLRACE_ASSIGN_OR_RETURN(const std::uint64_t size, file->Size());
    MILLRACE_RETURN_IF_ERROR(files_.Remove(path));
    report_(path + ": removed the segment of " + std::to_string(size) + " bytes, offsets from " +
            std::to_string(first_offset) + " on, behind a torn end (" + *scan_.tear + "); it was not synced");
    return OkStatus();
  }

  // After this everything that is left is on the device.
  Status SyncAll(RecoveredPartition* result) {
    for (std::size_t i = first_scanned_; i < segments_.size(); ++i) {
      MILLRACE_ASSIGN_OR_RETURN(std::unique_ptr<base::File> file,
                                files_.Open(PathOf(segments_[i]), base::OpenMode::kReadWrite));
      const bool last = i + 1 == segments_.size();
      if (last) MILLRACE_RETURN_IF_ERROR(WriteAgain(*file));
      MILLRACE_RETURN_IF_ERROR(file->Sync());
      if (last) result->last = std::move(file);
    }
    return files_.SyncFolder(folder_);
  }

  // After a failed sync the system may believe that bytes are on the device which are not: they must be written again.
  Status WriteAgain(base::File& file) const {
    const std::uint64_t from = std::min(scan_.unsynced_position, scan_.tail.position);
    std::vector<std::byte> bytes(std::min<std::uint64_t>(kCopyBytes, scan_.tail.position - from));
    for (std::uint64_t at = from; at < scan_.tail.position;) {
      const std::size_t wanted = std::min<std::uint64_t>(bytes.size(), scan_.tail.position - at);
      MILLRACE_ASSIGN_OR_RETURN(const std::size_t count, file.ReadAt(at, std::span(bytes).first(wanted)));
      if (count != wanted) return DamagedSegment(PathOf(scan_.tail.segment_first), at, "the file has become shorter");
      MILLRACE_RETURN_IF_ERROR(file.WriteAt(at, std::span(bytes).first(count)));
      at += count;
    }
    return OkStatus();
  }

  // The last segment's index is written anew; so are others that are missing or damaged. Those without a segment go.
  Status RenewIndexes() {
    MILLRACE_ASSIGN_OR_RETURN(const std::vector<std::string> names, files_.List(folder_));
    for (const std::string& name : names) {
      const std::optional<std::int64_t> offset = OffsetOfIndexName(name);
      if (!offset || std::binary_search(segments_.begin(), segments_.end(), *offset)) continue;
      MILLRACE_RETURN_IF_ERROR(files_.Remove(folder_ + "/" + name));
    }
    for (const std::int64_t first_offset : segments_) {
      Status renewed = first_offset == scan_.tail.segment_first ? WriteLastIndex() : RenewIndex(first_offset);
      if (!renewed.ok()) report_("the index of " + PathOf(first_offset) + " is not renewed: " + renewed.message());
    }
    return OkStatus();
  }

  Status WriteLastIndex() {
    MILLRACE_ASSIGN_OR_RETURN(IndexWriter writer,
                              IndexWriter::Create(files_, topic_folder_, topic_, partition_, scan_.tail.segment_first));
    return writer.Append(index_entries_);
  }

  Status RenewIndex(std::int64_t first_offset) {
    bool whole = false;
    MILLRACE_RETURN_IF_ERROR(ReadIndex(files_, topic_folder_, topic_, partition_, first_offset, &whole).status());
    return whole ? OkStatus() : RebuildIndex(files_, topic_folder_, topic_, partition_, first_offset);
  }

  Status ListInfo(RecoveredPartition* result) const {
    for (const std::int64_t first_offset : segments_) {
      SegmentInfo info{.first_offset = first_offset, .created_at = Timestamp::Max(), .bytes = 0};
      MILLRACE_ASSIGN_OR_RETURN(const std::optional<SegmentHeader> header, HeaderOf(first_offset));
      if (header) info.created_at = header->created_at;
      MILLRACE_ASSIGN_OR_RETURN(const std::unique_ptr<base::File> file,
                                files_.Open(PathOf(first_offset), base::OpenMode::kRead));
      MILLRACE_ASSIGN_OR_RETURN(info.bytes, file->Size());
      result->segments.push_back(info);
    }
    return OkStatus();
  }

  base::FileSystem& files_;
  const std::string& topic_folder_;
  const TopicMetadata& topic_;
  const std::int32_t partition_;
  const std::string folder_;
  const std::int64_t synced_;  // the offset after the last one that is known to have been synced
  const Report& report_;
  std::vector<std::int64_t> segments_;
  std::size_t first_scanned_ = 0;
  Scan scan_;
  std::vector<IndexEntry> index_entries_;  // of the tail's segment
};

// Takes the batches of a segment from `from` on into the table.
Status ReplaySegment(base::FileSystem& files, const std::string& topic_folder, const TopicMetadata& topic,
                     std::int32_t partition, std::int64_t first_offset, std::int64_t from, ProducerTable* producers) {
  MILLRACE_ASSIGN_OR_RETURN(SegmentReader reader,
                            SegmentReader::Open(files, topic_folder, topic, partition, first_offset));
  MILLRACE_ASSIGN_OR_RETURN(const std::vector<IndexEntry> index,
                            ReadIndex(files, topic_folder, topic, partition, first_offset, nullptr));
  const auto behind =
      std::find_if(index.begin(), index.end(), [&](const IndexEntry& entry) { return entry.offset > from; });
  MILLRACE_ASSIGN_OR_RETURN(const IndexEntry begin,
                            BeginAt(reader, index, static_cast<std::size_t>(behind - index.begin())));
  std::uint64_t position = begin.position;
  std::int64_t offset = begin.offset;
  while (true) {
    BatchView view;
    MILLRACE_ASSIGN_OR_RETURN(const BatchFound found, reader.ReadBatch(position, offset, &view));
    if (found == BatchFound::kEnd) return OkStatus();
    if (found == BatchFound::kDamaged) return DamagedSegment(reader.path(), position, reader.problem());
    if (view.header.first_offset >= from) producers->Replay(partition, view);
    position = view.end_position;
    offset = view.header.end_offset();
  }
}

}  // namespace

StatusOr<RecoveredPartition> RecoverPartition(base::FileSystem& files, const std::string& topic_folder,
                                              const TopicMetadata& topic, std::int32_t partition,
                                              const std::optional<PartitionEnd>& end, const Report& report) {
  return PartitionRecovery(files, topic_folder, topic, partition, end, report).Run();
}

Status RecoverProducers(base::FileSystem& files, const std::string& topic_folder, const TopicMetadata& topic,
                        const std::vector<RecoveredPartition>& partitions, const Report& report,
                        ProducerTable* producers) {
  constexpr std::uint64_t kSnapshotBytesMax = std::uint64_t{4} << 30;
  Cut from(partitions.size(), 0);
  const std::string path = topic_folder + kProducersFileName;
  const StatusOr<std::string> snapshot = base::ReadFile(files, path, kSnapshotBytesMax);
  if (snapshot.ok()) {
    std::optional<Cut> cut = producers->Restore(topic, *snapshot);
    if (!cut) report(path + " is damaged; the producers are taken from the segments that are left");
    for (std::size_t p = 0; cut && p < partitions.size(); ++p) {
      if ((*cut)[p] > partitions[p].tail.next_offset) cut.reset();  // of records that were lost
    }
    if (cut) from = *cut;
    if (!cut) {
      static_cast<void>(producers->Restore(topic, ""));  // empties it
      // It must not be found again when the log has grown beyond it.
      MILLRACE_RETURN_IF_ERROR(files.Remove(path));
      MILLRACE_RETURN_IF_ERROR(files.SyncFolder(topic_folder));
    }
  } else if (snapshot.status().code() != StatusCode::kNotFound) {
    report(snapshot.status().message() + "; the producers are taken from the segments that are left");
  }
  for (std::size_t p = 0; p < partitions.size(); ++p) {
    const std::deque<SegmentInfo>& segments = partitions[p].segments;
    for (std::size_t i = 0; i < segments.size(); ++i) {
      const std::int64_t end = i + 1 < segments.size() ? segments[i + 1].first_offset : partitions[p].tail.next_offset;
      if (end <= from[p]) continue;
      const Status replayed = ReplaySegment(files, topic_folder, topic, static_cast<std::int32_t>(p),
                                            segments[i].first_offset, from[p], producers);
      if (replayed.ok()) continue;
      if (replayed.code() != StatusCode::kDataLoss) return replayed;
      report(replayed.message() + "; the producers of the rest of this segment are not known");
    }
  }
  return OkStatus();
}

}  // namespace millrace::log
