// The bytes of a fuzzer as numbers and texts, so that an input is a list of decisions. When they are used up, numbers
// are 0 and texts empty.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

namespace millrace::fuzz {

class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : left_(reinterpret_cast<const char*>(data), size) {}

  bool empty() const { return left_.empty(); }

  template <class Number>
  Number Take() {
    Number number{};
    const std::size_t bytes = std::min(sizeof(number), left_.size());
    if (bytes > 0) std::memcpy(&number, left_.data(), bytes);
    left_.remove_prefix(bytes);
    return number;
  }
  /// The next `bytes`, or what is left of them.
  std::string_view TakeText(std::size_t bytes) {
    const std::string_view text = left_.substr(0, bytes);
    left_.remove_prefix(text.size());
    return text;
  }
  std::string_view TakeRest() { return TakeText(left_.size()); }

 private:
  std::string_view left_;
};

inline void Require(bool holds, const std::string& what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what.c_str());
  std::abort();
}

}  // namespace millrace::fuzz
