// Brings a topic into order when it is opened for writing. What is done and what is refused: docs/formats/log.md,
// "Recovery".
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/file_system.h"
#include "log/ends_file.h"
#include "log/partition_files.h"
#include "log/partition_queue.h"
#include "log/producer_table.h"
#include "log/topic.h"
#include "millrace/core/status.h"

namespace millrace::log {

struct RecoveredPartition {
  std::deque<SegmentInfo> segments;
  std::unique_ptr<base::File> last;  // the file of the last segment; null when there is none
  Tail tail;
};

using Report = std::function<void(const std::string&)>;

/// One partition. `end` is what the ends file says of it, if that is whole.
StatusOr<RecoveredPartition> RecoverPartition(base::FileSystem& files, const std::string& topic_folder,
                                              const TopicMetadata& topic, std::int32_t partition,
                                              const std::optional<PartitionEnd>& end, const Report& report);

/// Fills the table from the snapshot and what the segments hold behind it.
Status RecoverProducers(base::FileSystem& files, const std::string& topic_folder, const TopicMetadata& topic,
                        const std::vector<RecoveredPartition>& partitions, const Report& report,
                        ProducerTable* producers);

}  // namespace millrace::log
