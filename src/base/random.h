// The seam between the code and chance: whoever needs random numbers takes a `Random&`, and the same seed gives the
// same numbers on every machine and with every standard library (the distributions of <random> do not promise that).
#pragma once

#include <cstdint>
#include <limits>

namespace millrace::base {

/// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014). Not for secrets. A
/// UniformRandomBitGenerator, so std::shuffle takes it. Not thread safe: each thread forks its own.
class Random {
 public:
  using result_type = std::uint64_t;

  explicit Random(std::uint64_t seed) : state_(seed) {}

  static constexpr std::uint64_t min() { return 0; }
  static constexpr std::uint64_t max() { return std::numeric_limits<std::uint64_t>::max(); }
  std::uint64_t operator()() { return Next(); }

  /// Any of the 2^64 numbers, each equally likely.
  std::uint64_t Next() {
    state_ += 0x9e37'79b9'7f4a'7c15;
    std::uint64_t mixed = state_;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58'476d'1ce4'e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d0'49bb'1331'11eb;
    return mixed ^ (mixed >> 31);
  }

  /// A number in [0, bound), each equally likely; `bound` is not 0.
  std::uint64_t Below(std::uint64_t bound);

  /// A number in [low, high], each equally likely; `low` is not above `high`.
  std::int64_t Between(std::int64_t low, std::int64_t high);

  /// A number in [0, 1) with 53 random bits.
  double Unit() { return static_cast<double>(Next() >> 11) * 0x1.0p-53; }

  /// True with the given probability: never for 0, always for 1.
  bool Chance(double probability) { return Unit() < probability; }

  /// A generator whose numbers are independent of those that follow from this one.
  Random Fork() { return Random(Next()); }

 private:
  std::uint64_t state_;
};

}  // namespace millrace::base
