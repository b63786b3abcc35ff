#include "millrace/core/timestamp.h"

#include <array>
#include <cstdio>
#include <limits>
#include <optional>
#include <utility>

namespace millrace {
namespace {

constexpr std::int64_t kMicrosPerSecond = 1'000'000;
constexpr std::int64_t kSecondsPerDay = 86'400;
constexpr std::int64_t kDaysPer400Years = 146'097;
constexpr std::array<int, 13> kDaysBeforeMonth = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};

constexpr std::int64_t FloorDivide(std::int64_t a, std::int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

constexpr bool IsLeap(std::int64_t year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }

/// Days from 1970-01-01 to the first of January, in the Gregorian calendar extended to all years.
constexpr std::int64_t DaysToYear(std::int64_t year) {
  const std::int64_t past = year - 1;
  const std::int64_t leaps = FloorDivide(past, 4) - FloorDivide(past, 100) + FloorDivide(past, 400);
  return 365 * past + leaps - 719'162;
}

/// Days from the first of January to the first of `month` (1..13).
constexpr int DaysToMonth(std::int64_t year, int month) {
  return kDaysBeforeMonth[static_cast<std::size_t>(month - 1)] + (month > 2 && IsLeap(year) ? 1 : 0);
}

struct Date {
  std::int64_t year;
  int month;
  int day;
};

Date DateOf(std::int64_t days_since_epoch) {
  // The average year is off by less than two days from the true ones, so the guess is off by one year at most.
  std::int64_t year = 1970 + FloorDivide(days_since_epoch * 400, kDaysPer400Years);
  while (DaysToYear(year) > days_since_epoch) --year;
  while (DaysToYear(year + 1) <= days_since_epoch) ++year;
  const int day_of_year = static_cast<int>(days_since_epoch - DaysToYear(year));
  int month = 12;
  while (DaysToMonth(year, month) > day_of_year) --month;
  return {year, month, day_of_year - DaysToMonth(year, month) + 1};
}

/// Reads a text from left to right; each call takes what it names or leaves the position where it was.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  bool AtEnd() const { return rest_.empty(); }
  std::string_view rest() const { return rest_; }

  /// Takes one character if it is in `set` and returns it, otherwise 0.
  char Take(std::string_view set) {
    if (rest_.empty() || set.find(rest_.front()) == std::string_view::npos) return 0;
    const char taken = rest_.front();
    rest_.remove_prefix(1);
    return taken;
  }

  /// Takes all digits that follow.
  std::string_view TakeDigits() {
    std::size_t count = 0;
    while (count < rest_.size() && rest_[count] >= '0' && rest_[count] <= '9') ++count;
    const std::string_view digits = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return digits;
  }

  /// Takes exactly two digits.
  std::optional<int> TakeTwoDigits() {
    if (rest_.size() < 2 || rest_[0] < '0' || rest_[0] > '9' || rest_[1] < '0' || rest_[1] > '9') return std::nullopt;
    const int number = (rest_[0] - '0') * 10 + (rest_[1] - '0');
    rest_.remove_prefix(2);
    return number;
  }

 private:
  std::string_view rest_;
};

/// The number that `digits` write, or nothing when it does not fit.
std::optional<std::uint64_t> NumberOf(std::string_view digits) {
  std::uint64_t number = 0;
  for (const char digit : digits) {
    if (__builtin_mul_overflow(number, std::uint64_t{10}, &number)) return std::nullopt;
    if (__builtin_add_overflow(number, static_cast<std::uint64_t>(digit - '0'), &number)) return std::nullopt;
  }
  return number;
}

/// Parts of a timestamp, each null when well-formed and otherwise what is wrong with it.
class TimestampParser {
 public:
  explicit TimestampParser(std::string_view text) : reader_(text) {}

  const char* Parse(Timestamp& result) {
    if (const char* wrong = ParseDate()) return wrong;
    if (reader_.Take("Tt ")) {
      if (const char* wrong = ParseTimeOfDay()) return wrong;
      if (const char* wrong = ParseOffset()) return wrong;
    }
    if (!reader_.AtEnd()) return "something follows the time";
    if (leap_second_ && seconds_ % kSecondsPerDay != 0) return "second 60 exists only before midnight UTC";
    if (seconds_ < 0) {  // towards zero, since the second that holds Min() begins before what 64 bits can count
      seconds_ += 1;
      micros_of_second_ -= kMicrosPerSecond;
    }
    std::int64_t micros = 0;
    if (__builtin_mul_overflow(seconds_, kMicrosPerSecond, &micros) ||
        __builtin_add_overflow(micros, micros_of_second_, &micros)) {
      return "it is out of range";
    }
    result = Timestamp::FromMicros(micros);
    return result < Timestamp::Min() || result > Timestamp::Max() ? "it is out of range" : nullptr;
  }

 private:
  const char* ParseDate() {
    const char sign = reader_.Take("+-");
    const std::string_view digits = reader_.TakeDigits();
    if (digits.size() < 4 || digits.size() > 6 || (!sign && digits.size() != 4)) return "the year needs four digits";
    const std::int64_t magnitude = static_cast<std::int64_t>(*NumberOf(digits));
    const std::int64_t year = sign == '-' ? -magnitude : magnitude;
    if (!reader_.Take("-")) return "a dash must follow the year";
    const std::optional<int> month = reader_.TakeTwoDigits();
    if (!month || *month < 1 || *month > 12) return "the month is not in 01..12";
    if (!reader_.Take("-")) return "a dash must follow the month";
    const std::optional<int> day = reader_.TakeTwoDigits();
    if (!day || *day < 1 || *day > DaysToMonth(year, *month + 1) - DaysToMonth(year, *month)) {
      return "the month has no such day";
    }
    seconds_ = (DaysToYear(year) + DaysToMonth(year, *month) + *day - 1) * kSecondsPerDay;
    return nullptr;
  }

  const char* ParseTimeOfDay() {
    const std::optional<int> hour = reader_.TakeTwoDigits();
    if (!hour || *hour > 23) return "the hour is not in 00..23";
    if (!reader_.Take(":")) return "a colon must follow the hour";
    const std::optional<int> minute = reader_.TakeTwoDigits();
    if (!minute || *minute > 59) return "the minute is not in 00..59";
    if (!reader_.Take(":")) return "a colon must follow the minute";
    const std::optional<int> second = reader_.TakeTwoDigits();
    if (!second || *second > 60) return "the second is not in 00..60";
    leap_second_ = *second == 60;
    seconds_ += *hour * 3600 + *minute * 60 + *second;
    if (!reader_.Take(".")) return nullptr;
    const std::string_view digits = reader_.TakeDigits();
    if (digits.empty()) return "digits must follow the point";
    for (std::size_t i = 0; i < 6; ++i) {
      micros_of_second_ = micros_of_second_ * 10 + (i < digits.size() ? digits[i] - '0' : 0);
    }
    return nullptr;
  }

  const char* ParseOffset() {
    if (reader_.Take("Zz")) return nullptr;
    const char sign = reader_.Take("+-");
    if (!sign) return nullptr;
    const std::optional<int> hours = reader_.TakeTwoDigits();
    const bool colon = reader_.Take(":") != 0;
    const std::optional<int> minutes = reader_.TakeTwoDigits();
    if (!hours || *hours > 23 || !colon || !minutes || *minutes > 59) return "the offset is not +hh:mm or -hh:mm";
    const std::int64_t offset = *hours * 3600 + *minutes * 60;
    seconds_ += sign == '-' ? offset : -offset;
    return nullptr;
  }

  Reader reader_;
  std::int64_t seconds_ = 0;
  std::int64_t micros_of_second_ = 0;
  bool leap_second_ = false;
};

struct Unit {
  std::string_view name;
  std::uint64_t micros;
};

// The largest first.
constexpr std::array<Unit, 6> kUnits = {{
    {"d", 86'400'000'000},
    {"h", 3'600'000'000},
    {"m", 60'000'000},
    {"s", 1'000'000},
    {"ms", 1'000},
    {"us", 1},
}};

/// Takes the unit that follows and gives its index in `kUnits`, or nothing.
std::optional<std::size_t> TakeUnit(Reader& reader) {
  std::string name;
  while (const char letter = reader.Take("dhmsu")) name.push_back(letter);
  for (std::size_t i = 0; i < kUnits.size(); ++i) {
    if (kUnits[i].name == name) return i;
  }
  return std::nullopt;
}

/// Takes one part, such as "1h" or "0.5s", whose unit is smaller than that of index `previous`; null or what is wrong.
const char* TakePart(Reader& reader, std::optional<std::size_t>& previous, std::uint64_t& total_micros) {
  constexpr const char* kTooLarge = "it is out of range";
  const std::string_view whole = reader.TakeDigits();
  if (whole.empty()) return "a number must come first";
  std::string_view decimals;
  if (reader.Take(".")) {
    decimals = reader.TakeDigits();
    if (decimals.empty()) return "digits must follow the point";
    decimals = decimals.substr(0, decimals.find_last_not_of('0') + 1);
    if (decimals.size() > 6) return "it has more than six decimals";
  }
  const std::optional<std::size_t> unit = TakeUnit(reader);
  if (!unit) return "each number needs a unit: us, ms, s, m, h or d";
  if (previous && *unit <= *previous) return "units must go from large to small";
  previous = unit;

  const std::uint64_t micros_per_unit = kUnits[*unit].micros;
  std::uint64_t power_of_ten = 1;
  for (std::size_t i = 0; i < decimals.size(); ++i) power_of_ten *= 10;
  const std::uint64_t fraction = *NumberOf(decimals) * micros_per_unit;  // below 10^6 * 8.64 * 10^10
  if (fraction % power_of_ten != 0) return "it is finer than a microsecond";

  const std::optional<std::uint64_t> number = NumberOf(whole);
  std::uint64_t micros = 0;
  if (!number || __builtin_mul_overflow(*number, micros_per_unit, &micros) ||
      __builtin_add_overflow(micros, fraction / power_of_ten, &micros) ||
      __builtin_add_overflow(total_micros, micros, &total_micros)) {
    return kTooLarge;
  }
  return nullptr;
}

Status DurationError(std::string_view text, const char* wrong) {
  return InvalidArgumentError("'" + std::string(text) + "' is no duration: " + wrong +
                              "; write one as 1h30m, 0.5s or 250ms");
}

}  // namespace

StatusOr<Timestamp> Timestamp::Parse(std::string_view text) {
  if (text == "-inf") return Min();
  if (text == "+inf") return Max();
  Timestamp result;
  if (const char* wrong = TimestampParser(text).Parse(result)) {
    return InvalidArgumentError("'" + std::string(text) + "' is no timestamp: " + wrong +
                                "; write one as 2001-01-01T12:30:00.25Z");
  }
  return result;
}

std::string Timestamp::ToString() const {
  if (*this == Min()) return "-inf";
  if (*this == Max()) return "+inf";
  const std::int64_t seconds = FloorDivide(micros_, kMicrosPerSecond);
  const std::int64_t days = FloorDivide(seconds, kSecondsPerDay);
  const int second_of_day = static_cast<int>(seconds - days * kSecondsPerDay);
  const Date date = DateOf(days);
  const bool plain_year = date.year >= 0 && date.year <= 9999;
  std::array<char, 64> buffer{};
  std::snprintf(buffer.data(), buffer.size(),
                plain_year ? "%04lld-%02d-%02dT%02d:%02d:%02d" : "%+05lld-%02d-%02dT%02d:%02d:%02d",
                static_cast<long long>(date.year), date.month, date.day, second_of_day / 3600, second_of_day / 60 % 60,
                second_of_day % 60);
  std::string text = buffer.data();
  const std::int64_t remainder = micros_ % kMicrosPerSecond;
  if (const std::int64_t micros = remainder < 0 ? remainder + kMicrosPerSecond : remainder; micros != 0) {
    std::string digits = std::to_string(micros);
    digits.insert(0, 6 - digits.size(), '0');
    text.append(".").append(digits, 0, digits.find_last_not_of('0') + 1);
  }
  return text + "Z";
}

std::string DurationToString(Duration duration) {
  if (duration == Duration::zero()) return "0s";
  const bool negative = duration < Duration::zero();
  std::uint64_t rest = static_cast<std::uint64_t>(duration.count());
  if (negative) rest = -rest;  // modulo 2^64, so right for the smallest duration too
  std::string text = negative ? "-" : "";
  for (const Unit& unit : kUnits) {
    if (rest < unit.micros) continue;
    text.append(std::to_string(rest / unit.micros)).append(unit.name);
    rest %= unit.micros;
  }
  return text;
}

StatusOr<Duration> ParseDuration(std::string_view text) {
  Reader reader(text);
  const bool negative = reader.Take("+-") == '-';
  std::optional<std::size_t> unit;
  std::uint64_t micros = 0;
  do {
    if (const char* wrong = TakePart(reader, unit, micros)) return DurationError(text, wrong);
  } while (!reader.AtEnd());
  const std::uint64_t largest = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (micros > largest + (negative ? 1 : 0)) return DurationError(text, "it is out of range");
  return Duration(static_cast<std::int64_t>(negative ? -micros : micros));
}

}  // namespace millrace
