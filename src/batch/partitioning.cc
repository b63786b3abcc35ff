#include "batch/partitioning.h"

#include <chrono>

namespace millrace::batch {

namespace {

constexpr Duration kDay = std::chrono::hours(24);
constexpr Duration kHour = std::chrono::hours(1);
constexpr std::size_t kDayDigits = 10;   // 2001-01-05
constexpr std::size_t kHourDigits = 13;  // 2001-01-05T13

}  // namespace

StatusOr<Partitioning> Partitioning::Of(Duration every) {
  if (every == kDay || every == kHour) return Partitioning(every);
  return InvalidArgumentError("a batch layer has partitions of a day (24h) or of an hour (1h), not of " +
                              DurationToString(every));
}

std::string Partitioning::unit() const { return every_ == kDay ? "day" : "hour"; }

Timestamp Partitioning::BeginOf(Timestamp time) const {
  const std::int64_t size = every_.count();
  const std::int64_t remainder = time.micros() % size;
  return time - Duration(remainder < 0 ? remainder + size : remainder);
}

std::string Partitioning::NameOf(Timestamp begin) const {
  const std::string text = begin.ToString();
  const std::size_t time = text.find('T');
  return text.substr(0, time == std::string::npos ? time : time + (every_ == kDay ? 0 : kHourDigits - kDayDigits));
}

TimeRange Partitioning::Widen(const TimeRange& range) const {
  const Timestamp last = BeginOf(range.to);
  return {.from = BeginOf(range.from), .to = last == range.to ? last : last + every_};
}

}  // namespace millrace::batch
