// Exact sums against exact integer sums and against Python's math.fsum.
#include "millrace/detail/exact_sum.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <limits>
#include <string>

#include "base/random.h"
#include "base/test_settings.h"

namespace millrace::detail {
namespace {

double SumInOrder(const std::vector<double>& values) {
  ExactSum sum;
  for (const double value : values) sum += value;
  return sum.Round();
}

TEST(ExactSumTest, EqualsTheExactIntegerSum) {
  __extension__ using Wide = __int128;
  base::Random random(base::TestSeed());
  for (std::int64_t round = 0; round < base::TestRounds(2'000, 50'000); ++round) {
    // Multiples of 2^-20 below 2^60: their sum fits into 128 bits, and converting it rounds to nearest even.
    std::vector<double> values;
    Wide exact = 0;
    for (std::uint64_t i = random.Below(50); i > 0; --i) {
      const auto bits = static_cast<int>(random.Below(53));
      std::int64_t mantissa = random.Between(-(std::int64_t{1} << bits), std::int64_t{1} << bits);
      const auto shift = static_cast<int>(random.Below(28));
      values.push_back(std::ldexp(static_cast<double>(mantissa), shift - 20));
      exact += static_cast<Wide>(mantissa) << shift;
    }
    ASSERT_EQ(SumInOrder(values), std::ldexp(static_cast<double>(exact), -20)) << "round " << round;
  }
}

TEST(ExactSumTest, DependsNeitherOnOrderNorOnGrouping) {
  base::Random random(base::TestSeed());
  for (std::int64_t round = 0; round < base::TestRounds(300, 10'000); ++round) {
    std::vector<double> values;
    for (std::uint64_t i = random.Below(60) + 1; i > 0; --i) {
      values.push_back(std::ldexp(random.Unit() - 0.5, static_cast<int>(random.Between(-1'000, 1'000))));
    }
    const double expected = SumInOrder(values);
    for (int shuffle = 0; shuffle < 5; ++shuffle) {
      std::shuffle(values.begin(), values.end(), random);
      ASSERT_EQ(SumInOrder(values), expected);
      std::vector<ExactSum> parts(random.Below(5) + 1);
      for (const double value : values) parts[random.Below(parts.size())] += value;
      for (std::size_t i = 1; i < parts.size(); ++i) parts[0] += parts[i];
      parts[0] += ExactSum{};
      ASSERT_EQ(parts[0].Round(), expected);
    }
  }
}

// Python's math.fsum is an independent implementation of the exactly rounded sum.
TEST(ExactSumTest, EqualsPythonsFsum) {
  base::Random random(base::TestSeed());
  std::string script = "import math\nfor v in [\n";
  std::vector<double> sums;
  for (int round = 0; round < 300; ++round) {
    std::vector<double> values;
    const int spread = static_cast<int>(random.Between(1, 300));
    for (std::uint64_t i = random.Below(30); i > 0; --i) {
      values.push_back(std::ldexp(random.Unit() - 0.5, static_cast<int>(random.Between(-spread, spread))));
      if (random.Chance(0.3)) values.push_back(-values[random.Below(values.size())]);
    }
    script += "[";
    for (const double value : values) {
      char text[64];
      std::snprintf(text, sizeof text, "float.fromhex('%a'),", value);
      script += text;
    }
    script += "],\n";
    sums.push_back(SumInOrder(values));
  }
  script += "]: print((math.fsum(v) + 0.0).hex())\n";
  const std::string path = ::testing::TempDir() + "/millrace_fsum.py";
  std::FILE* file = std::fopen(path.c_str(), "w");
  ASSERT_NE(file, nullptr);
  std::fwrite(script.data(), 1, script.size(), file);
  std::fclose(file);
  std::FILE* python = popen(("python3 " + path).c_str(), "r");
  ASSERT_NE(python, nullptr);
  char line[128];
  for (std::size_t i = 0; i < sums.size(); ++i) {
    ASSERT_NE(std::fgets(line, sizeof line, python), nullptr) << "row " << i;
    EXPECT_EQ(sums[i], std::strtod(line, nullptr)) << "row " << i;
  }
  EXPECT_EQ(pclose(python), 0);
}

TEST(ExactSumTest, Corners) {
  const double max = std::numeric_limits<double>::max();
  const double tiny = std::numeric_limits<double>::denorm_min();
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(SumInOrder({}), 0.0);
  EXPECT_EQ(SumInOrder({0.1, 0.2, 0.3, -0.6}), 0.1 + 0.2 + 0.3 - 0.6 == 0 ? 0.0 : SumInOrder({-0.6, 0.3, 0.2, 0.1}));
  EXPECT_EQ(SumInOrder({1e100, 1.0, -1e100}), 1.0);
  EXPECT_EQ(SumInOrder({max, tiny, -max}), tiny);
  EXPECT_EQ(SumInOrder({1.0, 0x1p-53}), 1.0);                  // a tie goes to the even one
  EXPECT_EQ(SumInOrder({1.0, 0x1p-53, tiny}), 1.0 + 0x1p-52);  // but this is above it
  EXPECT_EQ(SumInOrder({1.0 + 0x1p-52, 0x1p-53, -tiny}), 1.0 + 0x1p-52);
  EXPECT_EQ(SumInOrder({infinity, 1.0}), infinity);
  EXPECT_EQ(SumInOrder({-infinity, max}), -infinity);
  EXPECT_TRUE(std::isnan(SumInOrder({infinity, -infinity, 1.0})));
  EXPECT_TRUE(std::isnan(SumInOrder({std::nan(""), 1.0})));
  EXPECT_EQ(SumInOrder({max, max}), infinity);
}

// Sums that leave the range of double on the way but not in the end.
TEST(ExactSumTest, APassingOverflowIsNone) {
  const double max = std::numeric_limits<double>::max();
  EXPECT_EQ(SumInOrder({max, max, -max}), max);
  EXPECT_EQ(SumInOrder({max, max, max, -max, -max, 1.0, -max}), 1.0);
  EXPECT_EQ(SumInOrder({-max, -max, max, max}), 0.0);
  EXPECT_EQ(SumInOrder({max, max, -max, -max, -max}), -max);
  EXPECT_EQ(SumInOrder({max, 0x1p969}), max);  // below half of the last place
  EXPECT_EQ(SumInOrder({max, 0x1p970}), std::numeric_limits<double>::infinity());
  ExactSum a;
  ExactSum b;
  for (int i = 0; i < 5; ++i) {
    a += max;
    b += -max;
  }
  b += 3.0;
  a += b;
  EXPECT_EQ(a.Round(), 3.0);
}

}  // namespace
}  // namespace millrace::detail
