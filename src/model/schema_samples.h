// Structs and seeded random values for the tests of schemas, coders, JSON and CSV. Only tests and fuzzers include this.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

#include "millrace/core/schema.h"

namespace millrace::model {

enum class Color : std::uint8_t { kRed, kGreen, kBlue };
enum class Level : std::int32_t { kLow = -1, kHigh = 7 };

struct Address {
  std::string street;
  std::optional<std::int32_t> number;

  friend auto operator<=>(const Address&, const Address&) = default;
};

/// A field of every kind that can be read, in every position.
struct Everything {
  bool flag = false;
  std::int8_t int8 = 0;
  std::int16_t int16 = 0;
  std::int32_t int32 = 0;
  std::int64_t int64 = 0;
  std::uint8_t uint8 = 0;
  std::uint16_t uint16 = 0;
  std::uint32_t uint32 = 0;
  std::uint64_t uint64 = 0;
  float single = 0;
  double real = 0;
  std::string text;
  std::vector<std::byte> bytes;
  Timestamp time;
  Duration span{};
  Color color = Color::kRed;
  Level level = Level::kLow;
  std::optional<std::string> maybe_text;
  std::optional<double> maybe_real;
  std::optional<Address> maybe_address;
  std::vector<std::string> texts;
  std::vector<std::optional<std::int64_t>> maybe_numbers;
  std::vector<Address> addresses;
  std::vector<std::vector<std::int16_t>> matrix;
  std::map<std::string, std::int64_t> counts;
  std::unordered_map<std::int32_t, Address> by_number;
  std::map<Address, bool> visited;
  std::map<Timestamp, std::optional<std::string>> history;
  Address address;
  KV<std::string, std::int64_t> pair;

  friend bool operator==(const Everything&, const Everything&) = default;
};

/// Fills any value of a type with random content, small in number of elements and wild in the elements.
class RandomValues {
 public:
  explicit RandomValues(std::uint64_t seed) : random_(seed) {}

  std::uint64_t Below(std::uint64_t limit) { return random_() % limit; }

  void Fill(const Type& type, void* object) {
    switch (type.kind) {
      case FieldKind::kBool: *static_cast<bool*>(object) = Below(2) == 1; return;
      case FieldKind::kInt8: *static_cast<std::int8_t*>(object) = Integer<std::int8_t>(); return;
      case FieldKind::kInt16: *static_cast<std::int16_t*>(object) = Integer<std::int16_t>(); return;
      case FieldKind::kInt32: *static_cast<std::int32_t*>(object) = Integer<std::int32_t>(); return;
      case FieldKind::kInt64: *static_cast<std::int64_t*>(object) = Integer<std::int64_t>(); return;
      case FieldKind::kUint8: *static_cast<std::uint8_t*>(object) = Integer<std::uint8_t>(); return;
      case FieldKind::kUint16: *static_cast<std::uint16_t*>(object) = Integer<std::uint16_t>(); return;
      case FieldKind::kUint32: *static_cast<std::uint32_t*>(object) = Integer<std::uint32_t>(); return;
      case FieldKind::kUint64: *static_cast<std::uint64_t*>(object) = Integer<std::uint64_t>(); return;
      case FieldKind::kFloat: *static_cast<float*>(object) = static_cast<float>(Real() / 1e30); return;
      case FieldKind::kDouble: *static_cast<double*>(object) = Real(); return;
      case FieldKind::kString: *static_cast<std::string*>(object) = Text(); return;
      case FieldKind::kStringView: *static_cast<std::string_view*>(object) = "constant"; return;
      case FieldKind::kBytes: FillBytes(static_cast<std::vector<std::byte>*>(object)); return;
      case FieldKind::kTimestamp: *static_cast<Timestamp*>(object) = Time(); return;
      case FieldKind::kDuration: *static_cast<Duration*>(object) = Duration(Integer<std::int32_t>()); return;
      case FieldKind::kEnum: return Fill(*type.element, object);
      case FieldKind::kOptional:
        type.optional_reset(object);
        if (Below(2) == 1) Fill(*type.element, type.optional_emplace(object));
        return;
      case FieldKind::kList:
        type.list_clear(object);
        for (std::uint64_t count = Below(4); count > 0; --count) Fill(*type.element, type.list_append(object));
        return;
      case FieldKind::kMap: return FillMap(type, object);
      case FieldKind::kStruct:
        for (const Field& field : type.schema->fields()) Fill(*field.type, field.In(object));
        return;
    }
  }

  template <class T>
  T Make() {
    T value{};
    Fill(TypeOf<T>(), &value);
    return value;
  }

 private:
  /// Small numbers and the ends of the range are frequent.
  template <class T>
  T Integer() {
    switch (Below(4)) {
      case 0: return static_cast<T>(Below(10));
      case 1: return std::numeric_limits<T>::max();
      case 2: return std::numeric_limits<T>::min();
      default: return static_cast<T>(random_() >> Below(64));
    }
  }

  double Real() {
    const double mantissa = static_cast<double>(static_cast<std::int64_t>(random_()));
    switch (Below(3)) {
      case 0: return static_cast<double>(Below(1000)) / 4;
      case 1: return mantissa * 1e-30;
      default: return mantissa * 1e40;
    }
  }

  std::string Text() {
    static constexpr const char* kPieces[] = {"a",          "Zz",   " ", ",", "\"",   "\\",     "\n",
                                              "\r\n",       "\t",   "/", "0", "\x01", "\u00fc", "\u20ac",
                                              "\U0001F30A", "null", "{", "]", "''",   ";"};
    std::string text;
    for (std::uint64_t count = Below(12); count > 0; --count) text += kPieces[Below(std::size(kPieces))];
    return text;
  }

  void FillBytes(std::vector<std::byte>* bytes) {
    bytes->resize(Below(9));
    for (std::byte& byte : *bytes) byte = static_cast<std::byte>(Below(256));
  }

  Timestamp Time() {
    switch (Below(4)) {
      case 0: return Timestamp::Min();
      case 1: return Timestamp::Max();
      default: return Timestamp::FromMicros(static_cast<std::int64_t>(random_()) >> (4 + Below(30)));
    }
  }

  void FillMap(const Type& type, void* object) {
    type.map_clear(object);
    void* key = type.key->create();
    for (std::uint64_t count = Below(4); count > 0; --count) {
      Fill(*type.key, key);
      Fill(*type.element, type.map_insert(object, key));
    }
    type.key->destroy(key);
  }

  std::mt19937_64 random_;
};

}  // namespace millrace::model
