#include "pubsub/acked_offsets.h"

#include <algorithm>
#include <iterator>

namespace millrace::pubsub {

std::int64_t AckedOffsets::EndOfRange(std::int64_t offset) const {
  if (offset < through_) return through_;
  if (ranges_.empty()) return offset;
  const auto after = ranges_.upper_bound(offset);
  if (after == ranges_.begin()) return offset;
  return std::max(offset, std::prev(after)->second);
}

void AckedOffsets::Add(std::int64_t begin, std::int64_t end) {
  begin = std::max(begin, through_);
  if (end <= begin) return;
  auto at = ranges_.upper_bound(begin);
  if (at != ranges_.begin() && std::prev(at)->second >= begin) {
    --at;
    begin = at->first;
  }
  while (at != ranges_.end() && at->first <= end) {
    end = std::max(end, at->second);
    at = ranges_.erase(at);
  }
  if (begin == through_) {
    through_ = end;
  } else {
    ranges_.emplace_hint(at, begin, end);
  }
}

void AckedOffsets::Truncate(std::int64_t end) {
  through_ = std::min(through_, end);
  ranges_.erase(ranges_.lower_bound(end), ranges_.end());
  if (!ranges_.empty()) {
    auto last = std::prev(ranges_.end());
    last->second = std::min(last->second, end);
  }
}

}  // namespace millrace::pubsub
