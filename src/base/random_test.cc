#include "base/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <numeric>
#include <vector>

#include "base/test_settings.h"

namespace millrace::base {
namespace {

TEST(Random, GivesThePublishedNumbers) {
  Random random(1234567);
  for (const std::uint64_t expected : {6457827717110365317u, 3203168211198807973u, 9817491932198370423u,
                                       4593380528125082431u, 16408922859458223821u}) {
    EXPECT_EQ(random.Next(), expected);
  }
}

TEST(Random, TheSeedDecidesAll) {
  Random a(7), b(7), c(8);
  EXPECT_EQ(a.Next(), b.Next());
  EXPECT_NE(a.Next(), c.Next());
  Random fork = a.Fork();
  EXPECT_NE(fork.Next(), a.Next());
}

TEST(Random, BelowIsEven) {
  Random random(TestSeed());
  std::array<int, 6> counts{};
  for (int i = 0; i < 60'000; ++i) ++counts[random.Below(6)];
  for (const int count : counts) EXPECT_NEAR(count, 10'000, 600);  // more than six standard deviations
}

TEST(Random, BelowAHugeBoundIsNotBiasedToLowNumbers) {
  // Plain `Next() % bound` would give numbers below 2^62 twice as often as it should.
  Random random(TestSeed());
  const std::uint64_t bound = 3ull << 62;
  int low = 0;
  for (int i = 0; i < 30'000; ++i) {
    const std::uint64_t number = random.Below(bound);
    ASSERT_LT(number, bound);
    if (number < bound / 3) ++low;
  }
  EXPECT_NEAR(low, 10'000, 600);
  EXPECT_EQ(random.Below(1), 0u);
}

TEST(Random, BetweenReachesBothEnds) {
  Random random(TestSeed());
  std::array<int, 5> counts{};
  for (int i = 0; i < 1'000; ++i) ++counts[static_cast<std::size_t>(random.Between(-2, 2) + 2)];
  for (const int count : counts) EXPECT_GT(count, 0);
  constexpr std::int64_t kLow = std::numeric_limits<std::int64_t>::min();
  constexpr std::int64_t kHigh = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(random.Between(kHigh, kHigh), kHigh);
  bool negative = false, positive = false;
  for (int i = 0; i < 100; ++i) (random.Between(kLow, kHigh) < 0 ? negative : positive) = true;
  EXPECT_TRUE(negative && positive);
}

TEST(Random, UnitAndChance) {
  Random random(TestSeed());
  double sum = 0;
  for (int i = 0; i < 10'000; ++i) {
    const double unit = random.Unit();
    ASSERT_GE(unit, 0.0);
    ASSERT_LT(unit, 1.0);
    ASSERT_FALSE(random.Chance(0));
    ASSERT_TRUE(random.Chance(1));
    sum += unit;
  }
  EXPECT_NEAR(sum / 10'000, 0.5, 0.02);  // about seven standard deviations
}

TEST(Random, ShufflesThroughTheStandardLibrary) {
  Random random(TestSeed());
  std::vector<int> numbers(100);
  std::iota(numbers.begin(), numbers.end(), 0);
  std::vector<int> shuffled = numbers;
  std::shuffle(shuffled.begin(), shuffled.end(), random);
  EXPECT_NE(shuffled, numbers);
  std::sort(shuffled.begin(), shuffled.end());
  EXPECT_EQ(shuffled, numbers);
}

}  // namespace
}  // namespace millrace::base
