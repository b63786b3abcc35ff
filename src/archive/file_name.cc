#include "archive/file_name.h"

#include <charconv>
#include <chrono>
#include <cstdio>
#include <system_error>

namespace millrace::archive {

namespace {

constexpr std::string_view kNoDay = "__HIVE_DEFAULT_PARTITION__";
constexpr Timestamp kFirstDay = Timestamp::FromSeconds(-62'167'219'200);    // 0000-01-01
constexpr Timestamp kBehindDays = Timestamp::FromSeconds(253'402'300'800);  // 10000-01-01

template <class Number>
bool TakeNumber(std::string_view* text, Number* number) {
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), *number);
  if (error != std::errc() || *number < Number{}) return false;
  text->remove_prefix(static_cast<std::size_t>(end - text->data()));
  return true;
}

bool TakeText(std::string_view* text, std::string_view expected) {
  if (!text->starts_with(expected)) return false;
  text->remove_prefix(expected.size());
  return true;
}

}  // namespace

std::string DayOf(Timestamp publish_time) {
  if (publish_time < kFirstDay || publish_time >= kBehindDays) return std::string(kNoDay);
  const auto day = std::chrono::floor<std::chrono::days>(std::chrono::sys_time<Duration>(publish_time.since_epoch()));
  const std::chrono::year_month_day date(day);
  char text[32];
  std::snprintf(text, sizeof(text), "%04d-%02u-%02u", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
  return text;
}

Timestamp BeginOfDay(Timestamp publish_time) {
  if (publish_time < kFirstDay) return Timestamp::Min();
  if (publish_time >= kBehindDays) return kBehindDays;
  return Timestamp(std::chrono::floor<std::chrono::days>(publish_time.since_epoch()));
}

Timestamp EndOfDay(Timestamp publish_time) {
  if (publish_time < kFirstDay) return kFirstDay;
  if (publish_time >= kBehindDays) return Timestamp::Max();
  const auto day = std::chrono::floor<std::chrono::days>(publish_time.since_epoch());
  return Timestamp(day + std::chrono::days(1));
}

std::string FileName::ToString(std::string_view extension) const {
  return "day=" + day + "/partition-" + std::to_string(partition) + "-" + std::to_string(from) + "-" +
         std::to_string(to) + "-" + std::to_string(attempt) + std::string(extension);
}

std::optional<FileName> FileName::Parse(std::string_view name, std::string_view extension) {
  FileName result;
  std::string_view rest = name;
  if (!TakeText(&rest, "day=")) return std::nullopt;
  const std::size_t slash = rest.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  result.day = rest.substr(0, slash);
  rest.remove_prefix(slash);
  if (!TakeText(&rest, "/partition-") || !TakeNumber(&rest, &result.partition) || !TakeText(&rest, "-") ||
      !TakeNumber(&rest, &result.from) || !TakeText(&rest, "-") || !TakeNumber(&rest, &result.to) ||
      !TakeText(&rest, "-") || !TakeNumber(&rest, &result.attempt) || rest != extension) {
    return std::nullopt;
  }
  if (result.ToString(extension) != name) return std::nullopt;  // leading zeros and the like
  return result;
}

}  // namespace millrace::archive
