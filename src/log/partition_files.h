// The segments of one partition as the writer has them: appends chunks, all of them or none.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/file_system.h"
#include "log/partition_queue.h"
#include "log/segment_index.h"
#include "log/topic.h"
#include "millrace/core/status.h"

namespace millrace::log {

struct SegmentInfo {
  std::int64_t first_offset = 0;
  Timestamp created_at;  // `Timestamp::Max()` when the header cannot be read
  std::uint64_t bytes = 0;
};

/// One thread at a time.
class PartitionFiles {
 public:
  PartitionFiles(base::FileSystem& files, std::string topic_folder, const TopicMetadata& topic, std::int32_t partition,
                 SyncPolicy policy)
      : files_(files), topic_folder_(std::move(topic_folder)), topic_(topic), partition_(partition), policy_(policy) {}

  /// What recovery has found: the segments, and the last one, open; everything is synced.
  void Take(std::deque<SegmentInfo> segments, std::unique_ptr<base::File> last, const Tail& tail);

  /// Writes chunks behind `written()`. After an error nothing of them is there, or `broken()` is true.
  Status Write(std::span<const Chunk> chunks, const Tail& tail_after);
  /// After an error the files are broken.
  Status Sync();

  /// What has been written, and what of it is synced.
  const Tail& written() const { return written_; }
  const Tail& synced() const { return synced_; }
  bool needs_sync() const { return synced_.next_offset != written_.next_offset; }
  /// The files are given up: the partition must be recovered before anything else.
  bool broken() const { return broken_; }

  const std::deque<SegmentInfo>& segments() const { return segments_; }
  /// Removes the oldest segment, durably. It is not the last one.
  Status RemoveOldest();

 private:
  Status WriteChunks(std::span<const Chunk> chunks);
  Status BeginSegment(const SegmentHeader& header);
  void CutBack(std::size_t segments_before, std::unique_ptr<base::File> file_before);
  void WriteIndex(const Chunk& chunk);
  std::string PathOf(const std::string& name) const;

  base::FileSystem& files_;
  const std::string topic_folder_;
  const TopicMetadata& topic_;
  const std::int32_t partition_;
  const SyncPolicy policy_;

  std::deque<SegmentInfo> segments_;
  std::unique_ptr<base::File> last_;    // the file of the last segment
  std::unique_ptr<base::File> before_;  // the one that was last before the write that is going on
  std::optional<IndexWriter> index_;
  Tail written_;
  Tail synced_;
  bool broken_ = false;
};

}  // namespace millrace::log
