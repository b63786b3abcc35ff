// The watermarks of a topic's partitions in one process, so that one that is idle can follow those that are not.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>

#include "millrace/core/timestamp.h"

namespace millrace::detail {

/// Thread safe.
class LogWatermarks {
 public:
  enum class Activity : std::uint8_t { kBusy, kIdle, kDone };

  void Reset(std::int32_t partitions);
  /// What a partition's reader knows of it. A watermark does not go back.
  void Set(std::int32_t partition, Timestamp watermark, Activity activity);
  /// The least watermark of the busy partitions: idle ones may follow it. Nothing when none is busy, or when one that
  /// is being read here has not begun.
  std::optional<Timestamp> LeastOfBusy() const;

 private:
  struct Entry {
    Timestamp watermark = Timestamp::Min();
    Activity activity = Activity::kBusy;
  };

  mutable std::mutex mutex_;
  std::map<std::int32_t, Entry> entries_;
};

}  // namespace millrace::detail
