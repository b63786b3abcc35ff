#include "archive/folder_store.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

namespace millrace::archive {
namespace {

class FolderStoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ =
        std::filesystem::path(::testing::TempDir()) / ("folder_store_" + std::to_string(::getpid()) + "_" +
                                                       ::testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove_all(folder_);
    store_ = OpenFolderStore((folder_ / "archive" / "topic").string());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string Staged(const std::string& content) {
    const std::string path = *store_->StagingFolder() + "/file";
    std::ofstream(path) << content;
    return path;
  }

  std::filesystem::path folder_;
  std::shared_ptr<ArchiveStore> store_;
};

TEST_F(FolderStoreTest, NothingIsThereAtFirst) {
  EXPECT_EQ(store_->GetManifest()->version, 0);
  EXPECT_TRUE(store_->List("")->empty());
  EXPECT_EQ(store_->Read("a", 0, 1).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(store_->LocalPath("a").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(store_->Remove("a").code(), StatusCode::kNotFound);
  EXPECT_FALSE(std::filesystem::exists(folder_)) << "reading makes nothing";
}

TEST_F(FolderStoreTest, ReplacesTheManifestOfTheExpectedVersionOnly) {
  EXPECT_EQ(store_->ReplaceManifest("one", 1).status().code(), StatusCode::kAborted);
  ASSERT_EQ(store_->ReplaceManifest("one", 0).value_or(0), 1);
  EXPECT_EQ(store_->ReplaceManifest("two", 0).status().code(), StatusCode::kAborted);
  ASSERT_EQ(store_->ReplaceManifest("two", 1).value_or(0), 2);
  const StatusOr<StoredManifest> manifest = store_->GetManifest();
  EXPECT_EQ(manifest->bytes, "two");
  EXPECT_EQ(manifest->version, 2);
}

TEST_F(FolderStoreTest, OfManyWritersOneWinsEachVersion) {
  constexpr int kThreads = 4;
  constexpr int kRounds = 25;
  std::atomic<int> won = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      const auto own = OpenFolderStore(store_->name());
      for (int done = 0; done < kRounds;) {
        const std::int64_t version = own->GetManifest()->version;
        const StatusOr<std::int64_t> replaced = own->ReplaceManifest("x", version);
        if (replaced.ok()) {
          EXPECT_EQ(*replaced, version + 1);
          ++won;
          ++done;
        } else {
          EXPECT_EQ(replaced.status().code(), StatusCode::kAborted) << replaced.status();
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(store_->GetManifest()->version, won);
  EXPECT_EQ(won, kThreads * kRounds);
}

TEST_F(FolderStoreTest, PutsObjectsOnce) {
  ASSERT_TRUE(store_->PutIfAbsent("day=1/a", "content").ok());
  EXPECT_EQ(store_->PutIfAbsent("day=1/a", "other").code(), StatusCode::kAlreadyExists);
  EXPECT_EQ(store_->PutFileIfAbsent("day=1/a", Staged("other")).code(), StatusCode::kAlreadyExists);
  ASSERT_TRUE(store_->PutFileIfAbsent("day=1/b", Staged("more")).ok());
  EXPECT_EQ(*store_->Read("day=1/a", 0, 100), "content");
  EXPECT_EQ(*store_->Read("day=1/a", 3, 2), "te");
  EXPECT_EQ(*store_->Read("day=1/a", 100, 2), "");
  EXPECT_EQ(*store_->Read("day=1/b", 0, 100), "more");
  std::ifstream local(*store_->LocalPath("day=1/b"));
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(local), {}), "more");
}

TEST_F(FolderStoreTest, ListsObjectsByPrefix) {
  for (const char* name : {"b", "a/2", "a/1", "a1/x", "manifests"}) ASSERT_TRUE(store_->PutIfAbsent(name, "12").ok());
  ASSERT_TRUE(store_->ReplaceManifest("m", 0).ok());
  auto names = [&](const char* prefix) {
    std::string text;
    const std::vector<StoredObject> found = store_->List(prefix).value();
    for (const StoredObject& object : found) {
      text += object.name + " ";
      EXPECT_EQ(object.bytes, 2U);
    }
    return text;
  };
  EXPECT_EQ(names(""), "a/1 a/2 a1/x b manifests ");
  EXPECT_EQ(names("a"), "a/1 a/2 a1/x ");
  EXPECT_EQ(names("a/"), "a/1 a/2 ");
  EXPECT_EQ(names("a/2"), "a/2 ");
  EXPECT_EQ(names("c"), "");
  ASSERT_TRUE(store_->Remove("a/2").ok());
  EXPECT_EQ(names("a/"), "a/1 ");
}

TEST_F(FolderStoreTest, RefusesNamesThatLeaveTheFolder) {
  for (const char* name : {"", "/a", "a/", "a//b", "../a", "a/../../b", ".", "manifest", "lock", "staging/x"}) {
    EXPECT_EQ(store_->PutIfAbsent(name, "x").code(), StatusCode::kInvalidArgument) << name;
    EXPECT_EQ(store_->LocalPath(name).status().code(), StatusCode::kInvalidArgument) << name;
    EXPECT_EQ(store_->Remove(name).code(), StatusCode::kInvalidArgument) << name;
  }
}

TEST_F(FolderStoreTest, DamageOfTheManifestIsFound) {
  ASSERT_TRUE(store_->ReplaceManifest("content of the manifest", 0).ok());
  const std::string path = store_->name() + "/manifest";
  std::ifstream file(path);
  const std::string bytes((std::istreambuf_iterator<char>(file)), {});
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::string damaged = bytes;
    damaged[i] ^= 4;
    std::ofstream(path, std::ios::trunc) << damaged;
    ASSERT_EQ(store_->GetManifest().status().code(), StatusCode::kDataLoss) << i;
    std::ofstream(path, std::ios::trunc) << bytes.substr(0, i);
    ASSERT_EQ(store_->GetManifest().status().code(), StatusCode::kDataLoss) << i;
    EXPECT_NE(store_->GetManifest().status().message().find(path), std::string::npos);
    EXPECT_EQ(store_->ReplaceManifest("new", 1).status().code(), StatusCode::kDataLoss) << "damage is not overwritten";
  }
}

}  // namespace
}  // namespace millrace::archive
