// Holds: what retention must not remove. A consumer (the archive, the oldest checkpoint) writes down the next offset
// that it needs of each partition, in a small durable file of its own, `<topic folder>/holds/<name>.json`. Any process
// may do so, with or without a writer beside it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/file_system.h"
#include "log/topic.h"
#include "millrace/core/status.h"
#include "millrace/core/timestamp.h"

namespace millrace::log {

/// One consumer's hold: offsets at and above `next_offsets[p]` of partition p are kept.
struct Hold {
  std::int32_t format = 1;
  std::string name = {};
  Cut next_offsets = {};
  Timestamp updated_at = {};
};

/// Makes or replaces the hold `name` (letters, digits, "-_.", at most 100); durable when it returns. OUT_OF_RANGE when
/// the log no longer holds one of the offsets: then the hold is not changed. At most 1,000 holds for each topic.
Status SetHold(base::FileSystem& files, const std::string& log_folder, std::string_view topic, const Hold& hold);

/// NOT_FOUND when there is none.
Status RemoveHold(base::FileSystem& files, const std::string& log_folder, std::string_view topic,
                  std::string_view name);

/// All holds of a topic, by name. DATA_LOSS names a damaged one; retention then removes nothing.
StatusOr<std::vector<Hold>> ListHolds(base::FileSystem& files, const std::string& log_folder, std::string_view topic);

}  // namespace millrace::log
