// How event time is cut into the partitions of a batch layer: days or hours, in UTC, which a person recognises.
//
// A window belongs to the partition that holds its last timestamp, one microsecond before its end.
#pragma once

#include <cstdint>
#include <string>

#include "millrace/core/status.h"
#include "millrace/core/timestamp.h"

namespace millrace::batch {

/// Event times from `from` on and before `to`.
struct TimeRange {
  Timestamp from;
  Timestamp to;

  friend bool operator==(const TimeRange&, const TimeRange&) = default;
};

/// Value; any thread. A partition is known by its beginning.
class Partitioning {
 public:
  /// INVALID_ARGUMENT for anything but a day or an hour.
  static StatusOr<Partitioning> Of(Duration every);

  Duration every() const { return every_; }
  /// "day" or "hour": the name of the partition column.
  std::string unit() const;
  /// The beginning of the partition that holds `time`.
  Timestamp BeginOf(Timestamp time) const;
  /// The partition of a window that ends there.
  Timestamp BeginOfWindow(Timestamp window_end) const { return BeginOf(window_end - Duration(1)); }
  /// "2001-01-05", or "2001-01-05T13" of an hour.
  std::string NameOf(Timestamp begin) const;
  /// The folder of a partition's files, as Hive names it: "day=2001-01-05".
  std::string FolderOf(Timestamp begin) const { return unit() + "=" + NameOf(begin); }
  /// The smallest range of whole partitions that holds `range`.
  TimeRange Widen(const TimeRange& range) const;
  /// How many partitions begin in a range of whole ones.
  std::int64_t CountIn(const TimeRange& range) const { return (range.to - range.from) / every_; }

 private:
  explicit Partitioning(Duration every) : every_(every) {}
  Duration every_;
};

}  // namespace millrace::batch
