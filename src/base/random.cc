#include "base/random.h"

#include <cassert>

namespace millrace::base {

std::uint64_t Random::Below(std::uint64_t bound) {
  assert(bound > 0);
  // The lowest 2^64 mod bound numbers are drawn again, so what is left is a whole multiple of the bound.
  const std::uint64_t redraw_below = (0 - bound) % bound;
  while (true) {
    const std::uint64_t number = Next();
    if (number >= redraw_below) return number % bound;
  }
}

std::int64_t Random::Between(std::int64_t low, std::int64_t high) {
  assert(low <= high);
  // Modulo 2^64: a range of all numbers has the size 0.
  const std::uint64_t size = static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low) + 1;
  const std::uint64_t offset = size == 0 ? Next() : Below(size);
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(low) + offset);
}

}  // namespace millrace::base
