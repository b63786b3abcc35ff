// Event time and processing time in microseconds, as in Beam's Python SDK (Beam's Java SDK has milliseconds).
// The range is Beam's: `Timestamp::Min()` and `Timestamp::Max()` are BoundedWindow.TIMESTAMP_MIN_VALUE and
// TIMESTAMP_MAX_VALUE, and the global window ends one day before the latter, so that its firing has a time of its own.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <ostream>
#include <string>
#include <string_view>

#include "millrace/core/status.h"

namespace millrace {

/// A span of time in microseconds; every `std::chrono` duration that is at most as fine converts to it implicitly.
using Duration = std::chrono::microseconds;

/// A point in time: microseconds since 1970-01-01T00:00:00Z, without leap seconds.
class Timestamp {
 public:
  constexpr Timestamp() = default;
  constexpr explicit Timestamp(Duration since_epoch) : micros_(since_epoch.count()) {}

  static constexpr Timestamp FromMicros(std::int64_t micros) { return Timestamp(Duration(micros)); }
  static constexpr Timestamp FromMillis(std::int64_t millis) { return FromMicros(millis * 1000); }
  static constexpr Timestamp FromSeconds(std::int64_t seconds) { return FromMicros(seconds * 1'000'000); }
  static constexpr Timestamp Min() { return FromMicros(-9'223'372'036'854'775'000); }
  static constexpr Timestamp Max() { return FromMicros(9'223'372'036'854'775'000); }

  /// Parses RFC 3339 ("2001-01-01T12:30:00.25Z", "2001-01-01 12:30:00+02:00", "2001-01-01"); a text without offset is
  /// taken as UTC. Digits beyond the microsecond are dropped; second 60 is the midnight that follows. Also everything
  /// that `ToString` writes. An INVALID_ARGUMENT names the text.
  static StatusOr<Timestamp> Parse(std::string_view text);

  constexpr std::int64_t micros() const { return micros_; }
  /// Rounded down, also before 1970.
  constexpr std::int64_t millis() const { return micros_ / 1000 - (micros_ % 1000 < 0 ? 1 : 0); }
  constexpr Duration since_epoch() const { return Duration(micros_); }

  /// RFC 3339 in UTC with as many digits of a second as needed, such as "2001-01-01T12:30:00.25Z"; years outside
  /// 0..9999 are written with a sign, as in ISO 8601; "-inf" and "+inf" for `Min()` and `Max()`.
  std::string ToString() const;

  friend constexpr auto operator<=>(const Timestamp&, const Timestamp&) = default;

  /// Sums are clamped to [Min(), Max()], so adding an allowed lateness to the end of time is safe.
  friend constexpr Timestamp operator+(Timestamp t, Duration d) { return Clamped(t.micros_, d.count()); }
  friend constexpr Timestamp operator-(Timestamp t, Duration d) {
    // The negative of the smallest duration is one microsecond too large for its type.
    return d == Duration::min() ? Clamped(t.micros_, Duration::max().count()) : Clamped(t.micros_, -d.count());
  }
  friend constexpr Duration operator-(Timestamp a, Timestamp b) {
    std::int64_t difference = 0;
    if (__builtin_sub_overflow(a.micros_, b.micros_, &difference)) return a > b ? Duration::max() : Duration::min();
    return Duration(difference);
  }
  constexpr Timestamp& operator+=(Duration d) { return *this = *this + d; }
  constexpr Timestamp& operator-=(Duration d) { return *this = *this - d; }
  friend std::ostream& operator<<(std::ostream& out, Timestamp t) { return out << t.ToString(); }

 private:
  static constexpr Timestamp Clamped(std::int64_t micros, std::int64_t delta) {
    std::int64_t sum = 0;
    if (__builtin_add_overflow(micros, delta, &sum)) return delta < 0 ? Min() : Max();
    Timestamp result = FromMicros(sum);
    return result < Min() ? Min() : result > Max() ? Max() : result;
  }

  std::int64_t micros_ = 0;
};

/// "1d", "1h30m", "250ms", "-10us", "0s": the largest units first, none that is zero.
std::string DurationToString(Duration duration);

/// Parses what `DurationToString` writes: numbers with units us, ms, s, m, h, d, the largest first, such as "1h30m" or
/// "0.5s". An INVALID_ARGUMENT names the text; so does one for a duration finer than a microsecond.
StatusOr<Duration> ParseDuration(std::string_view text);

}  // namespace millrace
