#include "exec/origins.h"

namespace millrace::exec {

detail::Origin Origins::OfPartition(const std::string& partition) {
  const std::lock_guard lock(mutex_);
  auto found = numbers_.find(partition);
  if (found == numbers_.end()) {
    if (names_.size() >= kPartitionsMax) return detail::kUnknownOrigin;
    found = numbers_.emplace(partition, names_.size()).first;
    names_.push_back(partition);
  }
  return static_cast<detail::Origin>(found->second) << detail::kOriginPositionBits;
}

detail::NamedOrigin Origins::Name(detail::Origin origin) const {
  if (origin == detail::kUnknownOrigin) return {};
  constexpr detail::Origin kPosition = (detail::Origin{1} << detail::kOriginPositionBits) - 1;
  const std::lock_guard lock(mutex_);
  return {.partition = names_.at(static_cast<std::size_t>(origin >> detail::kOriginPositionBits)),
          .position = static_cast<std::int64_t>(origin & kPosition)};
}

}  // namespace millrace::exec
