#include "model/schema_text.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>

namespace millrace::model {
namespace {

constexpr std::string_view kBase64Digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr unsigned char kNoDigit = 0xff;

constexpr std::array<unsigned char, 256> Base64Values() {
  std::array<unsigned char, 256> values{};
  values.fill(kNoDigit);
  for (std::size_t i = 0; i < kBase64Digits.size(); ++i) {
    values[static_cast<unsigned char>(kBase64Digits[i])] = static_cast<unsigned char>(i);
  }
  return values;
}

template <class T>
bool ParseIntegerAs(std::string_view text, void* object, std::string* why) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::result_out_of_range && end == text.data() + text.size()) {
    *why = std::string(text) + " is out of the range " + std::to_string(std::numeric_limits<T>::min()) + " to " +
           std::to_string(std::numeric_limits<T>::max());
    return false;
  }
  if (error != std::errc() || end != text.data() + text.size()) {
    *why = "expected an integer, found " + std::string(text.substr(0, 40));
    return false;
  }
  *static_cast<T*>(object) = value;
  return true;
}

template <class T>
void AppendIntegerAs(const void* object, std::string* out) {
  char digits[24];
  const auto result = std::to_chars(digits, digits + sizeof digits, *static_cast<const T*>(object));
  out->append(digits, static_cast<std::size_t>(result.ptr - digits));
}

/// strtod knows the difference between too large and too small, which from_chars does not tell.
bool ParseExtreme(std::string_view text, double* value) {
  const std::string copy(text);
  char* end = nullptr;
  *value = std::strtod(copy.c_str(), &end);
  return end == copy.c_str() + copy.size() && std::isfinite(*value);
}
bool ParseExtreme(std::string_view text, float* value) {
  const std::string copy(text);
  char* end = nullptr;
  *value = std::strtof(copy.c_str(), &end);
  return end == copy.c_str() + copy.size() && std::isfinite(*value);
}

template <class T>
bool ParseFloatingAs(std::string_view text, T* value) {
  if (text.empty()) return false;
  const char first = text.front();
  if (first != '-' && (first < '0' || first > '9')) {
    if (text == "NaN") *value = std::numeric_limits<T>::quiet_NaN();
    if (text == "Infinity") *value = std::numeric_limits<T>::infinity();
    return text == "NaN" || text == "Infinity";
  }
  if (text == "-Infinity") {
    *value = -std::numeric_limits<T>::infinity();
    return true;
  }
  if (first == '-' && (text.size() < 2 || text[1] < '0' || text[1] > '9')) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
  if (end != text.data() + text.size()) return false;
  if (error == std::errc::result_out_of_range) return ParseExtreme(text, value);
  return error == std::errc();
}

template <class T>
void AppendFloatingAs(T value, std::string* out) {
  if (std::isnan(value)) {
    out->append("NaN");
  } else if (std::isinf(value)) {
    out->append(value < 0 ? "-Infinity" : "Infinity");
  } else {
    char digits[64];
    const auto result = std::to_chars(digits, digits + sizeof digits, value);
    out->append(digits, static_cast<std::size_t>(result.ptr - digits));
  }
}

bool Expected(std::string_view what, std::string_view text, std::string* why) {
  *why = "expected ";
  why->append(what).append(", found \"").append(text.substr(0, 40)).append(text.size() > 40 ? "...\"" : "\"");
  return false;
}

template <class T>
bool Take(StatusOr<T> parsed, void* object, std::string* why) {
  if (!parsed.ok()) {
    *why = parsed.status().message();
    return false;
  }
  *static_cast<T*>(object) = *parsed;
  return true;
}

}  // namespace

bool IsTextual(const Type& type) {
  switch (type.kind) {
    case FieldKind::kOptional:
    case FieldKind::kList:
    case FieldKind::kMap:
    case FieldKind::kStruct: return false;
    default: return true;
  }
}

bool ParseInteger(std::string_view text, const Type& type, void* object, std::string* why) {
  switch (type.kind) {
    case FieldKind::kInt8: return ParseIntegerAs<std::int8_t>(text, object, why);
    case FieldKind::kInt16: return ParseIntegerAs<std::int16_t>(text, object, why);
    case FieldKind::kInt32: return ParseIntegerAs<std::int32_t>(text, object, why);
    case FieldKind::kInt64: return ParseIntegerAs<std::int64_t>(text, object, why);
    case FieldKind::kUint8: return ParseIntegerAs<std::uint8_t>(text, object, why);
    case FieldKind::kUint16: return ParseIntegerAs<std::uint16_t>(text, object, why);
    case FieldKind::kUint32: return ParseIntegerAs<std::uint32_t>(text, object, why);
    case FieldKind::kUint64: return ParseIntegerAs<std::uint64_t>(text, object, why);
    case FieldKind::kEnum:
      if (type.element->kind != FieldKind::kBool) return ParseInteger(text, *type.element, object, why);
      if (text != "0" && text != "1") return Expected("0 or 1", text, why);
      *static_cast<bool*>(object) = text == "1";
      return true;
    default: *why = type.ToString() + " is no integer"; return false;
  }
}

void AppendInteger(const Type& type, const void* object, std::string* out) {
  switch (type.kind) {
    case FieldKind::kInt8: return AppendIntegerAs<std::int8_t>(object, out);
    case FieldKind::kInt16: return AppendIntegerAs<std::int16_t>(object, out);
    case FieldKind::kInt32: return AppendIntegerAs<std::int32_t>(object, out);
    case FieldKind::kInt64: return AppendIntegerAs<std::int64_t>(object, out);
    case FieldKind::kUint8: return AppendIntegerAs<std::uint8_t>(object, out);
    case FieldKind::kUint16: return AppendIntegerAs<std::uint16_t>(object, out);
    case FieldKind::kUint32: return AppendIntegerAs<std::uint32_t>(object, out);
    case FieldKind::kUint64: return AppendIntegerAs<std::uint64_t>(object, out);
    case FieldKind::kBool: out->push_back(*static_cast<const bool*>(object) ? '1' : '0'); return;
    case FieldKind::kEnum: return AppendInteger(*type.element, object, out);
    default: return;
  }
}

bool ParseFloating(std::string_view text, double* value) { return ParseFloatingAs(text, value); }
bool ParseFloating(std::string_view text, float* value) { return ParseFloatingAs(text, value); }
void AppendFloating(double value, std::string* out) { AppendFloatingAs(value, out); }
void AppendFloating(float value, std::string* out) { AppendFloatingAs(value, out); }

bool ParseText(std::string_view text, const Type& type, void* object, std::string* why) {
  switch (type.kind) {
    case FieldKind::kBool:
      if (text != "true" && text != "false") return Expected("true or false", text, why);
      *static_cast<bool*>(object) = text == "true";
      return true;
    case FieldKind::kFloat:
      return ParseFloating(text, static_cast<float*>(object)) || Expected("a number in range", text, why);
    case FieldKind::kDouble:
      return ParseFloating(text, static_cast<double*>(object)) || Expected("a number in range", text, why);
    case FieldKind::kString: static_cast<std::string*>(object)->assign(text); return true;
    case FieldKind::kStringView:
      *why = "a std::string_view cannot be read into, for it owns no storage; make the field a std::string";
      return false;
    case FieldKind::kBytes:
      return ParseBase64(text, static_cast<std::vector<std::byte>*>(object)) || Expected("padded base64", text, why);
    case FieldKind::kTimestamp: return Take(Timestamp::Parse(text), object, why);
    case FieldKind::kDuration: return Take(ParseDuration(text), object, why);
    case FieldKind::kOptional:
    case FieldKind::kList:
    case FieldKind::kMap:
    case FieldKind::kStruct: *why = "a " + type.ToString() + " is not one text"; return false;
    default: return ParseInteger(text, type, object, why);
  }
}

void AppendText(const Type& type, const void* object, std::string* out) {
  switch (type.kind) {
    case FieldKind::kBool: out->append(*static_cast<const bool*>(object) ? "true" : "false"); return;
    case FieldKind::kFloat: return AppendFloating(*static_cast<const float*>(object), out);
    case FieldKind::kDouble: return AppendFloating(*static_cast<const double*>(object), out);
    case FieldKind::kString: out->append(*static_cast<const std::string*>(object)); return;
    case FieldKind::kStringView: out->append(*static_cast<const std::string_view*>(object)); return;
    case FieldKind::kBytes: return AppendBase64(*static_cast<const std::vector<std::byte>*>(object), out);
    case FieldKind::kTimestamp: out->append(static_cast<const Timestamp*>(object)->ToString()); return;
    case FieldKind::kDuration: out->append(DurationToString(*static_cast<const Duration*>(object))); return;
    case FieldKind::kOptional:
    case FieldKind::kList:
    case FieldKind::kMap:
    case FieldKind::kStruct: return;
    default: return AppendInteger(type, object, out);
  }
}

void AppendBase64(const std::vector<std::byte>& bytes, std::string* out) {
  std::uint32_t bits = 0;
  int count = 0;
  for (std::byte byte : bytes) {
    bits = bits << 8 | static_cast<std::uint32_t>(byte);
    count += 8;
    for (; count >= 6; count -= 6) out->push_back(kBase64Digits[bits >> (count - 6) & 63]);
  }
  if (count > 0) out->push_back(kBase64Digits[bits << (6 - count) & 63]);
  if (bytes.size() % 3 != 0) out->append(3 - bytes.size() % 3, '=');
}

bool ParseBase64(std::string_view text, std::vector<std::byte>* bytes) {
  static constexpr auto kValues = Base64Values();
  bytes->clear();
  if (text.size() % 4 != 0) return false;
  std::size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  text.remove_suffix(padding);
  bytes->reserve(text.size() / 4 * 3 + 2);
  std::uint32_t bits = 0;
  int count = 0;
  for (char c : text) {
    const unsigned char value = kValues[static_cast<unsigned char>(c)];
    if (value == kNoDigit) return false;
    bits = bits << 6 | value;
    count += 6;
    if (count >= 8) {
      count -= 8;
      bytes->push_back(static_cast<std::byte>(bits >> count & 0xff));
    }
  }
  return (bits & ((1U << count) - 1)) == 0;  // the bits left over by the padding must be zero
}

std::size_t Utf8Length(std::string_view text) {
  if (text.empty()) return 0;
  auto at = [&text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  auto continues = [&](std::size_t i, unsigned char low, unsigned char high) {
    return i < text.size() && at(i) >= low && at(i) <= high;
  };
  const unsigned char first = at(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return continues(1, 0x80, 0xbf) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    const unsigned char low = first == 0xe0 ? 0xa0 : 0x80;
    const unsigned char high = first == 0xed ? 0x9f : 0xbf;
    return continues(1, low, high) && continues(2, 0x80, 0xbf) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const unsigned char low = first == 0xf0 ? 0x90 : 0x80;
    const unsigned char high = first == 0xf4 ? 0x8f : 0xbf;
    return continues(1, low, high) && continues(2, 0x80, 0xbf) && continues(3, 0x80, 0xbf) ? 4 : 0;
  }
  return 0;
}

}  // namespace millrace::model
