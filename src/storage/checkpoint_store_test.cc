#include "storage/checkpoint_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/simulated_file_system.h"
#include "base/test_settings.h"
#include "storage/checkpoint_files.h"
#include "storage/compatibility.h"

namespace millrace::storage {
namespace {

using base::FileOperation;
using base::SimulatedFileSystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

constexpr const char* kStoreFolder = "g/checkpoints";
constexpr const char* kData1 = "g/checkpoints/00000000000000000001-0000000001.data";
constexpr const char* kManifest1 = "g/checkpoints/00000000000000000001.manifest.json";
constexpr const char* kManifest2 = "g/checkpoints/00000000000000000002.manifest.json";

Chunks ChunksOf(const std::vector<std::string>& texts) {
  Chunks chunks;
  for (const std::string& text : texts) chunks.push_back(std::make_shared<const std::string>(text));
  return chunks;
}

StateContents State(const std::string& step, std::vector<NewSection> sections) {
  return {.description = DescribeState(step, "combine", "cells", "keyed<string,int64>"),
          .sections = std::move(sections)};
}
NewSection Full(const std::vector<std::string>& texts) { return {.full = true, .chunks = ChunksOf(texts)}; }
NewSection Delta(const std::vector<std::string>& texts) { return {.full = false, .chunks = ChunksOf(texts)}; }

class CheckpointStoreTest : public testing::Test {
 protected:
  CheckpointStore MustOpen(CheckpointStoreOptions options = {}) {
    StatusOr<CheckpointStore> store = CheckpointStore::Open(files_, kStoreFolder, options);
    EXPECT_TRUE(store.ok()) << store.status();
    return *std::move(store);
  }

  CheckpointManifest MustWrite(CheckpointStore& store, std::vector<StateContents> states,
                               std::vector<SinkContents> sinks = {}) {
    StatusOr<CheckpointManifest> written = store.Write(
        {.epoch = store.next_epoch(), .attempt = 1, .states = std::move(states), .sinks = std::move(sinks)});
    EXPECT_TRUE(written.ok()) << written.status();
    return *std::move(written);
  }

  std::string Content(const StateChain& state) {
    std::string content;
    for (const SectionRef& section : state.chain) {
      const StatusOr<std::string> bytes = ReadSection(files_, kStoreFolder, section);
      EXPECT_TRUE(bytes.ok()) << bytes.status();
      content += (section.full ? "[" : "+") + bytes.value_or("");
    }
    return content;
  }

  std::vector<std::string> Names() { return *files_.List(kStoreFolder); }

  SimulatedFileSystem files_{{.seed = base::TestSeed()}};
};

TEST_F(CheckpointStoreTest, GivesBackWhatWasWritten) {
  CheckpointContents contents{.generation = 3,
                              .epoch = 7,
                              .attempt = 2,
                              .job_name = "flights",
                              .mode = "streaming",
                              .created_at = Timestamp::FromSeconds(1'000),
                              .duration = std::chrono::milliseconds(5),
                              .watermark = Timestamp::FromSeconds(900),
                              .states = {State("A/Count", {Full({"one", "", "three"})}), State("B", {Full({})})}};
  contents.sources = {{.step = "Read",
                       .unfinished = {{.partition = "p0", .from = 12, .to = 99, .watermark = Timestamp::Max()}},
                       .finished = 4,
                       .total = 5}};
  contents.sinks = {{"views", ChunksOf({std::string(3'000'000, 'v'), "w"})}};
  contents.metrics["Parse"].counters["rejected"] = 17;
  contents.digest = "\"quoted\"";
  base::ManualClock clock;
  CheckpointStore store = MustOpen({.clock = &clock});
  const StatusOr<CheckpointManifest> written = store.Write(contents);
  ASSERT_TRUE(written.ok()) << written.status();
  files_.Crash();
  files_.Restart();

  const StatusOr<std::optional<CheckpointManifest>> read = LatestCheckpoint(files_, kStoreFolder);
  ASSERT_TRUE(read.ok()) << read.status();
  const CheckpointManifest& latest = **read;
  EXPECT_EQ(ManifestText(latest), ManifestText(*written));
  EXPECT_EQ(latest.generation, 3u);
  EXPECT_EQ(latest.epoch, 7u);
  EXPECT_EQ(latest.attempt, 2u);
  EXPECT_EQ(latest.job_name, "flights");
  EXPECT_EQ(latest.mode, "streaming");
  EXPECT_EQ(latest.created_at, contents.created_at);
  EXPECT_EQ(latest.duration, contents.duration);
  EXPECT_EQ(latest.watermark, contents.watermark);
  EXPECT_EQ(latest.sources, contents.sources);
  EXPECT_EQ(latest.metrics.at("Parse").counters.at("rejected"), 17);
  EXPECT_EQ(latest.digest, contents.digest);
  EXPECT_EQ(latest.bytes(), 8u + 3'000'001u);

  std::vector<std::string> chunks;
  ASSERT_EQ(ReadSection(files_, kStoreFolder, latest.FindState("A/Count", "cells")->chain[0],
                        [&](std::string chunk) {
                          chunks.push_back(std::move(chunk));
                          return OkStatus();
                        }),
            OkStatus());
  EXPECT_THAT(chunks, ElementsAre("one", "", "three")) << "the pieces as they were given";
  EXPECT_EQ(*ReadSection(files_, kStoreFolder, latest.FindSink("views")->batch), std::string(3'000'000, 'v') + "w");
  EXPECT_EQ(latest.FindState("A/Count", "other"), nullptr);
  EXPECT_EQ(latest.FindSource("Read")->finished, 4u);
  EXPECT_EQ(VerifyCheckpoint(files_, kStoreFolder, latest), OkStatus());
}

TEST_F(CheckpointStoreTest, AChainGrowsByDeltasAndEndsWithAFullSection) {
  CheckpointStore store = MustOpen();
  const StateDescription cells = State("S", {}).description;
  EXPECT_EQ(store.ChainSizeOf(cells).sections, 0u);
  EXPECT_EQ(Content(MustWrite(store, {State("S", {Full({"a"})})}).states[0]), "[a");
  EXPECT_EQ(Content(MustWrite(store, {State("S", {Delta({"b"})})}).states[0]), "[a+b");
  EXPECT_EQ(Content(MustWrite(store, {State("S", {})}).states[0]), "[a+b") << "unchanged";
  EXPECT_EQ(Content(MustWrite(store, {State("S", {Delta({"c"}), Delta({"dd"})})}).states[0]), "[a+b+c+dd");
  EXPECT_EQ(store.ChainSizeOf(cells).sections, 4u);
  EXPECT_EQ(store.ChainSizeOf(cells).full_bytes, 1u);
  EXPECT_EQ(store.ChainSizeOf(cells).delta_bytes, 4u);
  const StateDescription other = DescribeState(cells.step, cells.kind, cells.state, cells.layout + " and more");
  EXPECT_EQ(store.ChainSizeOf(other).sections, 0u) << "another layout begins a chain of its own";

  CheckpointStore next = MustOpen();
  next.ContinueFrom(**next.Latest());
  EXPECT_EQ(Content(MustWrite(next, {State("S", {Delta({"e"})})}).states[0]), "[a+b+c+dd+e") << "after a restart";
  EXPECT_EQ(Content(MustWrite(next, {State("S", {Delta({"?"}), Full({"f"}), Delta({"g"})})}).states[0]), "[f+g");
  EXPECT_THAT(MustWrite(next, {State("T", {Full({"t"})})}).states, SizeIs(1)) << "what is not named is gone";
}

TEST_F(CheckpointStoreTest, RefusesContentsThatCannotBeRestored) {
  CheckpointStore store = MustOpen();
  const auto write = [&](CheckpointContents contents) {
    if (contents.epoch == 0) contents.epoch = store.next_epoch();
    return store.Write(contents).status();
  };
  EXPECT_EQ(write({.states = {State("S", {Delta({"a"})})}}),
            InvalidArgumentError("step \"S\", state \"cells\": the first section must be a full one"));
  EXPECT_EQ(write({.states = {State("S", {})}}).code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(write({.states = {State("S", {Full({})}), State("S", {Full({})})}}).message(),
              HasSubstr("step \"S\" has two states named \"cells\""));
  EXPECT_THAT(write({.sinks = {{"views", {}}, {"views", {}}}}).message(), HasSubstr("two sinks are named \"views\""));
  EXPECT_EQ(write({.states = {State("S", {Full({"a"})})}}), OkStatus());
  StateContents changed = State("S", {Delta({"b"})});
  changed.description = DescribeState("S", "combine", "cells", "keyed<string,double>");
  EXPECT_THAT(write({.states = {changed}}).message(), HasSubstr("its layout has changed"));
  EXPECT_THAT(write({.epoch = 1}).message(),
              HasSubstr("the checkpoint's epoch is 1; in g/checkpoints the next one is 2"));
  EXPECT_EQ(Content((*store.Latest())->states[0]), "[a");
}

TEST_F(CheckpointStoreTest, KeepsTheNewestAndNoGarbage) {
  CheckpointStore store = MustOpen({.keep = 3});
  for (int i = 0; i < 50; ++i) {
    MustWrite(store, {State("S", {Full({std::to_string(i)})})});
    EXPECT_LE(Names().size(), 3u + 4u);  // and the data of the one that was removed last
  }
  std::vector<std::uint64_t> epochs;
  const std::vector<ListedCheckpoint> listed = *ListCheckpoints(files_, kStoreFolder);
  for (const ListedCheckpoint& checkpoint : listed) epochs.push_back(checkpoint.epoch);
  EXPECT_THAT(epochs, ElementsAre(50, 49, 48));
  EXPECT_EQ(Content(store.Find(48)->states[0]), "[47");
  EXPECT_EQ(store.Find(3).status(),
            NotFoundError("there is no checkpoint of epoch 3 in g/checkpoints; there are: 50, 49, 48"));
  MustOpen({.keep = 1});
  MustOpen({.keep = 1});
  EXPECT_THAT(Names(), SizeIs(2)) << "what is needless goes also when the folder is opened";
}

TEST_F(CheckpointStoreTest, AFullDiskLeavesTheCheckpointBefore) {
  CheckpointStore store = MustOpen();
  MustWrite(store, {State("S", {Full({"a"})})});
  const std::string big(10'000, 'b');
  for (const std::uint64_t room : {0, 100, 10'200, 10'500}) {
    files_.SetFreeBytes(room);
    const std::uint64_t epoch = store.next_epoch();
    const Status full = store.Write({.epoch = epoch, .attempt = 1, .states = {State("S", {Delta({big})})}}).status();
    EXPECT_EQ(full.code(), StatusCode::kResourceExhausted) << full;
    EXPECT_THAT(full.message(), StartsWith("checkpoint of epoch " + std::to_string(epoch) + ": cannot "));
    EXPECT_EQ(Content((*store.Latest())->states[0]), "[a");
    EXPECT_THAT(Names(), SizeIs(2)) << "the half file is removed";
  }
  files_.SetFreeBytes(std::nullopt);
  EXPECT_EQ(Content(MustWrite(store, {State("S", {Delta({big}), Delta({"c"})})}).states[0]), "[a+" + big + "+c");
}

TEST_F(CheckpointStoreTest, ADeviceErrorLeavesTheCheckpointBefore) {
  for (const FileOperation operation : {FileOperation::kWrite, FileOperation::kSync, FileOperation::kSyncFolder}) {
    for (std::uint64_t nth = 1; nth <= 2; ++nth) {
      SimulatedFileSystem files({.seed = base::TestSeed() + nth});
      StatusOr<CheckpointStore> store = CheckpointStore::Open(files, kStoreFolder);
      ASSERT_TRUE(store->Write({.epoch = 1, .attempt = 1, .states = {State("S", {Full({"a"})})}}).ok());
      files.FailAt(operation, nth);
      const Status status = store->Write({.epoch = 2, .attempt = 1, .states = {State("S", {Delta({"b"})})}}).status();
      EXPECT_EQ(status.code(), StatusCode::kDataLoss) << status;
      files.Crash();
      files.Restart();
      const StatusOr<std::optional<CheckpointManifest>> latest = LatestCheckpoint(files, kStoreFolder);
      ASSERT_TRUE(latest.ok()) << latest.status();
      EXPECT_EQ(VerifyCheckpoint(files, kStoreFolder, **latest), OkStatus());
      EXPECT_EQ((*latest)->states[0].chain.size(), (*latest)->epoch)
          << "the one before, or the one whose rename was done";
    }
  }
}

TEST_F(CheckpointStoreTest, AttemptsRiseAndAreDurable) {
  for (std::uint64_t attempt = 1; attempt < 20; ++attempt) {
    CheckpointStore store = MustOpen();
    EXPECT_EQ(*store.BeginAttempt(), attempt);
    files_.Crash();
    files_.Restart();
  }
  files_.Flip("g/checkpoints/attempt.json", 23, 1);
  const Status damaged = MustOpen().BeginAttempt().status();
  EXPECT_EQ(damaged.code(), StatusCode::kDataLoss) << damaged;
  EXPECT_THAT(damaged.message(),
              AllOf(StartsWith("g/checkpoints/attempt.json: "), HasSubstr("start a new generation")));
}

TEST_F(CheckpointStoreTest, ADamagedManifestIsAnErrorThatNamesTheOlderOnes) {
  CheckpointStore store = MustOpen();
  MustWrite(store, {State("S", {Full({"a"})})});
  MustWrite(store, {State("S", {Full({"b"})})});
  const std::uint64_t size = *(*files_.Open(kManifest2, base::OpenMode::kRead))->Size();
  for (std::uint64_t offset = 0; offset < size; ++offset) {
    const auto mask = static_cast<std::uint8_t>(1U << offset % 8);
    files_.Flip(kManifest2, offset, mask);
    const Status status = store.Latest().status();
    EXPECT_TRUE(status.code() == StatusCode::kDataLoss || status.code() == StatusCode::kFailedPrecondition) << offset;
    EXPECT_THAT(status.message(), AllOf(StartsWith("the newest checkpoint, of epoch 2, cannot be read: g/checkpoints/"),
                                        HasSubstr(": --restore_epoch=1 (of 1970-01-01T00:00:00Z)")));
    files_.Flip(kManifest2, offset, mask);
  }
  EXPECT_TRUE(store.Latest().ok());
  files_.Flip(kManifest2, 300, 1);
  EXPECT_EQ(Content(store.Find(1)->states[0]), "[a") << "the older one by choice";
  EXPECT_EQ(store.Find(2).status().code(), StatusCode::kDataLoss);
  files_.Flip(kManifest1, 300, 1);
  EXPECT_THAT(store.Latest().status().message(), HasSubstr("start a new generation: no other checkpoint"));
  MustOpen();
  EXPECT_THAT(Names(), SizeIs(4)) << "as long as a manifest cannot be read nothing is removed";
}

TEST_F(CheckpointStoreTest, AManifestThatIsCutOffIsAnError) {
  CheckpointStore store = MustOpen();
  MustWrite(store, {State("S", {Full({"a"})})});
  const std::string text = *base::ReadFile(files_, kManifest1, 1 << 20);
  const std::unique_ptr<base::File> file = *files_.Open(kManifest1, base::OpenMode::kReadWrite);
  for (std::size_t length = 0; length < text.size(); ++length) {
    ASSERT_EQ(file->Truncate(length), OkStatus());
    EXPECT_EQ(store.Latest().status().code(), StatusCode::kDataLoss) << length;
    ASSERT_EQ(file->WriteAt(0, std::as_bytes(std::span(text))), OkStatus());
  }
  EXPECT_TRUE(store.Latest().ok());
}

TEST_F(CheckpointStoreTest, AnUnknownFormatIsRefusedAndNotCalledDamage) {
  MustOpen();
  const std::string text = "{\"format\":2,\"bytes\":0,\"checksum\":0}\n";
  ASSERT_EQ(base::ReplaceFile(files_, kManifest1, text), OkStatus());
  const Status status = LatestCheckpoint(files_, kStoreFolder).status();
  EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(), HasSubstr("its format is 2; this version reads format 1 only"));
}

TEST_F(CheckpointStoreTest, EveryFlippedBitOfTheDataIsFoundAndNamed) {
  CheckpointStore store = MustOpen();
  const CheckpointManifest first = MustWrite(store, {State("S", {Full({"abc", "def"}), Delta({"ghi"})})});
  const CheckpointManifest second = MustWrite(store, {State("S", {Delta({"j"})})});
  const std::uint64_t size = *(*files_.Open(kData1, base::OpenMode::kRead))->Size();
  for (std::uint64_t offset = 0; offset < size; ++offset) {
    files_.Flip(kData1, offset, static_cast<std::uint8_t>(1U << offset % 8));
    const Status status = VerifyCheckpoint(files_, kStoreFolder, second);
    EXPECT_EQ(status.code(), StatusCode::kDataLoss) << offset;
    EXPECT_THAT(status.message(), AllOf(HasSubstr(kData1), HasSubstr("start a new generation"))) << offset;
    files_.Flip(kData1, offset, static_cast<std::uint8_t>(1U << offset % 8));
  }
  const std::unique_ptr<base::File> file = *files_.Open(kData1, base::OpenMode::kReadWrite);
  const std::string content = *base::ReadFile(files_, kData1, 1 << 20);
  for (std::uint64_t length = 0; length < size; ++length) {
    ASSERT_EQ(file->Truncate(length), OkStatus());
    EXPECT_EQ(VerifyCheckpoint(files_, kStoreFolder, first).code(), StatusCode::kDataLoss) << length;
    ASSERT_EQ(file->WriteAt(0, std::as_bytes(std::span(content))), OkStatus());
  }
  EXPECT_EQ(VerifyCheckpoint(files_, kStoreFolder, second), OkStatus());
}

TEST_F(CheckpointStoreTest, ASectionErrorSaysWhereItIsAndWhatDoesWithoutIt) {
  CheckpointStore store = MustOpen();
  MustWrite(store, {State("S", {Full({"a"})})});
  const CheckpointManifest second = MustWrite(store, {State("R", {Full({"r"})}), State("S", {Full({"bcd", "efg"})})});
  const SectionRef& section = second.FindState("S", "cells")->chain[0];
  const std::string file = std::string(kStoreFolder) + "/" + section.file;
  files_.Flip(file, section.offset + 40 + 16 + 3 + 16, 1);
  const Status status = store.ReadSection(section).status();
  EXPECT_EQ(status.code(), StatusCode::kDataLoss);
  EXPECT_THAT(status.message(),
              StartsWith(file + ": section 1, byte " + std::to_string(section.offset + 59) +
                         ": the checksum of chunk 1 does not match. Restore the file from a copy, or go back"));
  EXPECT_THAT(status.message(), HasSubstr(": --restore_epoch=1 (of "));
  ASSERT_EQ(files_.Remove(file), OkStatus());
  EXPECT_THAT(store.ReadSection(section).status().message(), StartsWith(file + " is missing. "));
}

TEST_F(CheckpointStoreTest, AReadErrorOfTheDeviceIsNoWrongAnswer) {
  CheckpointStore store = MustOpen();
  const CheckpointManifest manifest = MustWrite(store, {State("S", {Full({"a", "b"})})});
  for (std::uint64_t nth = 1; nth <= 6; ++nth) {
    files_.FailAt(FileOperation::kRead, nth, ".data");
    EXPECT_EQ(store.ReadSection(manifest.states[0].chain[0]).status().code(), StatusCode::kDataLoss) << nth;
  }
  EXPECT_EQ(*store.ReadSection(manifest.states[0].chain[0]), "ab");
}

TEST_F(CheckpointStoreTest, AnOlderOneCanBeGoneOnFrom) {
  CheckpointStore store = MustOpen();
  MustWrite(store, {State("S", {Full({"a"})})});
  MustWrite(store, {State("S", {Delta({"b"})})});
  files_.Flip(kManifest2, 300, 1);
  CheckpointStore next = MustOpen();
  next.ContinueFrom(*next.Find(1));
  EXPECT_EQ(next.next_epoch(), 3u);
  EXPECT_EQ(Content(MustWrite(next, {State("S", {Delta({"c"})})}).states[0]), "[a+c");
  EXPECT_EQ((*next.Latest())->epoch, 3u);
  for (int i = 0; i < 4; ++i) MustWrite(next, {State("S", {Full({"d"})})});
  EXPECT_LE(Names().size(), 5u) << "the damaged one goes in its time, and what could not be removed because of it";
}

TEST_F(CheckpointStoreTest, ASnapshotStandsAlone) {
  CheckpointStore store = MustOpen();
  MustWrite(store, {State("S", {Full({"a"})})}, {{"views", ChunksOf({"v1"})}});
  const CheckpointManifest manifest = MustWrite(store, {State("S", {Delta({"b"})})}, {{"views", ChunksOf({"v", "2"})}});
  ASSERT_EQ(store.SaveAs(manifest, "snapshots/before"), OkStatus());
  files_.Crash();
  files_.Restart();
  const std::vector<std::string> names = *files_.List(kStoreFolder);
  for (const std::string& name : names) ASSERT_EQ(files_.Remove(std::string(kStoreFolder) + "/" + name), OkStatus());

  const CheckpointManifest copy = **LatestCheckpoint(files_, "snapshots/before");
  EXPECT_EQ(copy.epoch, 2u);
  EXPECT_EQ(VerifyCheckpoint(files_, "snapshots/before", copy), OkStatus());
  ASSERT_THAT(copy.states[0].chain, SizeIs(2));
  EXPECT_EQ(*ReadSection(files_, "snapshots/before", copy.states[0].chain[0]), "a");
  EXPECT_EQ(*ReadSection(files_, "snapshots/before", copy.states[0].chain[1]), "b");
  EXPECT_FALSE(copy.states[0].chain[1].full);
  EXPECT_EQ(*ReadSection(files_, "snapshots/before", copy.FindSink("views")->batch), "v2");
  EXPECT_EQ(SaveSnapshot(files_, "snapshots/before", copy, "snapshots/before").code(), StatusCode::kAlreadyExists);
}

TEST_F(CheckpointStoreTest, ASnapshotOfADamagedCheckpointIsNone) {
  CheckpointStore store = MustOpen();
  const CheckpointManifest manifest = MustWrite(store, {State("S", {Full({"a"})})});
  files_.Flip(kData1, 96, 1);
  EXPECT_EQ(store.SaveAs(manifest, "s").code(), StatusCode::kDataLoss);
  EXPECT_EQ(*LatestCheckpoint(files_, "s"), std::nullopt);
  files_.Flip(kData1, 96, 1);
  EXPECT_EQ(store.SaveAs(manifest, "s"), OkStatus()) << "over what the failure left";
}

TEST_F(CheckpointStoreTest, NothingIsThereBeforeTheFirst) {
  EXPECT_EQ(*LatestCheckpoint(files_, "nowhere"), std::nullopt);
  EXPECT_THAT(*ListCheckpoints(files_, "nowhere"), IsEmpty());
  EXPECT_EQ(FindCheckpoint(files_, "nowhere", 1).status(),
            NotFoundError("there is no checkpoint of epoch 1 in nowhere; there is none at all"));
  EXPECT_EQ(*MustOpen().Latest(), std::nullopt);
  EXPECT_EQ(MustOpen().next_epoch(), 1u);
}

TEST(CompareForRestore, ListsWhatWouldBeLost) {
  const auto describe = [](const char* step, const char* state, const char* layout, const char* kind = "combine") {
    return DescribeState(step, kind, state, layout);
  };
  CheckpointManifest manifest;
  for (const StateDescription& state :
       {describe("Same", "cells", "keyed<string,int64>"), describe("Gone", "cells", "keyed<string,int64>"),
        describe("Other", "old", "keyed<string,int64>"), describe("Grown", "cells", "keyed<string,{\"a\":int64}>"),
        describe("Changed", "cells", "keyed<string,{\"a\":int64}>"),
        describe("Kind", "cells", "keyed<string,int64>")}) {
    manifest.states.push_back({.description = state, .chain = {{.bytes = 10}, {.full = false, .bytes = 5}}});
  }
  manifest.sources = {{.step = "Read"}, {.step = "Old source"}};
  const std::vector<StateDescription> now = {describe("Same", "cells", "keyed<string,int64>"),
                                             describe("Other", "new", "keyed<string,int64>"),
                                             describe("Grown", "cells", "keyed<string,{\"b\":string,\"a\":int64}>"),
                                             describe("Changed", "cells", "keyed<string,{\"a\":string}>"),
                                             describe("Kind", "cells", "keyed<string,int64>", "deduplicate"),
                                             describe("New", "cells", "keyed<string,int64>")};
  std::vector<std::string> texts;
  for (const RestoreProblem& problem : CompareForRestore(manifest, now, {"Read", "New source"})) {
    texts.push_back(problem.text);
  }
  EXPECT_THAT(
      texts,
      ElementsAre("step \"Gone\", state \"cells\": 15 bytes of it would be lost: the pipeline has no such step any "
                  "more. If it was renamed, give it its old label back",
                  "step \"Other\", state \"old\": 15 bytes of it would be lost: the step has no such state any "
                  "more. Give the state its old name back",
                  AllOf(StartsWith("step \"Changed\", state \"cells\": field a has changed its type"),
                        HasSubstr("give the step a new label")),
                  "step \"Kind\", state \"cells\": it was of a combine and the step is a deduplicate now. Give the "
                  "step a new label",
                  "source \"Old source\": nobody would read on where it stands: the pipeline has no such source any "
                  "more. If it was renamed, give it its old label back"));
  EXPECT_THAT(CompareForRestore(CheckpointManifest(), now, {}), IsEmpty());
}

}  // namespace
}  // namespace millrace::storage
