// Values that have no parts as text: the cells of CSV and the names that JSON gives to the keys of a map.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/core/schema.h"

namespace millrace::model {

/// Whether values of this type are one text: numbers, bool, strings, times, enums, bytes; no optional.
bool IsTextual(const Type& type);

/// Reads all of `text` into `*object`. False when it is no such value; `*why` then says what was expected.
bool ParseText(std::string_view text, const Type& type, void* object, std::string* why);

/// Appends what `ParseText` reads.
void AppendText(const Type& type, const void* object, std::string* out);

/// Reads a decimal integer that spans `text` into the integer or enum `*object`. False when it is none or out of range.
bool ParseInteger(std::string_view text, const Type& type, void* object, std::string* why);

/// Reads a decimal number that spans `text`. A result that is too large is refused, one that is too small becomes 0.
bool ParseFloating(std::string_view text, double* value);
bool ParseFloating(std::string_view text, float* value);

/// Appends the shortest digits that read back as the same number; "NaN", "Infinity", "-Infinity".
void AppendFloating(double value, std::string* out);
void AppendFloating(float value, std::string* out);

/// Appends the decimal digits of an integer or enum.
void AppendInteger(const Type& type, const void* object, std::string* out);

/// RFC 4648 section 4, with padding.
void AppendBase64(const std::vector<std::byte>& bytes, std::string* out);
bool ParseBase64(std::string_view text, std::vector<std::byte>* bytes);

/// The length in bytes, 1 to 4, of the UTF-8 character that `text` begins with; 0 when it begins with none.
std::size_t Utf8Length(std::string_view text);

}  // namespace millrace::model
