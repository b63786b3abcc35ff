#include "batch/manifest.h"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>

namespace millrace::batch {
namespace {

using namespace std::chrono_literals;

constexpr Duration kDay = 24h;

Timestamp Day(int number) { return Timestamp() + number * kDay; }
Timestamp WrittenAt(std::uint64_t version) {
  return Timestamp::FromSeconds(1'000'000 + static_cast<std::int64_t>(version));
}

// A partition with these versions, the newest first; there was none before `first`.
Partition Of(int day, const std::vector<std::uint64_t>& versions, std::uint64_t first) {
  Partition partition{.name = Day(day).ToString().substr(0, 10), .from = Day(day), .to = Day(day + 1)};
  for (const std::uint64_t version : versions) {
    partition.versions.push_back({.version = version,
                                  .written_at = WrittenAt(version),
                                  .engine = "native",
                                  .code_version = "abc",
                                  .cut = {1, 2},
                                  .views = {{.view = "v", .path = "versions/v/x.parquet", .rows = 3, .bytes = 7}}});
  }
  partition.first_version = first;
  partition.first_written_at = WrittenAt(first);
  partition.checked = {1, 2};
  return partition;
}

Manifest Days() {
  return {.topic = "t",
          .every = "day",
          .revision = 5,
          .version = 9,
          .written_at = WrittenAt(9),
          .partitions = {Of(0, {9, 4, 1}, 1), Of(1, {2}, 2), Of(2, {8, 7, 6}, 3), Of(4, {5}, 5)}};
}

std::vector<std::uint64_t> VersionsOf(const Snapshot& snapshot) {
  std::vector<std::uint64_t> versions;
  for (const Snapshot::Entry& entry : snapshot.entries) versions.push_back(entry.version->version);
  return versions;
}

class BatchManifestTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = testing::TempDir() + "batch_manifest_" + test->name();
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void Write(const std::string& text) { std::ofstream(folder_ + "/manifest.json") << text; }
  StatusOr<Manifest> Read() { return ReadManifest(base::PosixFileSystem(), folder_); }

  std::string folder_;
};

TEST_F(BatchManifestTest, IsReadAsItWasWritten) {
  EXPECT_EQ(*Read(), Manifest());
  ASSERT_TRUE(WriteManifest(base::PosixFileSystem(), folder_, Days()).ok());
  EXPECT_EQ(*Read(), Days());
}

TEST_F(BatchManifestTest, WhatIsNoManifestIsDataLossThatNamesTheFile) {
  for (const std::string text : {"", "{", "{\"format\":1,\"topic\":7}"}) {
    Write(text);
    EXPECT_EQ(Read().status().code(), StatusCode::kDataLoss) << text;
    EXPECT_NE(Read().status().message().find(folder_ + "/manifest.json"), std::string::npos);
  }
  Write("{\"format\":2}");
  EXPECT_EQ(Read().status().code(), StatusCode::kFailedPrecondition);
}

TEST_F(BatchManifestTest, AManifestThatBreaksARuleIsNeitherWrittenNorRead) {
  Manifest overlapping = Days();
  overlapping.partitions[1].from = Day(0);
  Manifest disordered = Days();
  std::swap(disordered.partitions[0].versions[0], disordered.partitions[0].versions[1]);
  Manifest same_time = Days();
  same_time.partitions[0].versions[0].written_at = same_time.partitions[0].versions[1].written_at;
  for (const Manifest& broken : {overlapping, disordered, same_time}) {
    EXPECT_EQ(WriteManifest(base::PosixFileSystem(), folder_, broken).code(), StatusCode::kInternal);
  }
}

TEST(BatchSnapshotTest, TheNewestIsTheRunOfPartitionsUpToTheFirstHole) {
  const Manifest manifest = Days();
  const Snapshot newest = *SnapshotOf(manifest);
  EXPECT_EQ(VersionsOf(newest), (std::vector<std::uint64_t>{9, 2, 8}));
  EXPECT_EQ(newest.range, (TimeRange{.from = Day(0), .to = Day(3)}));
  EXPECT_EQ(newest.behind_a_hole, 1);
  EXPECT_TRUE(SnapshotOf(Manifest())->empty());
}

TEST(BatchSnapshotTest, AsOfAVersionOrItsTimeEachPartitionIsAsItWasThen) {
  const Manifest manifest = Days();
  for (const AsOf& as_of : {AsOf{.version = 6, .time = {}}, AsOf{.version = {}, .time = WrittenAt(6)},
                            AsOf{.version = {}, .time = WrittenAt(7) - Duration(1)}}) {
    EXPECT_EQ(VersionsOf(*SnapshotOf(manifest, as_of)), (std::vector<std::uint64_t>{4, 2, 6}));
  }
  // The third day was not there yet at version 2, and the second one not at version 1.
  EXPECT_EQ(VersionsOf(*SnapshotOf(manifest, {.version = 2, .time = {}})), (std::vector<std::uint64_t>{1, 2}));
  EXPECT_EQ(VersionsOf(*SnapshotOf(manifest, {.version = 1, .time = {}})), (std::vector<std::uint64_t>{1}));
  EXPECT_TRUE(SnapshotOf(manifest, {.version = 0, .time = {}})->empty());
}

TEST(BatchSnapshotTest, AStateThatIsNotKeptAnyMoreIsNotFound) {
  const Manifest manifest = Days();
  const Status gone = SnapshotOf(manifest, {.version = 5, .time = {}}).status();  // the third day had a version 3 then
  EXPECT_EQ(gone.code(), StatusCode::kNotFound);
  EXPECT_NE(gone.message().find("version 6"), std::string::npos) << gone;
}

TEST(BatchSnapshotTest, AsOfIsAVersionOrATime) {
  EXPECT_EQ(AsOf::Parse("12")->version, 12U);
  EXPECT_EQ(AsOf::Parse("2001-01-05")->time, *Timestamp::Parse("2001-01-05"));
  EXPECT_EQ(AsOf::Parse("yesterday").status().code(), StatusCode::kInvalidArgument);
}

TEST(BatchCutTest, CoversWhatIsNowhereBehind) {
  EXPECT_TRUE(Covers({3, 4}, {3, 2}));
  EXPECT_FALSE(Covers({3, 4}, {2, 5}));
  EXPECT_FALSE(Covers({3, 4}, {3}));
}

}  // namespace
}  // namespace millrace::batch
