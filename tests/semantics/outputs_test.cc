// What a DoFn emits: timestamps and windows of its own, and nothing of an element that failed.
#include <set>
#include <tuple>

#include "pane_script.h"

namespace millrace::testing {
namespace {

using std::chrono::seconds;

/// Emits each number as it is, and again with a later time; fails on multiples of five after it has emitted.
struct Twice {
  void ProcessElement(const std::int64_t& n, Timestamp at, Output<std::int64_t> out) const {
    out.Emit(n);
    out.Emit(n + 1'000, at + seconds(30));
    out.Emit(n + 2'000);
    if (n % 5 == 0) throw std::runtime_error("five");
  }
};

class OutputsTest : public ::testing::TestWithParam<WindowFn> {};
INSTANTIATE_TEST_SUITE_P(Windows, OutputsTest,
                         ::testing::Values(WindowFn(GlobalWindows{}), WindowFn(FixedWindows{seconds(10)}),
                                           WindowFn(SlidingWindows{seconds(10), seconds(5)})));

// Whatever windows a batch has and whatever is emitted in between, each output is there once with the windows of its
// element.
TEST_P(OutputsTest, AFailedElementLeavesNoOutput) {
  std::vector<TimestampedValue<std::int64_t>> numbers;
  std::multiset<std::tuple<std::int64_t, Timestamp, BoundedWindow>> expected;
  for (std::int64_t n = 0; n < 2'000; ++n) {
    numbers.push_back({n, At(n)});
    if (n % 5 == 0) continue;
    GetParam().ForEachWindow(At(n), [&](const BoundedWindow& window) {
      expected.insert({n, At(n), window});
      expected.insert({n + 1'000, At(n + 30), window});
      expected.insert({n + 2'000, At(n), window});
    });
  }
  Pipeline pipeline;
  auto [out, failed] = pipeline | "Numbers" >> Create(numbers) | "Window" >> WindowInto(GetParam()) |
                       "Twice" >> ParDo(Twice{}).OnError();
  auto seen = Collect(out, "Good");
  auto failures = Collect(failed, "Bad");
  ASSERT_EQ(pipeline.Run().status, OkStatus());
  std::multiset<std::tuple<std::int64_t, Timestamp, BoundedWindow>> got;
  for (const auto& element : seen->elements) got.insert({element.value, element.timestamp, element.window});
  EXPECT_EQ(got.size(), expected.size());
  EXPECT_TRUE(got == expected);
  std::set<std::int64_t> failed_numbers;
  for (const auto& element : failures->elements) failed_numbers.insert(element.value.element);
  EXPECT_EQ(failed_numbers.size(), 400U);
}

/// Emits into a window of its own in the middle of a batch.
struct IntoAnother {
  void ProcessElement(const std::int64_t& n, Timestamp at, Output<std::int64_t> out) const {
    out.Emit(n);
    if (n % 3 == 0) out.Emit(n, at, BoundedWindow{At(0), At(10'000)});
    out.Emit(n);
  }
};

TEST_P(OutputsTest, AnOutputMayNameItsWindow) {
  std::vector<TimestampedValue<std::int64_t>> numbers;
  std::multiset<std::pair<std::int64_t, BoundedWindow>> expected;
  for (std::int64_t n = 0; n < 1'000; ++n) {
    numbers.push_back({n, At(n)});
    GetParam().ForEachWindow(At(n), [&](const BoundedWindow& window) {
      expected.insert({n, window});
      expected.insert({n, window});
    });
    if (n % 3 == 0) expected.insert({n, BoundedWindow{At(0), At(10'000)}});
  }
  Pipeline pipeline;
  auto out =
      pipeline | "Numbers" >> Create(numbers) | "Window" >> WindowInto(GetParam()) | "Another" >> ParDo(IntoAnother{});
  auto seen = Collect(out);
  ASSERT_EQ(pipeline.Run().status, OkStatus());
  std::multiset<std::pair<std::int64_t, BoundedWindow>> got;
  for (const auto& element : seen->elements) got.insert({element.value, element.window});
  EXPECT_TRUE(got == expected) << got.size() << " of " << expected.size();
}

}  // namespace
}  // namespace millrace::testing
