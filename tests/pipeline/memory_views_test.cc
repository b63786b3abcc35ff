// What tests of views rely on.
#include "millrace/testing/memory_views.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

namespace millrace::testing {
namespace {

using ::testing::HasSubstr;

class MemoryViewsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(views_.Declare({.name = "n", .key = &TypeOf<std::string>(), .value = &TypeOf<std::int64_t>()}),
              OkStatus());
  }
  void Write(const std::string& key, std::int64_t minute, std::uint64_t pane, std::optional<std::int64_t> value) {
    const Timestamp start = Timestamp::FromSeconds(60 * minute);
    const Cell cell{.key = &key,
                    .value = value ? &*value : nullptr,
                    .window_start = start,
                    .window_end = start + std::chrono::minutes(1),
                    .version = {1, 1, pane}};
    ASSERT_EQ(views_.Write("n", {&cell, 1}), OkStatus());
  }
  std::string Rows() const {
    std::string text;
    const auto rows = views_.Rows<std::string, std::int64_t>("n");
    EXPECT_EQ(rows.status(), OkStatus());
    if (!rows.ok()) return text;
    for (const auto& row : *rows) {
      const std::int64_t minute = row.window_start.millis() / 60'000;
      EXPECT_EQ(row.window_end - row.window_start, std::chrono::minutes(1));
      text += row.key + std::to_string(minute) + "=" + std::to_string(row.value) + "." +
              std::to_string(row.version.pane) + " ";
    }
    return text;
  }
  MemoryViews views_;
};

TEST_F(MemoryViewsTest, TheNewestVersionOfEachCellIsKept) {
  Write("b", 0, 1, 10);
  Write("a", 1, 2, 20);
  Write("a", 1, 1, 19);  // older
  Write("a", 0, 5, 30);
  Write("a", 0, 5, 31);  // the same version again
  EXPECT_EQ(Rows(), "a0=31.5 a1=20.2 b0=10.1 ");
  EXPECT_EQ(views_.cells_written(), 5U);
  EXPECT_FALSE(views_.finished());
  EXPECT_EQ(views_.Finish(), OkStatus());
  EXPECT_TRUE(views_.finished());
}

TEST_F(MemoryViewsTest, ARemovedCellIsNotThereUntilANewerVersion) {
  Write("a", 0, 1, 10);
  Write("a", 0, 3, std::nullopt);
  EXPECT_EQ(Rows(), "");
  Write("a", 0, 2, 11);
  EXPECT_EQ(Rows(), "");
  Write("a", 0, 4, 12);
  EXPECT_EQ(Rows(), "a0=12.4 ");
}

TEST_F(MemoryViewsTest, OtherNamesAndTypesAreRefused) {
  EXPECT_EQ(views_.Write("m", {}).code(), StatusCode::kNotFound);
  EXPECT_EQ((views_.Rows<std::string, std::int64_t>("m").status().code()), StatusCode::kNotFound);
  const Status types = views_.Rows<std::string, double>("n").status();
  EXPECT_EQ(types.code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(types.message(), HasSubstr("view n holds string -> int64, not string -> double"));
  const ViewDescriptor other{.name = "n", .key = &TypeOf<double>(), .value = &TypeOf<std::int64_t>()};
  EXPECT_EQ(views_.Declare(other).code(), StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace millrace::testing
