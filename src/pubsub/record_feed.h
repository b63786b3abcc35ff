// The records of a topic for one subscription: the new ones of each partition in order, and single ones again.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "log/log_reader.h"
#include "log/topic.h"
#include "millrace/core/status.h"

namespace millrace::pubsub {

/// Views are valid until the next call. One thread at a time.
class RecordFeed {
 public:
  RecordFeed(std::shared_ptr<const log::LogReader> reader, const log::Cut& next);

  /// The next record of a partition. What retention has removed is passed over.
  StatusOr<log::Found> Next(std::int32_t partition, log::RecordView* view);
  /// Makes the record that Next gave last be the next one again.
  void PutBack(const log::RecordView& view);
  /// Where that is.
  std::int64_t next_offset(std::int32_t partition) const { return Of(partition).next; }
  void SetNext(std::int32_t partition, std::int64_t offset);

  /// The record at an offset that was published. OUT_OF_RANGE when retention has removed it.
  Status ReadAt(std::int32_t partition, std::int64_t offset, log::RecordView* view);

  /// The published end of a partition.
  StatusOr<std::int64_t> End(std::int32_t partition) const;

  /// Gives the memory of the cursors back, about 2 MiB for each partition, until the next read.
  void DropCursors();

  std::int32_t partitions() const { return static_cast<std::int32_t>(parts_.size()); }
  const log::LogReader& reader() const { return *reader_; }

 private:
  struct Part {
    std::int64_t next = 0;
    std::unique_ptr<log::PartitionCursor> fresh;
    std::optional<log::RecordView> put_back = {};  // at `next`; `fresh` is behind it
    std::unique_ptr<log::PartitionCursor> again;
  };
  const Part& Of(std::int32_t partition) const { return parts_[static_cast<std::size_t>(partition)]; }
  Part& Of(std::int32_t partition) { return parts_[static_cast<std::size_t>(partition)]; }
  StatusOr<bool> OpenFresh(std::int32_t partition);

  std::shared_ptr<const log::LogReader> reader_;
  std::vector<Part> parts_;
};

}  // namespace millrace::pubsub
