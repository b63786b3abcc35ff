// JSON to and from any type with a schema, with no tree in between.
//
// Reading is strict: RFC 8259, valid UTF-8, nothing behind the value. Members the struct does not have are checked and
// ignored; a field without a member is an error unless it is a std::optional; null is a value of an optional only; a
// member that occurs twice is an error. Numbers must fit: no fraction and no exponent for an integer, no overflow.
//
// | C++                                     | JSON                                                                    |
// | --------------------------------------- | ----------------------------------------------------------------------- |
// | bool, integers, float, double           | true and false, numbers; "NaN", "Infinity", "-Infinity"                 |
// | std::string                             | string                                                                  |
// | std::vector<std::byte>                  | string of base64 (RFC 4648 section 4, padded)                           |
// | Timestamp, Duration                     | string of RFC 3339 ("2001-01-01T12:30:00Z"); string such as "1h30m"     |
// | enum                                    | its underlying integer                                                  |
// | std::optional                           | the value or null                                                       |
// | std::vector, struct                     | array, object                                                           |
// | std::map, unordered_map                 | object whose names are the keys as text; an array of {"key", "value"}   |
// |                                         | where the key is a struct, a list, a map, an optional or bytes          |
//
// Writing gives one line without spaces, the fields in order, null for an empty optional, the shortest digits that read
// back as the same double. Bytes of a std::string that are no UTF-8 become U+FFFD; use std::vector<std::byte> for them.
// All functions are thread safe on distinct objects.
#pragma once

#include <string>
#include <string_view>

#include "millrace/core/schema.h"
#include "millrace/core/status.h"

namespace millrace::json {

/// Reads `text`, one value of `type`, into `*object`, which holds such a value and whose storage is reused. An
/// INVALID_ARGUMENT names the field's path and the byte offset; `*object` is then partly written.
Status ParseInto(std::string_view text, const Type& type, void* object);

/// The same for an object whose type is known.
template <class T>
Status ParseInto(std::string_view text, T* object) {
  return ParseInto(text, TypeOf<T>(), object);
}

/// `Parse<Click>(line)`: the value, or the reason why there is none.
template <class T>
StatusOr<T> Parse(std::string_view text) {
  StatusOr<T> result{T{}};
  if (Status status = ParseInto(text, TypeOf<T>(), &*result); !status.ok()) return status;
  return result;
}

/// Appends the JSON text of `*object`, a value of `type`, to `out`.
void Append(const Type& type, const void* object, std::string* out);

/// The same for an object whose type is known.
template <class T>
void Append(const T& object, std::string* out) {
  Append(TypeOf<T>(), &object, out);
}

/// The JSON text of an object.
template <class T>
std::string Write(const T& object) {
  std::string text;
  Append(TypeOf<T>(), &object, &text);
  return text;
}

}  // namespace millrace::json
