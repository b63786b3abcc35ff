// Bytes that grow at the end, without being zeroed first; and numbers in bytes as the log's files have them.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

namespace millrace::log {

static_assert(std::endian::native == std::endian::little, "the log's numbers are little-endian, as the machine's");

template <class Number>
Number Load(const char* at) {
  Number number;
  std::memcpy(&number, at, sizeof(number));
  return number;
}

template <class Number>
void Store(char* at, Number number) {
  std::memcpy(at, &number, sizeof(number));
}

class ByteBuffer {
 public:
  char* data() { return bytes_.get(); }
  const char* data() const { return bytes_.get(); }
  std::size_t size() const { return size_; }
  std::size_t capacity() const { return capacity_; }
  bool empty() const { return size_ == 0; }
  std::string_view view() const { return {bytes_.get(), size_}; }

  void Clear() { size_ = 0; }

  /// Where to write up to `bytes` more; then `Advance`. Pointers into the buffer become invalid.
  char* Reserve(std::size_t bytes) {
    if (capacity_ - size_ < bytes) [[unlikely]] {
      Grow(bytes);
    }
    return bytes_.get() + size_;
  }
  void Advance(std::size_t bytes) { size_ += bytes; }

  void Append(std::string_view bytes) {
    if (bytes.empty()) return;
    std::memcpy(Reserve(bytes.size()), bytes.data(), bytes.size());
    Advance(bytes.size());
  }
  template <class Number>
  void AppendNumber(Number number) {
    Store(Reserve(sizeof(number)), number);
    Advance(sizeof(number));
  }

 private:
  void Grow(std::size_t bytes) {
    const std::size_t capacity = std::max({size_ + bytes, capacity_ * 2, std::size_t{4096}});
    std::unique_ptr<char[]> grown(new char[capacity]);
    if (size_ > 0) std::memcpy(grown.get(), bytes_.get(), size_);
    bytes_ = std::move(grown);
    capacity_ = capacity;
  }

  std::unique_ptr<char[]> bytes_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace millrace::log
