// Keys as bytes whose order under memcmp is the order of the values; no encoding is a prefix of another one. The
// layout is specified in docs/formats/views.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "millrace/core/schema.h"
#include "millrace/core/status.h"

namespace millrace::io_rocksdb {

/// Appends an unsigned number, big-endian, in `bytes` bytes.
void AppendBigEndian(std::uint64_t value, int bytes, std::string* out);
/// Reads what `AppendBigEndian` wrote and removes it from the front; false if `in` is too short.
bool TakeBigEndian(std::string_view* in, int bytes, std::uint64_t* value);

/// Appends a signed number such that negative ones come first.
void AppendOrderedInt64(std::int64_t value, std::string* out);
bool TakeOrderedInt64(std::string_view* in, std::int64_t* value);

/// Appends a scalar or optional scalar. Empty optionals come first; NaN, whatever its form, comes last; -0.0 is 0.0.
void AppendOrdered(const Type& type, const void* value, std::string* out);

/// Reads what `AppendOrdered` wrote and removes it from the front. DATA_LOSS if the bytes are no such encoding.
Status TakeOrdered(const Type& type, std::string_view* in, void* value);

}  // namespace millrace::io_rocksdb
