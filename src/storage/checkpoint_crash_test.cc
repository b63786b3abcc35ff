// Crashes of the checkpoint store at seeded moments, over a file system that loses what was not synced: after each the
// newest checkpoint is the last that was written or the one that was being written, and every checkpoint is whole.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "base/simulated_file_system.h"
#include "base/test_settings.h"
#include "storage/checkpoint_store.h"

namespace millrace::storage {
namespace {

using base::FileOperation;
using base::SimulatedFileSystem;

constexpr const char* kFolder = "data/generation-1/checkpoints";

/// A state as an engine has it: cells, and what changed since the last checkpoint.
struct ModelState {
  std::map<std::string, std::string> cells;
  std::set<std::string> changed;
  std::vector<NewSection> unwritten;  // of checkpoints that failed
};

/// Cells as bytes: one chunk per cell, "key=value".
Chunks EncodeCells(const std::map<std::string, std::string>& cells, const std::set<std::string>* only) {
  Chunks chunks;
  for (const auto& [key, value] : cells) {
    if (only != nullptr && !only->contains(key)) continue;
    chunks.push_back(std::make_shared<const std::string>(std::string(key).append("=").append(value)));
  }
  return chunks;
}

/// An engine that has three states, writes checkpoints of them and keeps what each of them should hold.
class Engine {
 public:
  Engine(std::uint64_t seed, std::size_t keep) : random_(seed), keep_(keep) {}

  /// A life of the process: restores, works, and ends with the simulated machine's crash or by itself.
  void Live(SimulatedFileSystem& files);
  /// What is in the folder after a crash.
  void CheckFolder(SimulatedFileSystem& files) const;
  std::uint64_t checkpoints() const { return checkpoints_; }

 private:
  using Cells = std::vector<std::map<std::string, std::string>>;

  void Restore(const CheckpointStore& store);
  void Work();
  std::vector<StateContents> Contents(const CheckpointStore& store);
  void WriteCheckpoint(SimulatedFileSystem& files, CheckpointStore& store);
  void InjectFault(SimulatedFileSystem& files);
  static Cells ReadCells(base::FileSystem& files, const CheckpointManifest& manifest);

  base::Random random_;
  const std::size_t keep_;
  std::vector<ModelState> states_ = std::vector<ModelState>(3);
  std::map<std::uint64_t, Cells> history_;  // by epoch, of all that may have been committed
  std::uint64_t committed_ = 0;             // the last epoch whose Write succeeded
  std::uint64_t last_attempt_ = 0;
  std::uint64_t attempt_ = 0;
  std::uint64_t checkpoints_ = 0;
};

Engine::Cells Engine::ReadCells(base::FileSystem& files, const CheckpointManifest& manifest) {
  Cells all;
  for (const StateChain& state : manifest.states) {
    std::map<std::string, std::string>& cells = all.emplace_back();
    for (const SectionRef& section : state.chain) {
      if (section.full) cells.clear();
      EXPECT_EQ(ReadSection(files, kFolder, section,
                            [&](const std::string& chunk) {
                              const std::size_t split = chunk.find('=');
                              cells[chunk.substr(0, split)] = chunk.substr(split + 1);
                              return OkStatus();
                            }),
                OkStatus());
    }
  }
  return all;
}

void Engine::CheckFolder(SimulatedFileSystem& files) const {
  const StatusOr<std::vector<ListedCheckpoint>> listed = ListCheckpoints(files, kFolder);
  ASSERT_TRUE(listed.ok()) << listed.status();
  if (committed_ > 0) {
    ASSERT_FALSE(listed->empty()) << "epoch " << committed_ << " is lost";
    ASSERT_GE(listed->front().epoch, committed_) << "the newest checkpoint is lost";
  }
  for (const ListedCheckpoint& checkpoint : *listed) {
    ASSERT_TRUE(checkpoint.manifest.ok()) << checkpoint.manifest.status();
    ASSERT_EQ(VerifyCheckpoint(files, kFolder, *checkpoint.manifest), OkStatus());
    const auto expected = history_.find(checkpoint.epoch);
    ASSERT_NE(expected, history_.end()) << checkpoint.epoch;
    ASSERT_EQ(ReadCells(files, *checkpoint.manifest), expected->second) << "epoch " << checkpoint.epoch;
  }
}

void Engine::Restore(const CheckpointStore& store) {
  const StatusOr<std::optional<CheckpointManifest>> latest = store.Latest();
  if (latest.status().code() == StatusCode::kUnavailable) return;
  ASSERT_TRUE(latest.ok()) << latest.status();
  const std::uint64_t epoch = *latest ? (*latest)->epoch : 0;
  ASSERT_GE(epoch, committed_);
  committed_ = epoch;
  states_ = std::vector<ModelState>(3);
  if (epoch == 0) return;
  for (std::size_t i = 0; i < states_.size(); ++i) states_[i].cells = history_[epoch][i];
}

void Engine::Work() {
  for (ModelState& state : states_) {
    if (random_.Chance(0.2)) continue;  // a state that does not change
    for (std::uint64_t count = random_.Below(8); count > 0; --count) {
      const std::string key = "key" + std::to_string(random_.Below(20));
      const std::uint64_t size = random_.Chance(0.1) ? random_.Below(5'000) : random_.Below(100);
      state.cells[key] = std::string(size, static_cast<char>('a' + random_.Below(26)));
      state.changed.insert(key);
    }
  }
}

std::vector<StateContents> Engine::Contents(const CheckpointStore& store) {
  std::vector<StateContents> contents;
  for (std::size_t i = 0; i < states_.size(); ++i) {
    ModelState& state = states_[i];
    StateContents& content = contents.emplace_back();
    content.description = DescribeState("step" + std::to_string(i), "combine", "cells", "text");
    const ChainSize size = store.ChainSizeOf(content.description);
    if (size.sections == 0 || size.sections > 4 || random_.Chance(0.1)) {
      state.unwritten = {{.full = true, .chunks = EncodeCells(state.cells, nullptr)}};
    } else if (!state.changed.empty()) {
      state.unwritten.push_back({.full = false, .chunks = EncodeCells(state.cells, &state.changed)});
    }
    state.changed.clear();
    content.sections = state.unwritten;
  }
  return contents;
}

void Engine::WriteCheckpoint(SimulatedFileSystem& files, CheckpointStore& store) {
  const std::uint64_t epoch = store.next_epoch();
  CheckpointContents contents{.epoch = epoch, .attempt = attempt_, .states = Contents(store)};
  contents.sinks.push_back({"views", {std::make_shared<const std::string>("batch " + std::to_string(epoch))}});
  Cells cells;
  for (const ModelState& state : states_) cells.push_back(state.cells);
  history_[epoch] = std::move(cells);
  const StatusOr<CheckpointManifest> written = store.Write(contents);
  if (!written.ok()) {
    const StatusCode code = written.status().code();
    ASSERT_TRUE(code == StatusCode::kUnavailable || code == StatusCode::kResourceExhausted ||
                code == StatusCode::kDataLoss)
        << written.status();
    return;
  }
  ++checkpoints_;
  committed_ = epoch;
  for (ModelState& state : states_) state.unwritten.clear();
  if (files.crashed()) return;
  EXPECT_LE(ListCheckpoints(files, kFolder)->size(), keep_ + 1)
      << "a failed removal is made up for by the next checkpoint";
}

void Engine::InjectFault(SimulatedFileSystem& files) {
  static constexpr FileOperation kKinds[] = {FileOperation::kOpen, FileOperation::kWrite, FileOperation::kSync,
                                             FileOperation::kNames, FileOperation::kSyncFolder};
  files.SetFreeBytes(std::nullopt);
  if (random_.Chance(0.2)) files.FailAt(kKinds[random_.Below(5)], 1 + random_.Below(3));
  if (random_.Chance(0.1)) files.SetFreeBytes(random_.Below(4'000));
}

void Engine::Live(SimulatedFileSystem& files) {
  files.SetFreeBytes(std::nullopt);
  const std::uint64_t changes = random_.Below(random_.Chance(0.3) ? 12 : 150);
  random_.Chance(0.7) ? files.CrashAfter(changes) : files.KillAfter(changes);
  StatusOr<CheckpointStore> store = CheckpointStore::Open(files, kFolder, {.keep = keep_});
  if (!store.ok()) {
    ASSERT_EQ(store.status().code(), StatusCode::kUnavailable) << store.status();
    return;
  }
  Restore(*store);
  if (testing::Test::HasFatalFailure() || files.crashed()) return;
  if (const auto latest = store->Latest(); latest.ok() && *latest) store->ContinueFrom(**latest);
  const StatusOr<std::uint64_t> attempt = store->BeginAttempt();
  if (!attempt.ok()) {
    ASSERT_EQ(attempt.status().code(), StatusCode::kUnavailable) << attempt.status();
    return;
  }
  ASSERT_GT(*attempt, last_attempt_);
  attempt_ = last_attempt_ = *attempt;
  for (std::uint64_t count = random_.Below(20); count > 0 && !files.crashed(); --count) {
    InjectFault(files);
    Work();
    WriteCheckpoint(files, *store);
    if (testing::Test::HasFatalFailure()) return;
  }
}

TEST(CheckpointCrash, TheNewestCheckpointIsTheLastOrTheOneBeingWrittenAndWhole) {
  const auto first_seed = static_cast<std::int64_t>(base::TestSeed() * 1'000'000);
  const std::int64_t rounds = base::TestRounds(50, 6'000);
  std::uint64_t checkpoints = 0;
  for (std::int64_t round = 0; round < rounds; ++round) {
    const auto seed = static_cast<std::uint64_t>(first_seed + round);
    SCOPED_TRACE("MILLRACE_TEST_SEED=" + std::to_string(base::TestSeed()) + ", round " + std::to_string(round));
    SimulatedFileSystem files({.seed = seed, .names_in_order = seed % 2 == 0});
    Engine engine(seed, 1 + seed % 3);
    for (int life = 0; life < 6; ++life) {
      engine.Live(files);
      if (!files.crashed()) seed % 5 == 0 ? files.Kill() : files.Crash();
      files.Restart();
      if (HasFatalFailure()) return;
      engine.CheckFolder(files);
      if (HasFatalFailure()) return;
    }
    checkpoints += engine.checkpoints();
  }
  EXPECT_GT(checkpoints, static_cast<std::uint64_t>(5 * rounds)) << "the test has become too timid";
}

}  // namespace
}  // namespace millrace::storage
