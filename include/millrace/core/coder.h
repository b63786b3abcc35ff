// Coders: values to bytes and back, in Beam's standard encodings
// (https://beam.apache.org/documentation/programming-guide/#data-encoding-and-type-safety), so that any Beam runner can
// move, group and window what Millrace writes. The layouts, with examples, are in docs/formats/coders.md.
//
// There are two encodings of one type. As an *element* of a PCollection an integer has the varint coder, a KV the kv
// coder, a struct the row coder. As a *field* of a row it has the row coder's own encoding. Beam knows a nested and an
// outer context; Millrace always writes the nested one, where every value carries its own length.
//
// All encodings are deterministic but those of float and double (0.0 equals -0.0, and a NaN has many forms): maps are
// written in the order of their keys' bytes. All functions are thread safe on distinct objects.
#pragma once

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

#include "millrace/core/kv.h"
#include "millrace/core/schema.h"
#include "millrace/core/status.h"
#include "millrace/core/timestamp.h"

namespace millrace {

/// Appends the encoding of `*object`, an element of `type`.
void EncodeElement(const Type& type, const void* object, std::string* out);

/// Reads an element of `type` from the front of `*in` into `*object`, which holds such a value, and moves `*in` behind
/// it. DATA_LOSS names the field, the byte offset and what is wrong; `*in` then has not moved.
Status DecodeElement(const Type& type, std::string_view* in, void* object);

/// Whether equal values have equal bytes, as grouping by key needs. When not, `*why` (if given) names the field.
bool IsDeterministic(const Type& type, std::string* why = nullptr);

/// The URN of the element coder, such as "beam:coder:varint:v1". What Beam has no standard coder for (float, map,
/// Timestamp, Duration) is "millrace:coder:field:v1", the encoding of such a field, which a runner treats as bytes.
std::string_view CoderUrn(const Type& type);

/// The URN with its components, such as "beam:coder:kv:v1<beam:coder:string_utf8:v1, beam:coder:row:v1{id: int64}>".
std::string DescribeCoder(const Type& type);

/// Beam's encoding of timestamps: whole milliseconds (rounded towards the past) so shifted that the order of the bytes
/// is the order in time. 8 bytes.
void EncodeInstant(Timestamp time, std::string* out);
Status DecodeInstant(std::string_view* in, Timestamp* time);

/// beam:coder:interval_window:v1: the window's end and its span, both in whole milliseconds. (The global window's coder
/// writes nothing at all.)
void EncodeIntervalWindow(Timestamp start, Timestamp end, std::string* out);
Status DecodeIntervalWindow(std::string_view* in, Timestamp* start, Timestamp* end);

namespace detail {

/// Base 128, the lowest group first; 1 to 10 bytes.
inline void AppendVarint(std::uint64_t value, std::string* out) {
  char bytes[10];
  std::size_t size = 0;
  for (; value >= 0x80; value >>= 7) bytes[size++] = static_cast<char>(value | 0x80);
  bytes[size++] = static_cast<char>(value);
  out->append(bytes, size);
}

/// False, and `*in` not moved, when the bytes end before the number does or it has more than 64 bits.
inline bool ReadVarint(std::string_view* in, std::uint64_t* value) {
  std::uint64_t result = 0;
  for (std::size_t i = 0; i < in->size() && i < 10; ++i) {
    const auto byte = static_cast<unsigned char>((*in)[i]);
    if (i == 9 && byte > 1) return false;
    result |= static_cast<std::uint64_t>(byte & 0x7f) << 7 * i;
    if (byte < 0x80) {
      in->remove_prefix(i + 1);
      *value = result;
      return true;
    }
  }
  return false;
}

template <class T>
inline constexpr bool kIsPlainInteger = std::is_integral_v<T> && !std::is_same_v<T, bool> && !std::is_same_v<T, char>;

}  // namespace detail

/// The coder of `T`, chosen by its type. Keys and small values are encoded inline, the rest by `EncodeElement`.
template <class T>
struct Coder {
  /// Appends the encoding of `value`.
  static void Encode(const T& value, std::string* out) {
    if constexpr (detail::kIsPlainInteger<T>) {
      detail::AppendVarint(static_cast<std::uint64_t>(value), out);
    } else if constexpr (std::is_same_v<T, std::string> || std::is_same_v<T, std::string_view>) {
      detail::AppendVarint(value.size(), out);
      out->append(value);
    } else if constexpr (detail::kIsKv<T>) {
      Coder<typename T::Key>::Encode(value.key, out);
      Coder<typename T::Value>::Encode(value.value, out);
    } else {
      EncodeElement(TypeOf<T>(), &value, out);
    }
  }

  /// As `DecodeElement`.
  static Status Decode(std::string_view* in, T* value) {
    if constexpr (std::is_same_v<T, std::int64_t>) {
      std::uint64_t bits = 0;
      if (detail::ReadVarint(in, &bits)) [[likely]] {
        *value = static_cast<std::int64_t>(bits);
        return OkStatus();
      }
    } else if constexpr (std::is_same_v<T, std::string>) {
      std::string_view rest = *in;
      std::uint64_t size = 0;
      if (detail::ReadVarint(&rest, &size) && size <= rest.size()) [[likely]] {
        value->assign(rest.substr(0, size));
        *in = rest.substr(size);
        return OkStatus();
      }
    }
    return DecodeElement(TypeOf<T>(), in, value);
  }

  static std::string_view Urn() { return CoderUrn(TypeOf<T>()); }
};

/// The encoding of one value.
template <class T>
std::string Encode(const T& value) {
  std::string bytes;
  Coder<T>::Encode(value, &bytes);
  return bytes;
}

/// The value that spans `bytes`; DATA_LOSS when it does not or when bytes are left over.
template <class T>
StatusOr<T> Decode(std::string_view bytes) {
  StatusOr<T> result{T{}};
  if (Status status = Coder<T>::Decode(&bytes, &*result); !status.ok()) return status;
  if (!bytes.empty()) return DataLossError(std::to_string(bytes.size()) + " bytes are left over behind the value");
  return result;
}

}  // namespace millrace
