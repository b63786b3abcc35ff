// The source API: claims, splits, and the finalization of what was read.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "base/random.h"
#include "base/test_settings.h"
#include "millrace/millrace.h"
#include "millrace/testing/collect.h"

namespace millrace {
namespace {

/// What sources of a test have been told.
struct Told {
  std::mutex mutex;
  std::vector<std::pair<std::int64_t, std::int64_t>> ranges;
};

/// The numbers below `count`, in restrictions of `step`.
struct Numbers {
  using Element = std::int64_t;
  std::int64_t count = 0;
  std::int64_t step = 10;
  std::shared_ptr<Told> told;

  StatusOr<std::vector<Restriction>> InitialRestrictions(const SplitOptions&) const {
    std::vector<Restriction> parts;
    for (std::int64_t from = 0; from < count; from += step) {
      parts.push_back({.partition = "numbers", .from = from, .to = std::min(count, from + step)});
    }
    return parts;
  }
  StatusOr<ProcessContinuation> Read(RestrictionTracker& tracker, WatermarkEstimator&, SourceOutput<Element>& out) {
    for (std::int64_t i = tracker.from(); tracker.TryClaim(i); ++i) {
      out.Emit(i, Timestamp::Min());
      if (i % 7 == 0) out.Flush();
    }
    return ProcessContinuation::Stop();
  }
  void Finalize(const Restriction& read) const {
    const std::lock_guard lock(told->mutex);
    EXPECT_EQ(read.partition, "numbers");
    told->ranges.emplace_back(read.from, read.to);
  }
};

TEST(SourceTest, WhatWasReadIsFinalizedOnceAfterTheRun) {
  base::Random random(base::TestSeed());
  for (std::int64_t round = 0; round < base::TestRounds(20, 500); ++round) {
    auto told = std::make_shared<Told>();
    const std::int64_t count = random.Between(0, 300);
    Pipeline pipeline;
    auto numbers = pipeline | "Numbers" >> Read(Numbers{.count = count, .step = random.Between(1, 100), .told = told}) |
                   "NotYet" >> Map([told](const std::int64_t& n) {
                     const std::lock_guard lock(told->mutex);
                     EXPECT_TRUE(told->ranges.empty());
                     return n;
                   });
    auto seen = testing::Collect(numbers);
    RunOptions options;
    options.threads = static_cast<int>(random.Between(1, 4));
    options.bundle_elements = random.Between(1, 50);
    ASSERT_EQ(pipeline.Run(options).status, OkStatus());
    std::sort(told->ranges.begin(), told->ranges.end());
    std::int64_t next = 0;
    for (const auto& [from, to] : told->ranges) {
      ASSERT_EQ(from, next) << "MILLRACE_TEST_SEED=" << base::TestSeed() << ", round " << round;
      ASSERT_LT(from, to);
      next = to;
    }
    EXPECT_EQ(next, count);
    EXPECT_EQ(static_cast<std::int64_t>(seen->elements.size()), count);
  }
}

TEST(SourceTest, AFailedRunFinalizesNothing) {
  auto told = std::make_shared<Told>();
  Pipeline pipeline;
  auto numbers = pipeline | "Numbers" >> Read(Numbers{.count = 100, .step = 10, .told = told}) |
                 "Fail" >> Map([](const std::int64_t& n) {
                   if (n == 55) throw std::runtime_error("55");
                   return n;
                 });
  testing::Collect(numbers);
  EXPECT_FALSE(pipeline.Run().ok());
  EXPECT_TRUE(told->ranges.empty());
}

TEST(RestrictionTrackerTest, SplitsKeepEveryPositionOnce) {
  base::Random random(base::TestSeed());
  for (int round = 0; round < 1000; ++round) {
    const std::int64_t from = random.Between(-50, 50);
    const std::int64_t to = from + random.Between(0, 100);
    RestrictionTracker tracker({.partition = "p", .from = from, .to = to});
    std::vector<int> claimed(200, 0);
    std::vector<Restriction> residuals;
    std::int64_t at = from;
    while (tracker.TryClaim(at)) {
      ++claimed[static_cast<std::size_t>(at + 50)];
      ++at;
      if (!random.Chance(0.05)) continue;
      if (auto residual = tracker.TrySplit(random.Unit())) {
        EXPECT_GE(residual->from, at);
        EXPECT_LT(residual->from, residual->to);
        residuals.push_back(*residual);
      }
    }
    for (const Restriction& residual : residuals) {
      for (std::int64_t i = residual.from; i < residual.to; ++i) ++claimed[static_cast<std::size_t>(i + 50)];
    }
    for (std::int64_t i = from; i < to; ++i) ASSERT_EQ(claimed[static_cast<std::size_t>(i + 50)], 1) << i;
  }
}

TEST(RestrictionTrackerTest, WhatHasNoEndIsSplitAtItsClaimsOnly) {
  RestrictionTracker tracker({.partition = "p", .from = 5});
  ASSERT_TRUE(tracker.TryClaim(9));
  EXPECT_FALSE(tracker.TrySplit(0.5).has_value());
  const auto residual = tracker.TrySplit(0);
  ASSERT_TRUE(residual.has_value());
  EXPECT_EQ(residual->from, 10);
  EXPECT_FALSE(residual->bounded());
  EXPECT_FALSE(tracker.TryClaim(10));
  EXPECT_FALSE(tracker.TrySplit(0).has_value());
}

}  // namespace
}  // namespace millrace
