// The scalar loops of the decoder. Internal to this room.
#pragma once

#include <cstddef>
#include <cstdint>

#include "columnar/column_decoder.h"

namespace millrace::columnar {

inline constexpr const char* kNullReason = "it is NULL; make the field a std::optional to allow that";

/// The objects that are decoded into, and which of the vector's rows are not NULL.
struct Slots {
  char* base = nullptr;
  std::size_t stride = 0;
  const std::uint64_t* validity = nullptr;  // one bit per row of the vector; null where all are valid

  void* At(std::size_t index) const { return base + index * stride; }
  bool IsValid(std::size_t row) const { return validity == nullptr || ((validity[row / 64] >> (row % 64)) & 1) != 0; }
};

/// Decodes numbers, texts, bytes and times: `data` is the vector's array.
void DecodeNative(const ColumnDecoder& decoder, const void* data, std::size_t first, std::size_t count,
                  const Slots& slots, IssueCollector& issues);

}  // namespace millrace::columnar
