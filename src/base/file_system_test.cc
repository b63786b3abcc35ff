#include "base/file_system.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/random.h"
#include "base/test_settings.h"

namespace millrace::base {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::span<const std::byte> Bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

class FileSystemTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "millrace_XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string Path(const std::string& name) const { return folder_ + "/" + name; }

  std::unique_ptr<File> MustOpen(const std::string& name, OpenMode mode) {
    StatusOr<std::unique_ptr<File>> file = files_.Open(Path(name), mode);
    EXPECT_TRUE(file.ok()) << file.status();
    return *std::move(file);
  }

  void MustWrite(const std::string& name, std::string_view content) {
    ASSERT_EQ(MustOpen(name, OpenMode::kReadWrite)->WriteAt(0, Bytes(content)), OkStatus());
  }

  std::string Content(const std::string& name) {
    StatusOr<std::string> content = ReadFile(files_, Path(name), 1 << 20);
    EXPECT_TRUE(content.ok()) << content.status();
    return content.value_or("");
  }

  FileSystem& files_ = PosixFileSystem();
  std::string folder_;
};

TEST_F(FileSystemTest, WritesAndReadsAtAnyPlace) {
  std::unique_ptr<File> file = MustOpen("a", OpenMode::kCreate);
  EXPECT_EQ(file->WriteAt(4, Bytes("late")), OkStatus());
  EXPECT_EQ(file->WriteAt(0, Bytes("earl")), OkStatus());
  EXPECT_EQ(file->Append(Bytes("!")), OkStatus());
  EXPECT_EQ(*file->Size(), 9u);
  EXPECT_EQ(file->Sync(), OkStatus());
  EXPECT_EQ(Content("a"), "earllate!");

  std::array<char, 8> buffer{};
  EXPECT_EQ(*file->ReadAt(4, std::as_writable_bytes(std::span(buffer).first(4))), 4u);
  EXPECT_EQ(std::string_view(buffer.data(), 4), "late");
  EXPECT_EQ(*file->ReadAt(7, std::as_writable_bytes(std::span(buffer))), 2u) << "short only at the end";
  EXPECT_EQ(*file->ReadAt(9, std::as_writable_bytes(std::span(buffer))), 0u);
}

TEST_F(FileSystemTest, TruncateCutsAndLengthens) {
  std::unique_ptr<File> file = MustOpen("a", OpenMode::kCreate);
  EXPECT_EQ(file->Append(Bytes("torn record")), OkStatus());
  EXPECT_EQ(file->Truncate(4), OkStatus());
  EXPECT_EQ(file->Append(Bytes("!")), OkStatus());
  EXPECT_EQ(Content("a"), "torn!");
  EXPECT_EQ(file->Truncate(7), OkStatus());
  EXPECT_EQ(Content("a"), std::string("torn!\0\0", 7));
}

TEST_F(FileSystemTest, AgreesWithAStringUnderRandomWork) {
  SCOPED_TRACE("MILLRACE_TEST_SEED=" + std::to_string(TestSeed()));
  Random random(TestSeed());
  std::unique_ptr<File> file = MustOpen("a", OpenMode::kCreate);
  std::string model;
  for (std::int64_t round = TestRounds(500, 20'000); round > 0; --round) {
    const std::string bytes(random.Below(100), static_cast<char>('a' + random.Below(26)));
    const std::size_t offset = random.Below(1000);
    switch (random.Below(4)) {
      case 0:
        ASSERT_EQ(file->Append(Bytes(bytes)), OkStatus());
        model += bytes;
        break;
      case 1:
        ASSERT_EQ(file->WriteAt(offset, Bytes(bytes)), OkStatus());
        if (bytes.empty()) break;  // writing nothing does not lengthen
        model.resize(std::max(model.size(), offset + bytes.size()));
        model.replace(offset, bytes.size(), bytes);
        break;
      case 2:
        ASSERT_EQ(file->Truncate(offset), OkStatus());
        model.resize(offset);
        break;
      default: ASSERT_EQ(*file->Size(), model.size()); ASSERT_EQ(Content("a"), model);
    }
  }
}

TEST_F(FileSystemTest, OpenModesDiffer) {
  EXPECT_EQ(files_.Open(Path("a"), OpenMode::kRead).status().code(), StatusCode::kNotFound);
  MustOpen("a", OpenMode::kReadWrite);
  EXPECT_EQ(files_.Open(Path("a"), OpenMode::kCreate).status().code(), StatusCode::kAlreadyExists);
  MustWrite("a", "kept");
  MustOpen("a", OpenMode::kReadWrite);
  EXPECT_EQ(Content("a"), "kept");
  EXPECT_EQ(MustOpen("a", OpenMode::kRead)->Append(Bytes("x")).code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(files_.Open(folder_, OpenMode::kRead).status().code(), StatusCode::kFailedPrecondition);
}

TEST_F(FileSystemTest, ErrorsNameThePathAndTheReason) {
  const Status status = files_.Open(Path("missing/file"), OpenMode::kCreate).status();
  EXPECT_EQ(status, NotFoundError("cannot open " + Path("missing/file") + ": No such file or directory"));
  EXPECT_THAT(files_.Rename(Path("a"), Path("b")).message(), HasSubstr("rename " + Path("a") + " to " + Path("b")));
}

TEST_F(FileSystemTest, AFullDeviceExhaustsAResource) {
  StatusOr<std::unique_ptr<File>> full = files_.Open("/dev/full", OpenMode::kReadWrite);
  ASSERT_TRUE(full.ok()) << full.status();
  const Status status = (*full)->WriteAt(0, Bytes("x"));
  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted);
  EXPECT_THAT(status.message(), HasSubstr("/dev/full"));
}

TEST_F(FileSystemTest, ListIsSortedAndExistsTells) {
  EXPECT_THAT(*files_.List(folder_), ElementsAre());
  MustWrite("b", "");
  MustWrite("a", "");
  EXPECT_EQ(files_.CreateFolders(Path("c/d/e")), OkStatus());
  EXPECT_THAT(*files_.List(folder_), ElementsAre("a", "b", "c"));
  EXPECT_TRUE(*files_.Exists(Path("c/d/e")));
  EXPECT_FALSE(*files_.Exists(Path("c/d/f")));
  EXPECT_FALSE(*files_.Exists(Path("a/below_a_file")));
  EXPECT_EQ(files_.List(Path("x")).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(files_.List(Path("a")).status().code(), StatusCode::kFailedPrecondition);
}

TEST_F(FileSystemTest, CreateFoldersAcceptsWhatIsThere) {
  EXPECT_EQ(files_.CreateFolders(Path("a/b/")), OkStatus());
  EXPECT_EQ(files_.CreateFolders(Path("a/b")), OkStatus());
  EXPECT_EQ(files_.CreateFolders("/"), OkStatus());
  MustWrite("file", "");
  EXPECT_EQ(files_.CreateFolders(Path("file")).code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(files_.CreateFolders(Path("file/a/b")).code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(files_.CreateFolders("").code(), StatusCode::kNotFound);
}

TEST_F(FileSystemTest, RenameReplacesAndRemoveRemoves) {
  MustWrite("new", "new");
  MustWrite("old", "old");
  EXPECT_EQ(files_.Rename(Path("new"), Path("old")), OkStatus());
  EXPECT_EQ(files_.SyncFolder(folder_), OkStatus());
  EXPECT_EQ(Content("old"), "new");
  EXPECT_FALSE(*files_.Exists(Path("new")));

  EXPECT_EQ(files_.Remove(Path("old")), OkStatus());
  EXPECT_EQ(files_.Remove(Path("old")).code(), StatusCode::kNotFound);
  EXPECT_EQ(files_.CreateFolders(Path("a/b")), OkStatus());
  EXPECT_EQ(files_.Remove(Path("a")).code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(files_.Remove(Path("a/b")), OkStatus());
  EXPECT_EQ(files_.SyncFolder(Path("x")).code(), StatusCode::kNotFound);
}

TEST_F(FileSystemTest, ALockIsHeldByOne) {
  StatusOr<std::unique_ptr<FileLock>> first = files_.Lock(Path("lock"));
  ASSERT_TRUE(first.ok()) << first.status();
  const Status refused = files_.Lock(Path("lock")).status();
  EXPECT_EQ(refused.code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(refused.message(), HasSubstr(Path("lock")));
  first->reset();
  EXPECT_TRUE(files_.Lock(Path("lock")).ok());
}

TEST_F(FileSystemTest, ReadFileKeepsToItsLimit) {
  MustWrite("a", "12345");
  EXPECT_EQ(*ReadFile(files_, Path("a"), 5), "12345");
  EXPECT_EQ(ReadFile(files_, Path("a"), 4).status().code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(ReadFile(files_, Path("b"), 4).status().code(), StatusCode::kNotFound);
}

TEST_F(FileSystemTest, ReplaceFileLeavesNothingElseBehind) {
  MustWrite("a.new", "a longer rest of a crash");
  EXPECT_EQ(ReplaceFile(files_, Path("a"), "1"), OkStatus());
  EXPECT_EQ(Content("a"), "1");
  EXPECT_EQ(ReplaceFile(files_, Path("a"), ""), OkStatus());
  EXPECT_EQ(Content("a"), "");
  EXPECT_THAT(*files_.List(folder_), ElementsAre("a"));
}

TEST_F(FileSystemTest, AReaderSeesTheOldOrTheNewContentAndNothingBetween) {
  const std::string old_content(5'000, 'a'), new_content(9'000, 'b');
  ASSERT_EQ(ReplaceFile(files_, Path("a"), old_content), OkStatus());
  std::thread writer([&] {
    for (int i = 0; i < 50; ++i) {
      EXPECT_EQ(ReplaceFile(files_, Path("a"), i % 2 == 0 ? new_content : old_content), OkStatus());
    }
  });
  for (int i = 0; i < 500; ++i) {
    const std::string content = Content("a");
    EXPECT_TRUE(content == old_content || content == new_content) << content.size() << " bytes";
  }
  writer.join();
}

TEST(FolderOf, NamesTheFolder) {
  EXPECT_EQ(FolderOf("a/b"), "a");
  EXPECT_EQ(FolderOf("a/b/c"), "a/b");
  EXPECT_EQ(FolderOf("/a"), "/");
  EXPECT_EQ(FolderOf("/"), "/");
  EXPECT_EQ(FolderOf("a"), ".");
}

}  // namespace
}  // namespace millrace::base
