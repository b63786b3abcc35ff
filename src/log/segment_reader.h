// Reads the batches of one segment, each checked as a whole.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/file_system.h"
#include "log/byte_buffer.h"
#include "log/segment_format.h"
#include "log/topic.h"
#include "millrace/core/status.h"

namespace millrace::log {

/// A batch in the reader's buffer; valid until the reader reads again.
struct BatchView {
  BatchHeader header;
  std::string_view body;
  std::uint64_t position = 0;
  std::uint64_t end_position = 0;

  std::string_view producer() const { return body.substr(0, header.producer_bytes); }
};

enum class BatchFound : std::uint8_t {
  kBatch,
  kEnd,      // the file ends at that position
  kDamaged,  // something is there that is no whole batch with that offset; `problem()` says what
};

/// Memory: a block of 1 MiB, or the largest batch. One thread at a time.
class SegmentReader {
 public:
  /// NOT_FOUND when the file is not there. DATA_LOSS when it has no header of this segment.
  static StatusOr<SegmentReader> Open(base::FileSystem& files, const std::string& topic_folder,
                                      const TopicMetadata& topic, std::int32_t partition, std::int64_t first_offset);

  const std::string& path() const { return path_; }
  const SegmentHeader& header() const { return header_; }
  StatusOr<std::uint64_t> Size() const { return file_->Size(); }

  /// The batch at `position`, whose first record is said to have `offset`. An error is one of the file system.
  StatusOr<BatchFound> ReadBatch(std::uint64_t position, std::int64_t offset, BatchView* view);
  const std::string& problem() const { return problem_; }

  /// Forgets what was read before: what is behind the published end may have been written anew.
  void DropBuffer() { buffer_.Clear(); }

  /// Whether, behind `position`, a whole batch follows that was written when more than `position` was synced: then what
  /// is at `position` was whole once.
  StatusOr<bool> WasSynced(std::uint64_t position);

 private:
  SegmentReader(std::unique_ptr<base::File> file, std::string path) : file_(std::move(file)), path_(std::move(path)) {}

  StatusOr<bool> Fill(std::uint64_t position, std::size_t bytes);
  BatchFound Damaged(std::string problem);

  std::unique_ptr<base::File> file_;
  std::string path_;
  SegmentHeader header_;
  std::uint64_t seed_ = 0;
  ByteBuffer buffer_;
  std::uint64_t buffer_position_ = 0;
  std::string problem_;
};

/// DATA_LOSS that names the file and the position.
Status DamagedSegment(const std::string& path, std::uint64_t position, std::string_view problem);

}  // namespace millrace::log
