#include "columnar/decode_native.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "columnar/duckdb_handle.h"
#include "columnar/temporal.h"
#include "millrace/core/timestamp.h"

namespace millrace::columnar {
namespace {

__extension__ typedef __int128 Wide;

Wide ToWide(duckdb_hugeint value) { return static_cast<Wide>(value.upper) * (Wide{1} << 64) + value.lower; }
template <class Integer>
Integer ToWide(Integer value) {
  return value;
}

// Calls `convert(value, slot)` for each value that is not NULL; a text that it gives back is the reason of an issue.
template <class Native, class Convert>
void ForEach(const ColumnDecoder& decoder, const void* data, std::size_t first, std::size_t count, const Slots& slots,
             IssueCollector& issues, Convert convert) {
  const Native* values = static_cast<const Native*>(data) + first;
  for (std::size_t i = 0; i < count; ++i) {
    if (!slots.IsValid(first + i)) [[unlikely]] {
      issues.Add(i, decoder.field, kNullReason);
    } else if (const char* reason = convert(values[i], slots.At(i))) [[unlikely]] {
      issues.Add(i, decoder.field, reason);
    }
  }
}

template <class Target>
constexpr const char* OutOfRange() {
  if constexpr (std::is_same_v<Target, std::int8_t>) return "the value is out of the range of int8";
  if constexpr (std::is_same_v<Target, std::int16_t>) return "the value is out of the range of int16";
  if constexpr (std::is_same_v<Target, std::int32_t>) return "the value is out of the range of int32";
  if constexpr (std::is_same_v<Target, std::uint8_t>) return "the value is out of the range of uint8";
  if constexpr (std::is_same_v<Target, std::uint16_t>) return "the value is out of the range of uint16";
  if constexpr (std::is_same_v<Target, std::uint32_t>) return "the value is out of the range of uint32";
  if constexpr (std::is_same_v<Target, std::uint64_t>) return "the value is out of the range of uint64";
  return "the value is out of the range of int64";
}

template <class Target, class Source>
const char* ConvertInteger(Source value, void* slot) {
  const auto wide = ToWide(value);
  if constexpr (std::is_same_v<std::remove_const_t<decltype(wide)>, Wide>) {
    if (wide < Wide{std::numeric_limits<Target>::min()} || wide > Wide{std::numeric_limits<Target>::max()}) {
      return OutOfRange<Target>();
    }
  } else if (!std::in_range<Target>(wide)) {
    return OutOfRange<Target>();
  }
  *static_cast<Target*>(slot) = static_cast<Target>(wide);
  return nullptr;
}

// Calls `visit` with a null pointer to the C type that a column of integers or reals stores.
template <class Visit>
void VisitStored(duckdb_type stored, Visit visit) {
  switch (stored) {
    case DUCKDB_TYPE_TINYINT: return visit(static_cast<const std::int8_t*>(nullptr));
    case DUCKDB_TYPE_SMALLINT: return visit(static_cast<const std::int16_t*>(nullptr));
    case DUCKDB_TYPE_INTEGER: return visit(static_cast<const std::int32_t*>(nullptr));
    case DUCKDB_TYPE_BIGINT: return visit(static_cast<const std::int64_t*>(nullptr));
    case DUCKDB_TYPE_UTINYINT: return visit(static_cast<const std::uint8_t*>(nullptr));
    case DUCKDB_TYPE_USMALLINT: return visit(static_cast<const std::uint16_t*>(nullptr));
    case DUCKDB_TYPE_UINTEGER: return visit(static_cast<const std::uint32_t*>(nullptr));
    case DUCKDB_TYPE_UBIGINT: return visit(static_cast<const std::uint64_t*>(nullptr));
    case DUCKDB_TYPE_HUGEINT: return visit(static_cast<const duckdb_hugeint*>(nullptr));
    default: return;
  }
}

template <class Target>
void DecodeIntegers(const ColumnDecoder& decoder, const void* data, std::size_t first, std::size_t count,
                    const Slots& slots, IssueCollector& issues) {
  VisitStored(decoder.column_type, [&](const auto* stored) {
    using Source = std::remove_cvref_t<decltype(*stored)>;
    ForEach<Source>(decoder, data, first, count, slots, issues,
                    [](const Source& value, void* slot) { return ConvertInteger<Target>(value, slot); });
  });
}

template <class Target>
const char* PutReal(double value, void* slot) {
  const Target narrowed = static_cast<Target>(value);
  if (std::isinf(narrowed) && !std::isinf(value)) return "the value is out of the range of float";
  *static_cast<Target*>(slot) = narrowed;
  return nullptr;
}

template <class Target>
void DecodeReals(const ColumnDecoder& decoder, const void* data, std::size_t first, std::size_t count,
                 const Slots& slots, IssueCollector& issues) {
  if (decoder.column_type == DUCKDB_TYPE_DOUBLE) {
    return ForEach<double>(decoder, data, first, count, slots, issues, PutReal<Target>);
  }
  if (decoder.column_type == DUCKDB_TYPE_FLOAT) {
    return ForEach<float>(decoder, data, first, count, slots, issues, [](float value, void* slot) -> const char* {
      *static_cast<Target*>(slot) = value;
      return nullptr;
    });
  }
  const bool is_decimal = decoder.column_type == DUCKDB_TYPE_DECIMAL;
  const double divisor = is_decimal ? std::pow(10.0, decoder.decimal_scale) : 1.0;
  VisitStored(is_decimal ? decoder.internal_type : decoder.column_type, [&](const auto* stored) {
    using Source = std::remove_cvref_t<decltype(*stored)>;
    ForEach<Source>(decoder, data, first, count, slots, issues, [divisor](const Source& value, void* slot) {
      return PutReal<Target>(static_cast<double>(ToWide(value)) / divisor, slot);
    });
  });
}

const char* PutTimestamp(std::int64_t micros, void* slot) {
  *static_cast<Timestamp*>(slot) = FromDuckdbMicros(micros);
  return nullptr;
}

// The infinities of a coarser unit are the extreme values of its integer too.
template <class Stored>
const char* PutScaledTimestamp(Stored value, std::int64_t micros_per_unit, void* slot) {
  if (value == std::numeric_limits<Stored>::max()) return PutTimestamp(kDuckdbInfinity, slot);
  if (value <= -std::numeric_limits<Stored>::max()) return PutTimestamp(-kDuckdbInfinity, slot);
  std::int64_t micros = 0;
  if (__builtin_mul_overflow(static_cast<std::int64_t>(value), micros_per_unit, &micros)) {
    return "the time is out of the range of a timestamp";
  }
  return PutTimestamp(micros, slot);
}

const char* PutNanoseconds(std::int64_t nanos, void* slot) {
  if (nanos == kDuckdbInfinity || nanos <= -kDuckdbInfinity) return PutTimestamp(nanos, slot);
  return PutTimestamp(nanos / 1000 - (nanos % 1000 < 0 ? 1 : 0), slot);
}

void DecodeTimestamps(const ColumnDecoder& decoder, const void* data, std::size_t first, std::size_t count,
                      const Slots& slots, IssueCollector& issues) {
  switch (decoder.column_type) {
    case DUCKDB_TYPE_DATE:
      return ForEach<std::int32_t>(decoder, data, first, count, slots, issues, [](std::int32_t days, void* slot) {
        return PutScaledTimestamp(days, 86'400'000'000, slot);
      });
    case DUCKDB_TYPE_TIMESTAMP_S:
      return ForEach<std::int64_t>(decoder, data, first, count, slots, issues, [](std::int64_t value, void* slot) {
        return PutScaledTimestamp(value, 1'000'000, slot);
      });
    case DUCKDB_TYPE_TIMESTAMP_MS:
      return ForEach<std::int64_t>(decoder, data, first, count, slots, issues, [](std::int64_t value, void* slot) {
        return PutScaledTimestamp(value, 1000, slot);
      });
    case DUCKDB_TYPE_TIMESTAMP_NS:
      return ForEach<std::int64_t>(decoder, data, first, count, slots, issues, PutNanoseconds);
    default: return ForEach<std::int64_t>(decoder, data, first, count, slots, issues, PutTimestamp);
  }
}

void DecodeDurations(const ColumnDecoder& decoder, const void* data, std::size_t first, std::size_t count,
                     const Slots& slots, IssueCollector& issues) {
  if (decoder.column_type != DUCKDB_TYPE_INTERVAL) {
    return DecodeIntegers<std::int64_t>(decoder, data, first, count, slots, issues);
  }
  ForEach<duckdb_interval>(
      decoder, data, first, count, slots, issues, [](const duckdb_interval& value, void* slot) -> const char* {
        if (value.months != 0) return "an interval with months has no fixed length";
        std::int64_t micros = 0;
        if (__builtin_add_overflow(std::int64_t{value.days} * 86'400'000'000, value.micros, &micros)) {
          return "the interval is out of the range of a duration";
        }
        *static_cast<Duration*>(slot) = Duration(micros);
        return nullptr;
      });
}

std::pair<const char*, std::size_t> TextOf(const duckdb_string_t& text) {
  const std::uint32_t size = text.value.inlined.length;
  if (size <= sizeof(text.value.inlined.inlined)) return {text.value.inlined.inlined, size};
  return {text.value.pointer.ptr, size};
}

void DecodeTexts(const ColumnDecoder& decoder, const void* data, std::size_t first, std::size_t count,
                 const Slots& slots, IssueCollector& issues) {
  if (decoder.column_type == DUCKDB_TYPE_ENUM) {
    auto put = [&decoder](auto index, void* slot) -> const char* {
      *static_cast<std::string*>(slot) = decoder.dictionary[index];
      return nullptr;
    };
    if (decoder.internal_type == DUCKDB_TYPE_UTINYINT) {
      return ForEach<std::uint8_t>(decoder, data, first, count, slots, issues, put);
    }
    if (decoder.internal_type == DUCKDB_TYPE_USMALLINT) {
      return ForEach<std::uint16_t>(decoder, data, first, count, slots, issues, put);
    }
    return ForEach<std::uint32_t>(decoder, data, first, count, slots, issues, put);
  }
  ForEach<duckdb_string_t>(decoder, data, first, count, slots, issues,
                           [](const duckdb_string_t& value, void* slot) -> const char* {
                             auto [text, size] = TextOf(value);
                             static_cast<std::string*>(slot)->assign(text, size);
                             return nullptr;
                           });
}

void DecodeBytes(const ColumnDecoder& decoder, const void* data, std::size_t first, std::size_t count,
                 const Slots& slots, IssueCollector& issues) {
  ForEach<duckdb_string_t>(decoder, data, first, count, slots, issues,
                           [](const duckdb_string_t& value, void* slot) -> const char* {
                             auto [text, size] = TextOf(value);
                             const auto* begin = reinterpret_cast<const std::byte*>(text);
                             static_cast<std::vector<std::byte>*>(slot)->assign(begin, begin + size);
                             return nullptr;
                           });
}

}  // namespace

void DecodeNative(const ColumnDecoder& decoder, const void* data, std::size_t first, std::size_t count,
                  const Slots& slots, IssueCollector& issues) {
  switch (decoder.type->kind) {
    case FieldKind::kBool:
      return ForEach<bool>(decoder, data, first, count, slots, issues, [](bool value, void* slot) -> const char* {
        *static_cast<bool*>(slot) = value;
        return nullptr;
      });
    case FieldKind::kInt8: return DecodeIntegers<std::int8_t>(decoder, data, first, count, slots, issues);
    case FieldKind::kInt16: return DecodeIntegers<std::int16_t>(decoder, data, first, count, slots, issues);
    case FieldKind::kInt32: return DecodeIntegers<std::int32_t>(decoder, data, first, count, slots, issues);
    case FieldKind::kInt64: return DecodeIntegers<std::int64_t>(decoder, data, first, count, slots, issues);
    case FieldKind::kUint8: return DecodeIntegers<std::uint8_t>(decoder, data, first, count, slots, issues);
    case FieldKind::kUint16: return DecodeIntegers<std::uint16_t>(decoder, data, first, count, slots, issues);
    case FieldKind::kUint32: return DecodeIntegers<std::uint32_t>(decoder, data, first, count, slots, issues);
    case FieldKind::kUint64: return DecodeIntegers<std::uint64_t>(decoder, data, first, count, slots, issues);
    case FieldKind::kFloat: return DecodeReals<float>(decoder, data, first, count, slots, issues);
    case FieldKind::kDouble: return DecodeReals<double>(decoder, data, first, count, slots, issues);
    case FieldKind::kString: return DecodeTexts(decoder, data, first, count, slots, issues);
    case FieldKind::kBytes: return DecodeBytes(decoder, data, first, count, slots, issues);
    case FieldKind::kTimestamp: return DecodeTimestamps(decoder, data, first, count, slots, issues);
    case FieldKind::kDuration: return DecodeDurations(decoder, data, first, count, slots, issues);
    default: return;
  }
}

}  // namespace millrace::columnar
