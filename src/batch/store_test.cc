#include "batch/store.h"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "base/file_system.h"

namespace millrace::batch {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr Duration kOneDay = 24h;

class TestClock final : public base::WallClock {
 public:
  Timestamp Now() const override { return now; }
  Duration Monotonic() const override { return Duration(0); }
  Timestamp now = Timestamp::FromSeconds(1'000'000);
};

class BatchStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = testing::TempDir() + "batch_store_" + test->name();
    fs::remove_all(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  StatusOr<Store> Open(const std::string& topic = "t") {
    return Store::Open(
        {.folder = folder_, .clock = &clock_, .topic = topic, .unit = "day", .keep_versions = 2, .grace = 1min});
  }

  // A new version of these days, whose only view holds the text.
  static std::uint64_t Commit(Store& store, const std::vector<int>& days, const std::string& text) {
    const std::string staging = *store.MakeStaging();
    std::vector<ComputedPartition> computed;
    for (const int day : days) {
      ComputedPartition& partition = computed.emplace_back();
      partition.from = Timestamp() + day * kOneDay;
      partition.views.push_back({.view = "v"});
      if (text.empty()) continue;
      partition.views[0].staged = staging + "/" + std::to_string(day);
      partition.views[0].rows = 1;
      std::ofstream(partition.views[0].staged) << text;
    }
    const StatusOr<std::uint64_t> version = store.Commit(*Partitioning::Of(kOneDay), std::move(computed),
                                                         {.engine = "native", .code_version = "c", .cut = {7}});
    EXPECT_TRUE(version.ok()) << version.status();
    return version.ok() ? *version : 0;
  }

  static std::string Content(const std::string& path) {
    std::ifstream file(path);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }
  std::string Current(int day) const {
    return folder_ + "/current/v/day=1970-01-0" + std::to_string(day + 1) + "/cells.parquet";
  }
  std::string Version(int day, int version) const {
    return folder_ + "/versions/v/day=1970-01-0" + std::to_string(day + 1) + "/" + std::to_string(version) + ".parquet";
  }

  TestClock clock_;
  std::string folder_;
};

TEST_F(BatchStoreTest, AVersionIsCurrentWithAllItsPartitions) {
  Store store = *Open();
  EXPECT_EQ(Commit(store, {0, 1}, "one"), 1U);
  EXPECT_EQ(Commit(store, {1, 2}, "two"), 2U);
  EXPECT_EQ(Content(Current(0)), "one");
  EXPECT_EQ(Content(Current(1)), "two");
  EXPECT_EQ(Content(Current(2)), "two");
  EXPECT_EQ(Content(Version(1, 1)), "one");
  const Manifest read = *ReadManifest(base::PosixFileSystem(), folder_);
  EXPECT_EQ(read, store.manifest());
  ASSERT_EQ(read.partitions.size(), 3U);
  EXPECT_EQ(read.partitions[1].versions.size(), 2U);
  EXPECT_EQ(read.partitions[1].versions[0].views[0].bytes, 3U);
}

TEST_F(BatchStoreTest, AnEmptyPartitionHasNoFile) {
  Store store = *Open();
  Commit(store, {0}, "one");
  Commit(store, {0}, "");
  EXPECT_FALSE(fs::exists(Current(0)));
  EXPECT_TRUE(fs::exists(Version(0, 1)));
}

TEST_F(BatchStoreTest, TimesOfWritingRiseThoughTheClockDoesNot) {
  Store store = *Open();
  Commit(store, {0}, "one");
  clock_.now -= 1h;
  Commit(store, {0}, "two");
  const auto& versions = store.manifest().partitions[0].versions;
  EXPECT_EQ(versions[0].written_at, versions[1].written_at + Duration(1));
}

TEST_F(BatchStoreTest, VersionsThatAreNotKeptGoAfterTheGrace) {
  Store store = *Open();
  for (const char* text : {"one", "two", "three"}) Commit(store, {0}, text);
  EXPECT_EQ(store.manifest().partitions[0].versions.size(), 2U);
  EXPECT_TRUE(fs::exists(Version(0, 1)));
  clock_.now += 2min;
  Commit(store, {1}, "four");
  EXPECT_FALSE(fs::exists(Version(0, 1)));
  EXPECT_TRUE(fs::exists(Version(0, 2)));
  EXPECT_TRUE(store.manifest().superseded.empty());
}

TEST_F(BatchStoreTest, WhatAnInterruptedWriterLeftIsRemovedAndMended) {
  {
    Store store = *Open();
    Commit(store, {0}, "one");
    Commit(store, {0}, "two");
  }
  // Killed before the manifest: a file that nobody names. Killed after it: the current file is an older one.
  std::ofstream(Version(0, 9)) << "torn";
  fs::create_directories(folder_ + "/staging");
  std::ofstream(folder_ + "/staging/half") << "half";
  fs::remove(Current(0));
  fs::create_hard_link(Version(0, 1), Current(0));
  Store store = *Open();
  EXPECT_FALSE(fs::exists(Version(0, 9)));
  EXPECT_FALSE(fs::exists(folder_ + "/staging/half"));
  EXPECT_TRUE(fs::exists(Version(0, 1)));
  EXPECT_EQ(Content(Current(0)), "two");
}

TEST_F(BatchStoreTest, ABatchLayerOfAnotherTopicIsRefused) {
  {
    Store store = *Open();
    Commit(store, {0}, "one");
  }
  const Status other = Open("u").status();
  EXPECT_EQ(other.code(), StatusCode::kFailedPrecondition);
  EXPECT_NE(other.message().find("of the topic t"), std::string::npos) << other;
}

}  // namespace
}  // namespace millrace::batch
