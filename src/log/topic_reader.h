// The LogReader, and its cursors.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/file_system.h"
#include "log/ends_file.h"
#include "log/log_reader.h"
#include "log/record_format.h"
#include "log/segment_search.h"

namespace millrace::log {

class TopicReader final : public LogReader {
 public:
  TopicReader(base::FileSystem& files, std::string topic_folder, TopicMetadata topic, EndsFile ends)
      : files_(files),
        topic_folder_(std::move(topic_folder)),
        topic_(std::make_shared<const TopicMetadata>(std::move(topic))),
        ends_(std::make_shared<const EndsFile>(std::move(ends))) {}

  const TopicMetadata& topic() const override { return *topic_; }
  StatusOr<PartitionRange> Range(std::int32_t partition) const override;
  StatusOr<Cut> End() const override;
  StatusOr<std::unique_ptr<PartitionCursor>> Read(std::int32_t partition, std::int64_t offset) const override;
  StatusOr<std::int64_t> OffsetOfEventTime(std::int32_t partition, Timestamp time) const override;
  StatusOr<std::int64_t> OffsetOfPublishTime(std::int32_t partition, Timestamp time) const override;

 private:
  Status CheckPartition(std::int32_t partition) const;

  base::FileSystem& files_;
  const std::string topic_folder_;
  const std::shared_ptr<const TopicMetadata> topic_;
  const std::shared_ptr<const EndsFile> ends_;
};

class SegmentCursor final : public PartitionCursor {
 public:
  SegmentCursor(base::FileSystem& files, std::string topic_folder, std::shared_ptr<const TopicMetadata> topic,
                std::shared_ptr<const EndsFile> ends, std::int32_t partition, std::int64_t offset)
      : files_(files),
        topic_folder_(std::move(topic_folder)),
        topic_(std::move(topic)),
        ends_(std::move(ends)),
        partition_(partition),
        next_offset_(offset) {}

  StatusOr<Found> Next(RecordView* view) override;
  std::int64_t next_offset() const override { return next_offset_; }

 private:
  StatusOr<bool> NextBatch();
  Status EnterNextSegment();
  Status Damaged() const;

  base::FileSystem& files_;
  const std::string topic_folder_;
  const std::shared_ptr<const TopicMetadata> topic_;
  const std::shared_ptr<const EndsFile> ends_;
  const std::int32_t partition_;
  std::int64_t next_offset_;
  std::int64_t visible_ = 0;              // the published end, as it was read last
  std::optional<SegmentReader> segment_;  // none until there is something to read
  std::uint64_t position_ = 0;            // of the next batch in it
  std::int64_t batch_offset_ = 0;         // of the first record of the next batch
  BatchView batch_;
  RecordParser records_;  // what is left of the batch
};

}  // namespace millrace::log
