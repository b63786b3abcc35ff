// Numbers of the partitions that a run reads, so that where an element came from takes eight bytes.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "millrace/detail/operator.h"

namespace millrace::exec {

/// Shared by the workers of a run. Thread safe.
class Origins {
 public:
  /// The origin of position 0 of that partition; unknown where there are too many of them.
  detail::Origin OfPartition(const std::string& partition);
  detail::NamedOrigin Name(detail::Origin origin) const;

 private:
  static constexpr std::size_t kPartitionsMax = 65'535;  // the last number means that an origin is not known

  mutable std::mutex mutex_;
  std::map<std::string, std::size_t, std::less<>> numbers_;
  std::vector<std::string> names_;
};

}  // namespace millrace::exec
