#include "io/log/log_watermarks.h"

#include <algorithm>

namespace millrace::detail {

std::shared_ptr<LogWatermarks> MakeLogWatermarks() { return std::make_shared<LogWatermarks>(); }

void LogWatermarks::Reset(std::int32_t partitions) {
  const std::lock_guard lock(mutex_);
  entries_.clear();
  for (std::int32_t p = 0; p < partitions; ++p) entries_[p];
}

void LogWatermarks::Set(std::int32_t partition, Timestamp watermark, Activity activity) {
  const std::lock_guard lock(mutex_);
  Entry& entry = entries_[partition];
  entry.watermark = std::max(entry.watermark, watermark);
  entry.activity = activity;
}

std::optional<Timestamp> LogWatermarks::LeastOfBusy() const {
  const std::lock_guard lock(mutex_);
  std::optional<Timestamp> least;
  for (const auto& [partition, entry] : entries_) {
    if (entry.activity != Activity::kBusy) continue;
    least = std::min(least.value_or(Timestamp::Max()), entry.watermark);
  }
  return least;
}

}  // namespace millrace::detail
