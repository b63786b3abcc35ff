#include "io/rocksdb/ordered_key.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <limits>
#include <type_traits>
#include <vector>

namespace millrace::io_rocksdb {
namespace {

constexpr std::uint64_t kSignBit = std::uint64_t{1} << 63;

template <class Native>
Native Load(const void* value) {
  Native native;
  std::memcpy(&native, value, sizeof(native));
  return native;
}

template <class Integer>
void AppendInteger(const void* value, std::string* out) {
  auto bits = static_cast<std::uint64_t>(Load<std::make_unsigned_t<Integer>>(value));
  if constexpr (std::is_signed_v<Integer>) bits ^= std::uint64_t{1} << (8 * sizeof(Integer) - 1);
  AppendBigEndian(bits, sizeof(Integer), out);
}

template <class Integer>
bool TakeInteger(std::string_view* in, void* value) {
  std::uint64_t bits = 0;
  if (!TakeBigEndian(in, sizeof(Integer), &bits)) return false;
  if constexpr (std::is_signed_v<Integer>) bits ^= std::uint64_t{1} << (8 * sizeof(Integer) - 1);
  const auto stored = static_cast<std::make_unsigned_t<Integer>>(bits);
  std::memcpy(value, &stored, sizeof(stored));
  return true;
}

// A float is stored as the double of the same value, whose order is the same.
void AppendReal(double value, std::string* out) {
  if (value == 0) value = 0;
  if (std::isnan(value)) value = std::numeric_limits<double>::quiet_NaN();
  const auto bits = std::bit_cast<std::uint64_t>(value);
  AppendBigEndian((bits & kSignBit) != 0 ? ~bits : bits | kSignBit, 8, out);
}

bool TakeReal(std::string_view* in, double* value) {
  std::uint64_t bits = 0;
  if (!TakeBigEndian(in, 8, &bits)) return false;
  *value = std::bit_cast<double>((bits & kSignBit) != 0 ? bits & ~kSignBit : ~bits);
  return true;
}

// A zero byte becomes 00 FF, the end is 00 00: a text comes right before its continuations.
void AppendText(std::string_view text, std::string* out) {
  for (std::size_t begin = 0;;) {
    const std::size_t zero = text.find('\0', begin);
    out->append(text.substr(begin, zero - begin));
    if (zero == std::string_view::npos) break;
    out->append("\0\xFF", 2);
    begin = zero + 1;
  }
  out->append(2, '\0');
}

bool TakeText(std::string_view* in, std::string* text) {
  text->clear();
  for (std::size_t begin = 0;;) {
    const std::size_t zero = in->find('\0', begin);
    if (zero == std::string_view::npos || zero + 1 >= in->size()) return false;
    text->append(in->substr(begin, zero - begin));
    begin = zero + 2;
    if ((*in)[zero + 1] == '\0') {
      in->remove_prefix(begin);
      return true;
    }
    if ((*in)[zero + 1] != '\xFF') return false;
    text->push_back('\0');
  }
}

bool TakeScalar(const Type& type, std::string_view* in, void* value) {
  switch (type.kind) {
    case FieldKind::kInt8: return TakeInteger<std::int8_t>(in, value);
    case FieldKind::kInt16: return TakeInteger<std::int16_t>(in, value);
    case FieldKind::kInt32: return TakeInteger<std::int32_t>(in, value);
    case FieldKind::kInt64:
    case FieldKind::kTimestamp:
    case FieldKind::kDuration: return TakeInteger<std::int64_t>(in, value);
    case FieldKind::kUint8: return TakeInteger<std::uint8_t>(in, value);
    case FieldKind::kUint16: return TakeInteger<std::uint16_t>(in, value);
    case FieldKind::kUint32: return TakeInteger<std::uint32_t>(in, value);
    case FieldKind::kUint64: return TakeInteger<std::uint64_t>(in, value);
    case FieldKind::kBool: {
      std::uint64_t bit = 0;
      if (!TakeBigEndian(in, 1, &bit) || bit > 1) return false;
      *static_cast<bool*>(value) = bit == 1;
      return true;
    }
    case FieldKind::kFloat: {
      double real = 0;
      if (!TakeReal(in, &real)) return false;
      *static_cast<float*>(value) = static_cast<float>(real);
      return true;
    }
    case FieldKind::kDouble: return TakeReal(in, static_cast<double*>(value));
    case FieldKind::kString: return TakeText(in, static_cast<std::string*>(value));
    case FieldKind::kBytes: {
      std::string text;
      if (!TakeText(in, &text)) return false;
      const auto* bytes = reinterpret_cast<const std::byte*>(text.data());
      static_cast<std::vector<std::byte>*>(value)->assign(bytes, bytes + text.size());
      return true;
    }
    case FieldKind::kEnum: return TakeScalar(*type.element, in, value);
    case FieldKind::kOptional: {
      std::uint64_t has_value = 0;
      if (!TakeBigEndian(in, 1, &has_value) || has_value > 1) return false;
      if (has_value == 1) return TakeScalar(*type.element, in, type.optional_emplace(value));
      type.optional_reset(value);
      return true;
    }
    default: return false;
  }
}

}  // namespace

void AppendBigEndian(std::uint64_t value, int bytes, std::string* out) {
  std::array<char, sizeof(value)> big_endian;
  for (int i = 0; i < bytes; ++i) {
    big_endian[static_cast<std::size_t>(i)] = static_cast<char>(value >> (8 * (bytes - 1 - i)));
  }
  out->append(big_endian.data(), static_cast<std::size_t>(bytes));
}

bool TakeBigEndian(std::string_view* in, int bytes, std::uint64_t* value) {
  if (in->size() < static_cast<std::size_t>(bytes)) return false;
  *value = 0;
  for (int i = 0; i < bytes; ++i) {
    *value = *value << 8 | static_cast<unsigned char>((*in)[static_cast<std::size_t>(i)]);
  }
  in->remove_prefix(static_cast<std::size_t>(bytes));
  return true;
}

void AppendOrderedInt64(std::int64_t value, std::string* out) { AppendInteger<std::int64_t>(&value, out); }

bool TakeOrderedInt64(std::string_view* in, std::int64_t* value) { return TakeInteger<std::int64_t>(in, value); }

void AppendOrdered(const Type& type, const void* value, std::string* out) {
  switch (type.kind) {
    case FieldKind::kBool: return AppendBigEndian(*static_cast<const bool*>(value) ? 1 : 0, 1, out);
    case FieldKind::kInt8: return AppendInteger<std::int8_t>(value, out);
    case FieldKind::kInt16: return AppendInteger<std::int16_t>(value, out);
    case FieldKind::kInt32: return AppendInteger<std::int32_t>(value, out);
    case FieldKind::kInt64:
    case FieldKind::kTimestamp:
    case FieldKind::kDuration: return AppendInteger<std::int64_t>(value, out);
    case FieldKind::kUint8: return AppendInteger<std::uint8_t>(value, out);
    case FieldKind::kUint16: return AppendInteger<std::uint16_t>(value, out);
    case FieldKind::kUint32: return AppendInteger<std::uint32_t>(value, out);
    case FieldKind::kUint64: return AppendInteger<std::uint64_t>(value, out);
    case FieldKind::kFloat: return AppendReal(Load<float>(value), out);
    case FieldKind::kDouble: return AppendReal(Load<double>(value), out);
    case FieldKind::kString: return AppendText(*static_cast<const std::string*>(value), out);
    case FieldKind::kStringView: return AppendText(*static_cast<const std::string_view*>(value), out);
    case FieldKind::kBytes: {
      const auto& bytes = *static_cast<const std::vector<std::byte>*>(value);
      return AppendText({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, out);
    }
    case FieldKind::kEnum: return AppendOrdered(*type.element, value, out);
    case FieldKind::kOptional: {
      const void* held = type.optional_get(value);
      out->push_back(held == nullptr ? '\0' : '\1');
      if (held != nullptr) AppendOrdered(*type.element, held, out);
      return;
    }
    case FieldKind::kList:
    case FieldKind::kMap:
    case FieldKind::kStruct: return;  // no key column has such a type: see columnar::ColumnsOfView
  }
}

Status TakeOrdered(const Type& type, std::string_view* in, void* value) {
  if (TakeScalar(type, in, value)) return OkStatus();
  return DataLossError("the bytes of a key are no " + type.ToString());
}

}  // namespace millrace::io_rocksdb
