// Which offsets of a partition are acknowledged: all below one, and ranges behind it.
#pragma once

#include <cstdint>
#include <map>

namespace millrace::pubsub {

/// A set of offsets. Memory goes with the number of gaps. One thread at a time.
class AckedOffsets {
 public:
  explicit AckedOffsets(std::int64_t through = 0) : through_(through) {}

  /// Everything below is acknowledged, and the offset itself is not.
  std::int64_t through() const { return through_; }
  /// Begin and end (exclusive) of the ranges behind `through`, which do not touch.
  const std::map<std::int64_t, std::int64_t>& ranges() const { return ranges_; }

  bool Contains(std::int64_t offset) const { return EndOfRange(offset) > offset; }
  /// The first offset from `offset` on that is not acknowledged.
  std::int64_t EndOfRange(std::int64_t offset) const;

  /// Adds [begin, end).
  void Add(std::int64_t begin, std::int64_t end);
  void Add(std::int64_t offset) { Add(offset, offset + 1); }

  /// Forgets everything at and above `end`: the log has lost it.
  void Truncate(std::int64_t end);

  friend bool operator==(const AckedOffsets&, const AckedOffsets&) = default;

 private:
  std::int64_t through_;
  std::map<std::int64_t, std::int64_t> ranges_;
};

}  // namespace millrace::pubsub
