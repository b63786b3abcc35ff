#include "millrace/detail/batch.h"

#include <algorithm>

namespace millrace::detail {

std::int64_t CountInWindows(const BatchBase& batch) {
  const auto rows = static_cast<std::int64_t>(batch.size());
  if (!batch.windows.many() || rows == 0) return rows;
  const WindowFn& fn = batch.windows.fn;
  if (fn.size_micros % fn.period_micros == 0) {
    Timestamp least = Timestamp::Max();
    Timestamp greatest = Timestamp::Min();
    for (const Timestamp time : batch.timestamps) {
      least = std::min(least, time);
      greatest = std::max(greatest, time);
    }
    if (!fn.NearEndsOfTime(least) && !fn.NearEndsOfTime(greatest)) return rows * (fn.size_micros / fn.period_micros);
  }
  std::int64_t count = 0;
  for (const Timestamp time : batch.timestamps) {
    fn.ForEachWindow(time, [&count](const BoundedWindow&) { ++count; });
  }
  return count;
}

}  // namespace millrace::detail
