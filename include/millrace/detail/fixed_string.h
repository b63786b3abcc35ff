// A string literal as a template argument: State<"seen", bool>.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace millrace::detail {

template <std::size_t kSize>
struct FixedString {
  char text[kSize];
  consteval FixedString(const char (&literal)[kSize]) { std::copy_n(literal, kSize, text); }  // NOLINT: implicit
  constexpr std::string_view view() const { return {text, kSize - 1}; }
};

}  // namespace millrace::detail
