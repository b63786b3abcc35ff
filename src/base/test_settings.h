// What randomized and slow tests are told from outside: two environment variables, which the Makefile sets.
//   MILLRACE_TEST_SEED   a decimal number; the Makefile takes it from the commit's hash; 1 when it is not set
//   MILLRACE_TEST_LEVEL  short (the default) or long
// Only tests and benchmarks include this.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace millrace::base {

/// The seed of a randomized test. Say it when a case fails: `SCOPED_TRACE("MILLRACE_TEST_SEED=" +
/// std::to_string(TestSeed()))`.
inline std::uint64_t TestSeed() {
  const char* text = std::getenv("MILLRACE_TEST_SEED");
  return text == nullptr ? 1 : std::strtoull(text, nullptr, 10);
}

/// Under a sanitizer everything takes several times as long.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif
#else
inline constexpr bool kSanitized = false;
#endif

/// `long_count` rounds at the level long, otherwise `short_count`, of which a build with a sanitizer does a third.
inline std::int64_t TestRounds(std::int64_t short_count, std::int64_t long_count) {
  const char* level = std::getenv("MILLRACE_TEST_LEVEL");
  if (level != nullptr && std::string_view(level) == "long") return long_count;
  return kSanitized ? (short_count + 2) / 3 : short_count;
}

}  // namespace millrace::base
