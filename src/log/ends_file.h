// What readers may see of each partition: a small file that the writer writes in place after each commit and readers
// read again before they go on. Format: docs/formats/log.md, "ends".
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/file_system.h"
#include "log/topic.h"
#include "millrace/core/status.h"
#include "millrace/core/timestamp.h"

namespace millrace::log {

struct PartitionEnd {
  std::int64_t visible = 0;  // offset after the last record that readers may see
  std::int64_t synced = 0;   // offset after the last record that is known to be on the device
  Timestamp watermark = Timestamp::Min();
};

enum class WriterState : std::uint32_t { kClosed = 0, kOpen = 1, kRecovering = 2 };

/// Reads are thread safe; one thread writes at a time.
class EndsFile {
 public:
  static StatusOr<EndsFile> OpenForReading(base::FileSystem& files, const std::string& topic_folder,
                                           const TopicMetadata& topic);
  static StatusOr<EndsFile> OpenForWriting(base::FileSystem& files, const std::string& topic_folder,
                                           const TopicMetadata& topic);

  /// DATA_LOSS when it is not whole; then a writer must recover the topic.
  StatusOr<WriterState> ReadState() const;
  StatusOr<PartitionEnd> Read(std::int32_t partition) const;

  Status WriteState(WriterState state);
  /// All partitions.
  Status Write(std::span<const PartitionEnd> ends);
  Status Sync() { return file_->Sync(); }

 private:
  EndsFile(std::unique_ptr<base::File> file, std::string path, const TopicMetadata& topic, Duration patience)
      : file_(std::move(file)),
        path_(std::move(path)),
        topic_id_(topic.id),
        partitions_(topic.partitions),
        patience_(patience) {}

  StatusOr<bool> ReadSealed(std::uint64_t position, std::uint64_t seed, std::span<char> bytes) const;

  std::unique_ptr<base::File> file_;
  std::string path_;
  std::uint64_t topic_id_;
  std::int32_t partitions_;
  Duration patience_;  // with bytes that are not whole: a writer may be at them
};

}  // namespace millrace::log
