// Where a record that was stored before is: its sequence is looked up in the batch that holds it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/file_system.h"
#include "log/producer_table.h"
#include "log/topic.h"

namespace millrace::log {

/// Keeps what it has read, so it is for one Append. One thread.
class OldOffsets {
 public:
  OldOffsets(base::FileSystem& files, const std::string& topic_folder, const TopicMetadata& topic)
      : files_(files), topic_folder_(topic_folder), topic_(topic) {}

  /// The offset, or -1 when the batch can no longer be read.
  std::int64_t Find(std::int32_t partition, const ProducerBatch& batch, std::int64_t sequence);

 private:
  std::vector<std::int64_t> ReadSequences(std::int32_t partition, const ProducerBatch& batch);

  base::FileSystem& files_;
  const std::string& topic_folder_;
  const TopicMetadata& topic_;
  std::map<std::pair<std::int32_t, std::int64_t>, std::vector<std::int64_t>> read_;
};

}  // namespace millrace::log
