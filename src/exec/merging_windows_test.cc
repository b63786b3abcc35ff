#include "exec/merging_windows.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "millrace/detail/merging_kernel.h"
#include "millrace/transforms/combine_fns.h"

namespace millrace::exec {
namespace {

using Row = KV<std::string, std::int64_t>;
using Kernel = detail::TypedMergingKernel<std::string, std::int64_t, SumFn<std::int64_t>>;

std::string BytesOf(const MergingWindows& windows) {
  std::string bytes;
  windows.AppendTo(&bytes);
  return bytes;
}

class MergingWindowsTest : public ::testing::Test {
 protected:
  MergingWindowsTest() {
    rows_.values.Append(Row{"a", 3});
    rows_.values.Append(Row{"a", 4});
    windows_.kernel = &kernel_;
    windows_.due = Timestamp::FromSeconds(7);
    for (std::int64_t i = 0; i < 3; ++i) {
      MergingWindow& window = windows_.windows.emplace_back();
      window.window = {Timestamp::FromSeconds(10 * i), Timestamp::FromSeconds(10 * i + 5)};
      window.pane.OnElement(DefaultTrigger{}, false, 0);
      window.accumulator = kernel_.Create();
      kernel_.Add(window.accumulator.get(), rows_, 0);
    }
  }
  std::string SumOf(MergingWindows& windows, std::size_t index) {
    std::string bytes;
    kernel_.Append(windows.Accumulator(windows.windows[index]), &bytes);
    return bytes;
  }

  Kernel kernel_{SumFn<std::int64_t>{}};
  detail::Batch<Row> rows_;
  MergingWindows windows_;
};

// What has been outside memory stays bytes until it is wanted, and is written as it was.
TEST_F(MergingWindowsTest, AccumulatorsComeBackWhenTheyAreWanted) {
  const std::string bytes = BytesOf(windows_);
  MergingWindows read;
  std::string_view in = bytes;
  ASSERT_TRUE(read.ReadFrom(&in));
  EXPECT_TRUE(in.empty());
  EXPECT_EQ(read.due, windows_.due);
  EXPECT_EQ(BytesOf(read), bytes);

  read.kernel = &kernel_;
  kernel_.Add(read.Accumulator(read.windows[1]), rows_, 1);
  EXPECT_EQ(read.windows[0].accumulator, nullptr);
  EXPECT_EQ(SumOf(read, 0), SumOf(windows_, 0));
  EXPECT_NE(SumOf(read, 1), SumOf(windows_, 1));
  kernel_.Add(windows_.Accumulator(windows_.windows[1]), rows_, 1);
  EXPECT_EQ(BytesOf(read), BytesOf(windows_));
}

TEST_F(MergingWindowsTest, BytesThatAreCutOffAreRefused) {
  const std::string bytes = BytesOf(windows_);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    MergingWindows read;
    std::string_view in = std::string_view(bytes).substr(0, size);
    EXPECT_FALSE(read.ReadFrom(&in)) << size;
  }
}

TEST_F(MergingWindowsTest, AnAccumulatorOfOtherBytesIsAnError) {
  MergingWindows read;
  read.kernel = &kernel_;
  read.windows.emplace_back().encoded = "?";
  EXPECT_THROW(read.Accumulator(read.windows[0]), detail::PipelineFailure);
}

}  // namespace
}  // namespace millrace::exec
