#include "base/simulated_file_system.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/test_settings.h"

namespace millrace::base {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::span<const std::byte> BytesOf(std::string_view text) { return std::as_bytes(std::span(text)); }

std::unique_ptr<File> MustOpen(FileSystem& files, const std::string& path, OpenMode mode = OpenMode::kReadWrite) {
  StatusOr<std::unique_ptr<File>> file = files.Open(path, mode);
  EXPECT_TRUE(file.ok()) << file.status();
  return *std::move(file);
}

/// Makes a file whose content and name are on the device.
void MustMake(FileSystem& files, const std::string& path, std::string_view content) {
  const std::unique_ptr<File> file = MustOpen(files, path);
  ASSERT_EQ(file->Append(BytesOf(content)), OkStatus());
  ASSERT_EQ(file->Sync(), OkStatus());
  ASSERT_EQ(files.SyncFolder(FolderOf(path)), OkStatus());
}

std::string Content(FileSystem& files, const std::string& path) {
  StatusOr<std::string> content = ReadFile(files, path, 1 << 20);
  return content.ok() ? *content : content.status().ToString();
}

std::vector<std::string> NamesIn(FileSystem& files) { return *files.List("."); }

/// What `after(files)` says after `before(files)` and a power cut, over many seeds.
template <class Before, class After>
std::set<std::string> Outcomes(const Before& before, const After& after, bool names_in_order = false) {
  std::set<std::string> outcomes;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    SimulatedFileSystem files({.seed = seed, .names_in_order = names_in_order});
    before(files);
    files.Crash();
    files.Restart();
    outcomes.insert(after(files));
  }
  return outcomes;
}

TEST(SimulatedFileSystem, AgreesWithTheMachineOnErrors) {
  SimulatedFileSystem files({});
  EXPECT_EQ(files.Open("/a", OpenMode::kRead).status(), NotFoundError("cannot open /a: No such file or directory"));
  EXPECT_EQ(files.Open("/x/a", OpenMode::kCreate).status().code(), StatusCode::kNotFound);
  MustOpen(files, "/a", OpenMode::kCreate);
  EXPECT_EQ(files.Open("/a", OpenMode::kCreate).status().code(), StatusCode::kAlreadyExists);
  EXPECT_EQ(MustOpen(files, "/a", OpenMode::kRead)->Append(BytesOf("x")).code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(files.CreateFolders("/a/b").code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(files.CreateFolders("").code(), StatusCode::kNotFound);
  EXPECT_EQ(files.CreateFolders("/c/d/"), OkStatus());
  EXPECT_THAT(*files.List("/"), ElementsAre("a", "c"));
  EXPECT_THAT(*files.List("."), ElementsAre("a", "c"));
  EXPECT_EQ(files.List("/a").status().code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(files.List("/x").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(files.Open("/c", OpenMode::kRead).status().code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(files.Remove("/c").code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(files.Remove("/x").code(), StatusCode::kNotFound);
  EXPECT_EQ(files.Rename("/x", "/y").code(), StatusCode::kNotFound);
  EXPECT_EQ(files.Rename("/a", "/c").code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(files.SyncFolder("/x").code(), StatusCode::kNotFound);
  EXPECT_TRUE(*files.Exists("c/d"));
  EXPECT_FALSE(*files.Exists("a/below_a_file"));
  EXPECT_EQ(files.Remove("/c/d"), OkStatus());
  EXPECT_EQ(files.Rename("/a", "/c/a"), OkStatus());
  EXPECT_THAT(*files.List("/c"), ElementsAre("a"));
}

TEST(SimulatedFileSystem, AgreesWithAStringUnderRandomWork) {
  SCOPED_TRACE("MILLRACE_TEST_SEED=" + std::to_string(TestSeed()));
  Random random(TestSeed());
  SimulatedFileSystem files({.seed = TestSeed()});
  const std::unique_ptr<File> file = MustOpen(files, "a", OpenMode::kCreate);
  std::string model;
  for (std::int64_t round = TestRounds(2'000, 100'000); round > 0; --round) {
    const std::string bytes(random.Below(1'500), static_cast<char>('a' + random.Below(26)));
    const std::size_t offset = random.Below(4'000);
    switch (random.Below(5)) {
      case 0:
        ASSERT_EQ(file->Append(BytesOf(bytes)), OkStatus());
        model += bytes;
        break;
      case 1:
        ASSERT_EQ(file->WriteAt(offset, BytesOf(bytes)), OkStatus());
        if (bytes.empty()) break;
        model.resize(std::max(model.size(), offset + bytes.size()));
        model.replace(offset, bytes.size(), bytes);
        break;
      case 2:
        ASSERT_EQ(file->Truncate(offset), OkStatus());
        model.resize(offset);
        break;
      case 3: ASSERT_EQ(file->Sync(), OkStatus()); break;
      default: ASSERT_EQ(Content(files, "a"), model);
    }
    ASSERT_EQ(files.used_bytes(), model.size());
  }
  ASSERT_EQ(file->Sync(), OkStatus());
  ASSERT_EQ(files.SyncFolder("."), OkStatus());
  files.Crash();
  files.Restart();
  EXPECT_EQ(Content(files, "a"), model) << "what is synced stays";
}

TEST(SimulatedFileSystem, UnsyncedSectorsComeInAnySelection) {
  const auto write_three_sectors = [](FileSystem& files) {
    MustMake(files, "a", std::string(3 * 512, '-'));
    const std::unique_ptr<File> file = MustOpen(files, "a");
    EXPECT_EQ(file->WriteAt(0, BytesOf(std::string(3 * 512, 'x'))), OkStatus());
  };
  const auto first_bytes = [](FileSystem& files) {
    const std::string content = Content(files, "a");
    EXPECT_EQ(content.size(), 3u * 512);
    for (std::size_t i = 0; i < content.size(); ++i) EXPECT_EQ(content[i], content[i / 512 * 512]) << "a torn sector";
    return std::string{content[0], content[512], content[1024]};
  };
  EXPECT_THAT(Outcomes(write_three_sectors, first_bytes),
              ElementsAre("---", "--x", "-x-", "-xx", "x--", "x-x", "xx-", "xxx"));
}

TEST(SimulatedFileSystem, UnsyncedAppendsMayLengthenWithoutTheirData) {
  const auto append_twice = [](FileSystem& files) {
    MustMake(files, "a", "1");
    const std::unique_ptr<File> file = MustOpen(files, "a");
    EXPECT_EQ(file->Append(BytesOf("2")), OkStatus());
    EXPECT_EQ(file->Append(BytesOf("3")), OkStatus());
  };
  const auto content = [](FileSystem& files) {
    std::string bytes = Content(files, "a");
    std::replace(bytes.begin(), bytes.end(), '\0', '0');
    return bytes;
  };
  EXPECT_THAT(Outcomes(append_twice, content), ElementsAre("1", "10", "100", "12", "120", "123"));
}

TEST(SimulatedFileSystem, UnsyncedNamesMayBeLost) {
  const auto names = [](FileSystem& files) {
    std::string all;
    for (const std::string& name : NamesIn(files)) all += name;
    return all;
  };
  const auto create_two = [](FileSystem& files) {
    MustOpen(files, "a");
    MustOpen(files, "b");
  };
  EXPECT_THAT(Outcomes(create_two, names), ElementsAre("", "a", "ab", "b"));
  EXPECT_THAT(Outcomes(create_two, names, true), ElementsAre("", "a", "ab"));

  const auto remove_after_sync = [](FileSystem& files) {
    MustMake(files, "a", "");
    EXPECT_EQ(files.Remove("a"), OkStatus());
  };
  EXPECT_THAT(Outcomes(remove_after_sync, names), ElementsAre("", "a"));
}

TEST(SimulatedFileSystem, ARenameIsAtomic) {
  const auto replace = [](FileSystem& files) {
    MustMake(files, "a", "old");
    MustMake(files, "a.new", "new");
    EXPECT_EQ(files.Rename("a.new", "a"), OkStatus());
    EXPECT_EQ(Content(files, "a"), "new");
  };
  const auto both = [](FileSystem& files) {
    return Content(files, "a") + (*files.Exists("a.new") ? " and a.new" : "");
  };
  EXPECT_THAT(Outcomes(replace, both), ElementsAre("new", "old and a.new"));
  EXPECT_THAT(Outcomes(
                  [&](FileSystem& files) {
                    replace(files);
                    EXPECT_EQ(files.SyncFolder("."), OkStatus());
                  },
                  both),
              ElementsAre("new"));
}

TEST(SimulatedFileSystem, ARenameWithoutASyncBeforeMayLoseTheContent) {
  const auto replace = [](FileSystem& files) {
    MustMake(files, "a", "old");
    EXPECT_EQ(MustOpen(files, "a.new")->Append(BytesOf("new")), OkStatus());
    EXPECT_EQ(files.Rename("a.new", "a"), OkStatus());
    EXPECT_EQ(files.SyncFolder("."), OkStatus());
  };
  const auto content = [](FileSystem& files) { return Content(files, "a"); };
  EXPECT_THAT(Outcomes(replace, content), ElementsAre("", std::string(3, '\0'), "new"));
  EXPECT_THAT(Outcomes([](FileSystem& files) { EXPECT_EQ(ReplaceFile(files, "a", "new"), OkStatus()); }, content),
              ElementsAre("new"));
}

TEST(SimulatedFileSystem, ANewFolderIsLostWithAllInItUntilItsParentIsSynced) {
  const auto make = [](FileSystem& files) {
    EXPECT_EQ(files.CreateFolders("a"), OkStatus());
    MustMake(files, "a/b", "safe?");
  };
  const auto content = [](FileSystem& files) { return Content(files, "a/b").substr(0, 9); };
  EXPECT_THAT(Outcomes(make, content), ElementsAre("NOT_FOUND", "safe?"));
  EXPECT_THAT(Outcomes(
                  [&](FileSystem& files) {
                    make(files);
                    EXPECT_EQ(files.SyncFolder("."), OkStatus());
                  },
                  content),
              ElementsAre("safe?"));
}

TEST(SimulatedFileSystem, DurableFoldersStay) {
  const auto content = [](FileSystem& files) { return Content(files, "/a/b/c/d"); };
  const auto make = [](FileSystem& files) {
    EXPECT_EQ(CreateDurableFolders(files, "/a/b/c"), OkStatus());
    EXPECT_EQ(CreateDurableFolders(files, "/a/b/c"), OkStatus());
    MustMake(files, "/a/b/c/d", "safe");
  };
  EXPECT_THAT(Outcomes(make, content), ElementsAre("safe"));
  const auto make_after_a_kill = [](SimulatedFileSystem& files) {
    EXPECT_EQ(files.CreateFolders("/a/b/c"), OkStatus());
    EXPECT_EQ(files.SyncFolder("/a"), OkStatus());
    EXPECT_EQ(files.SyncFolder("/"), OkStatus());
    files.Kill();
    files.Restart();
    EXPECT_EQ(CreateDurableFolders(files, "/a/b/c"), OkStatus());
    MustMake(files, "/a/b/c/d", "safe");
  };
  EXPECT_THAT(Outcomes(make_after_a_kill, content), ElementsAre("safe"));
  SimulatedFileSystem files({});
  MustMake(files, "a", "");
  EXPECT_EQ(CreateDurableFolders(files, "a/b").code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(CreateDurableFolders(files, "/"), OkStatus());
}

TEST(SimulatedFileSystem, ARenameBetweenFoldersIsDurableAfterBothAreSynced) {
  const auto move = [](FileSystem& files, bool sync_both) {
    EXPECT_EQ(files.CreateFolders("a"), OkStatus());
    EXPECT_EQ(files.CreateFolders("b"), OkStatus());
    EXPECT_EQ(files.SyncFolder("."), OkStatus());
    MustMake(files, "a/x", "x");
    EXPECT_EQ(files.Rename("a/x", "b/x"), OkStatus());
    EXPECT_EQ(files.SyncFolder("b"), OkStatus());
    if (!sync_both) return;
    EXPECT_EQ(files.SyncFolder("a"), OkStatus());
  };
  const auto place = [](FileSystem& files) {
    return std::string(*files.Exists("a/x") ? "a" : "") + (*files.Exists("b/x") ? "b" : "");
  };
  EXPECT_THAT(Outcomes([&](FileSystem& files) { move(files, false); }, place), ElementsAre("a", "b"));
  EXPECT_THAT(Outcomes([&](FileSystem& files) { move(files, true); }, place), ElementsAre("b"));
}

TEST(SimulatedFileSystem, ACrashClosesFilesAndGivesLocksBack) {
  SimulatedFileSystem files({});
  const std::unique_ptr<File> file = MustOpen(files, "a");
  ASSERT_EQ(file->Append(BytesOf("kept")), OkStatus());
  const std::unique_ptr<FileLock> lock = *files.Lock("lock");
  EXPECT_EQ(files.Lock("lock").status().code(), StatusCode::kFailedPrecondition);
  files.Kill();
  EXPECT_TRUE(files.crashed());
  EXPECT_EQ(files.Open("a", OpenMode::kRead).status().code(), StatusCode::kUnavailable);
  files.Restart();
  EXPECT_EQ(file->Append(BytesOf("x")).code(), StatusCode::kUnavailable);
  EXPECT_EQ(Content(files, "a"), "kept") << "the end of a process loses nothing";
  std::unique_ptr<FileLock> next = *files.Lock("lock");
  next.reset();
  EXPECT_TRUE(files.Lock("lock").ok());
}

TEST(SimulatedFileSystem, ACrashWhileALockIsTakenGivesItBack) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    SimulatedFileSystem files({.seed = seed});
    files.CrashAfter(0);
    EXPECT_EQ(files.Lock("/lock").status().code(), StatusCode::kUnavailable);
    files.Restart();
    EXPECT_EQ(files.Lock("/lock").status(), OkStatus());
  }
}

TEST(SimulatedFileSystem, CrashesAtTheAskedChange) {
  std::set<std::string> outcomes;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    SimulatedFileSystem files({.seed = seed});
    MustMake(files, "a", "");
    const std::uint64_t before = files.changes();
    files.KillAfter(2);
    const std::unique_ptr<File> file = MustOpen(files, "a");
    EXPECT_EQ(file->Append(BytesOf("1")), OkStatus());
    EXPECT_EQ(*file->Size(), 1u) << "not a change";
    EXPECT_EQ(file->Append(BytesOf("2")).code(), StatusCode::kUnavailable);
    EXPECT_EQ(files.changes(), before + 3);
    EXPECT_EQ(file->Append(BytesOf("3")).code(), StatusCode::kUnavailable);
    files.Restart();
    outcomes.insert(Content(files, "a"));
  }
  EXPECT_THAT(outcomes, ElementsAre("1", "12"));
}

TEST(SimulatedFileSystem, TheSameSeedLosesTheSame) {
  const auto run = [](std::uint64_t seed) {
    SimulatedFileSystem files({.seed = seed});
    for (const std::string name : {"a", "b", "c", "d"}) {
      EXPECT_EQ(MustOpen(files, name)->Append(BytesOf(std::string(5'000, name[0]))), OkStatus());
    }
    files.Crash();
    files.Restart();
    std::string all;
    for (const std::string& name : NamesIn(files)) all += name + "=" + Content(files, name) + ";";
    return all;
  };
  EXPECT_EQ(run(7), run(7));
  EXPECT_NE(run(7), run(8));
}

TEST(SimulatedFileSystem, FailsTheAskedOperation) {
  SimulatedFileSystem files({});
  MustMake(files, "a", "content");
  MustMake(files, "b", "content");
  files.FailAt(FileOperation::kRead, 2, "a");
  EXPECT_EQ(Content(files, "a"), "content");
  EXPECT_EQ(Content(files, "b"), "content");
  EXPECT_EQ(ReadFile(files, "a", 100).status(), DataLossError("cannot read a: Input/output error (simulated)"));
  EXPECT_EQ(Content(files, "a"), "content");

  files.FailAt(FileOperation::kNames, 1);
  EXPECT_EQ(files.Rename("a", "c").code(), StatusCode::kDataLoss);
  EXPECT_TRUE(*files.Exists("a"));
  files.FailAt(FileOperation::kSyncFolder, 1);
  EXPECT_EQ(files.SyncFolder(".").code(), StatusCode::kDataLoss);

  files.FailAt(FileOperation::kWrite, 1);
  EXPECT_EQ(MustOpen(files, "a")->WriteAt(0, BytesOf("CONTENT")).code(), StatusCode::kDataLoss);
  std::string torn = Content(files, "a");
  std::transform(torn.begin(), torn.end(), torn.begin(), [](unsigned char c) { return std::tolower(c); });
  EXPECT_EQ(torn, "content") << "each byte is the old or the new one";
}

TEST(SimulatedFileSystem, AfterAFailedSyncTheNextOneDoesNotWriteTheRest) {
  const auto work = [](SimulatedFileSystem& files) {
    MustMake(files, "a", "old");
    const std::unique_ptr<File> file = MustOpen(files, "a");
    EXPECT_EQ(file->WriteAt(0, BytesOf("new")), OkStatus());
    files.FailAt(FileOperation::kSync, 1);
    EXPECT_EQ(file->Sync().code(), StatusCode::kDataLoss);
    EXPECT_EQ(Content(files, "a"), "new") << "programs do not see it";
    EXPECT_EQ(file->Sync(), OkStatus());
  };
  EXPECT_THAT(Outcomes(work, [](FileSystem& files) { return Content(files, "a"); }), ElementsAre("new", "old"));
}

TEST(SimulatedFileSystem, AFullDeviceRefusesAndRecovers) {
  SimulatedFileSystem files({});
  MustMake(files, "a", "12345");
  files.SetFreeBytes(4);
  const std::unique_ptr<File> file = MustOpen(files, "b");
  EXPECT_EQ(file->Append(BytesOf("123")), OkStatus());
  EXPECT_EQ(file->Append(BytesOf("456")),
            ResourceExhaustedError("cannot write b: No space left on device (simulated)"));
  EXPECT_EQ(Content(files, "b"), "1234") << "what there was room for";
  EXPECT_EQ(file->WriteAt(0, BytesOf("4321")), OkStatus()) << "needs no room";
  EXPECT_EQ(file->Truncate(5).code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(files.Open("c", OpenMode::kCreate).status().code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(files.Remove("a"), OkStatus());
  EXPECT_EQ(file->Append(BytesOf("56789")), OkStatus());
  EXPECT_EQ(file->Append(BytesOf("!")).code(), StatusCode::kResourceExhausted);
  files.SetFreeBytes({});
  EXPECT_EQ(file->Append(BytesOf("!")), OkStatus());
  EXPECT_EQ(files.used_bytes(), 10u);
}

TEST(SimulatedFileSystem, FlipsBitsOnTheDeviceToo) {
  SimulatedFileSystem files({});
  MustMake(files, "a", "a");
  files.Flip("a", 0, 3);
  EXPECT_EQ(Content(files, "a"), "b");
  files.Crash();
  files.Restart();
  EXPECT_EQ(Content(files, "a"), "b");
}

}  // namespace
}  // namespace millrace::base
