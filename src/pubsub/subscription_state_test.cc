// The file of a subscription: sets of offsets, frames, torn ends, damage, and a disk that fails.
#include "pubsub/subscription_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "base/random.h"
#include "base/simulated_file_system.h"
#include "base/test_settings.h"
#include "pubsub/state_journal.h"

namespace millrace::pubsub {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

TEST(AckedOffsetsTest, IsTheSetOfWhatWasAdded) {
  SCOPED_TRACE("MILLRACE_TEST_SEED=" + std::to_string(base::TestSeed()));
  base::Random random(base::TestSeed());
  for (std::int64_t round = 0; round < base::TestRounds(50, 2'000); ++round) {
    AckedOffsets acked(3);
    std::set<std::int64_t> plain = {0, 1, 2};
    for (int i = 0; i < 60; ++i) {
      const std::int64_t begin = random.Between(0, 50);
      const std::int64_t end = begin + random.Between(0, 6);
      acked.Add(begin, end);
      for (std::int64_t offset = begin; offset < end; ++offset) plain.insert(offset);
      std::int64_t through = 0;
      while (plain.contains(through)) ++through;
      ASSERT_EQ(acked.through(), through);
      for (std::int64_t offset = 0; offset < 60; ++offset) {
        ASSERT_EQ(acked.Contains(offset), plain.contains(offset)) << offset;
        std::int64_t next = offset;
        while (plain.contains(next)) ++next;
        ASSERT_EQ(acked.EndOfRange(offset), next);
      }
      std::int64_t before = acked.through();
      for (const auto& [range_begin, range_end] : acked.ranges()) {
        ASSERT_GT(range_begin, before);
        ASSERT_GT(range_end, range_begin);
        before = range_end;
      }
    }
    const std::int64_t cut = random.Between(0, 60);
    acked.Truncate(cut);
    for (std::int64_t offset = 0; offset < 60; ++offset) {
      ASSERT_EQ(acked.Contains(offset), offset < cut && plain.contains(offset)) << offset << " " << cut;
    }
  }
}

SubscriptionState SampleState() {
  SubscriptionState state;
  state.settings.name = "projects/p/subscriptions/s";
  state.settings.topic = "projects/p/topics/t";
  state.settings.labels = {{"a", "b"}};
  state.acked = {AckedOffsets(7), AckedOffsets(0)};
  state.acked[0].Add(9, 12);
  state.acked[0].Add(100, 101);
  return state;
}

class StateFileTest : public ::testing::Test {
 protected:
  std::unique_ptr<StateJournal> CreateJournal(log::SyncPolicy sync = log::SyncPolicy::kAlways) {
    EXPECT_TRUE(files_.CreateFolders("d").ok());
    auto journal = StateJournal::Create(files_, "d/s", 42, state_, sync);
    EXPECT_TRUE(journal.ok()) << journal.status();
    (*journal)->SetCurrentState([this] { return state_; });
    return *std::move(journal);
  }
  Status Acknowledge(StateJournal& journal, const AckedRange& range) {
    state_.acked[static_cast<std::size_t>(range.partition)].Add(range.first, range.first + range.length);
    return journal.Await(journal.QueueAcked({&range, 1}));
  }
  RecoveredState Recover() {
    auto recovered = ReadStateFile(files_, "d/s");
    EXPECT_TRUE(recovered.ok()) << recovered.status();
    return recovered.ok() ? *std::move(recovered) : RecoveredState{};
  }
  void Overwrite(std::uint64_t position, char byte) {
    auto file = files_.Open("d/s", base::OpenMode::kReadWrite);
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE((*file)->WriteAt(position, std::as_bytes(std::span(&byte, 1))).ok());
  }

  base::SimulatedFileSystem files_{{.seed = base::TestSeed()}};
  SubscriptionState state_ = SampleState();
};

TEST_F(StateFileTest, ReadsWhatWasWritten) {
  const auto journal = CreateJournal();
  ASSERT_TRUE(Acknowledge(*journal, {.partition = 1, .first = 0, .length = 5}).ok());
  ASSERT_TRUE(Acknowledge(*journal, {.partition = 0, .first = 7, .length = 2}).ok());
  const RecoveredState recovered = Recover();
  EXPECT_EQ(recovered.id, 42);
  EXPECT_EQ(recovered.torn_bytes, 0);
  EXPECT_EQ(recovered.state.settings.labels, state_.settings.labels);
  EXPECT_EQ(recovered.state.acked, state_.acked);
  EXPECT_THAT(recovered.state.through(), ElementsAre(12, 5));
  EXPECT_THAT(recovered.state.acked[0].ranges(), ElementsAre(Pair(100, 101)));
  EXPECT_EQ(HoldNameOf(42), "pubsub-000000000000002a");
}

TEST_F(StateFileTest, CutsATornEndOff) {
  auto journal = CreateJournal();
  const std::uint64_t first = Recover().bytes;
  ASSERT_TRUE(Acknowledge(*journal, {.partition = 1, .first = 0, .length = 5}).ok());
  const std::uint64_t second = Recover().bytes;
  for (std::uint64_t size = second - 1; size > first; --size) {
    auto file = files_.Open("d/s", base::OpenMode::kReadWrite);
    ASSERT_TRUE((*file)->Truncate(size).ok());
    const RecoveredState recovered = Recover();
    EXPECT_EQ(recovered.bytes, first);
    EXPECT_EQ(recovered.torn_bytes, size - first);
    EXPECT_THAT(recovered.state.through(), ElementsAre(7, 0));
  }
  const RecoveredState torn = Recover();
  auto reopened = StateJournal::Open(files_, "d/s", torn, log::SyncPolicy::kAlways);
  ASSERT_TRUE(reopened.ok()) << reopened.status();
  ASSERT_TRUE(Acknowledge(**reopened, {.partition = 1, .first = 0, .length = 6}).ok());
  EXPECT_THAT(Recover().state.through(), ElementsAre(7, 6));
}

TEST_F(StateFileTest, TellsDamageFromATornEnd) {
  const auto journal = CreateJournal();
  const std::uint64_t first = Recover().bytes;
  ASSERT_TRUE(Acknowledge(*journal, {.partition = 1, .first = 0, .length = 5}).ok());
  ASSERT_TRUE(Acknowledge(*journal, {.partition = 1, .first = 5, .length = 5}).ok());
  Overwrite(first + 2, '!');
  const Status damaged = ReadStateFile(files_, "d/s").status();
  EXPECT_EQ(damaged.code(), StatusCode::kDataLoss);
  EXPECT_THAT(damaged.message(), HasSubstr("d/s is damaged at position " + std::to_string(first)));
  Overwrite(3, '!');
  EXPECT_THAT(ReadStateFile(files_, "d/s").status().message(), HasSubstr("at position 0"));
}

TEST_F(StateFileTest, IsWrittenAnewWhenItHasGrown) {
  const auto journal = CreateJournal(log::SyncPolicy::kOs);
  std::uint64_t greatest = 0;
  for (std::int64_t offset = 0; offset < 60'000; ++offset) {
    ASSERT_TRUE(Acknowledge(*journal, {.partition = 1, .first = offset, .length = 1}).ok());
    if (offset % 1'000 == 0) greatest = std::max(greatest, Recover().bytes);
  }
  EXPECT_LT(Recover().bytes, std::uint64_t{1} << 20);
  EXPECT_GT(greatest, std::uint64_t{1} << 19);
  EXPECT_THAT(Recover().state.through(), ElementsAre(12 - 5, 60'000));
}

TEST_F(StateFileTest, AStateMakesWhatWasBeforeItVoid) {
  const auto journal = CreateJournal();
  const AckedRange range{.partition = 1, .first = 0, .length = 5};
  journal->QueueAcked({&range, 1});
  state_.acked = {AckedOffsets(1), AckedOffsets(2)};
  const StateJournal::Ticket sought = journal->QueueState(state_);
  const AckedRange later{.partition = 1, .first = 2, .length = 1};
  journal->QueueAcked({&later, 1});
  ASSERT_TRUE(journal->Await(sought).ok());
  EXPECT_THAT(Recover().state.through(), ElementsAre(1, 3));
}

TEST_F(StateFileTest, SurvivesPowerCuts) {
  SCOPED_TRACE("MILLRACE_TEST_SEED=" + std::to_string(base::TestSeed()));
  base::Random random(base::TestSeed());
  auto journal = CreateJournal();
  for (std::int64_t round = 0; round < base::TestRounds(100, 3'000); ++round) {
    const std::int64_t last = round * 10 + random.Between(1, 9);
    ASSERT_TRUE(Acknowledge(*journal, {.partition = 1, .first = round * 10, .length = last - round * 10}).ok());
    const AckedRange unanswered{.partition = 0, .first = 1'000 + round * 2, .length = 1};
    journal->QueueAcked({&unanswered, 1});
    if (random.Chance(0.5)) {
      journal.reset();
      random.Chance(0.5) ? files_.Crash() : files_.Kill();
      files_.Restart();
    }
    const RecoveredState recovered = Recover();
    ASSERT_EQ(recovered.state.acked[1], state_.acked[1]);
    if (journal != nullptr) continue;
    auto reopened = StateJournal::Open(files_, "d/s", recovered, log::SyncPolicy::kAlways);
    ASSERT_TRUE(reopened.ok()) << reopened.status();
    journal = *std::move(reopened);
    journal->SetCurrentState([this] { return state_; });
  }
}

TEST_F(StateFileTest, IsWrittenAnewWhenTheDiskHasFailed) {
  const auto journal = CreateJournal();
  for (const base::FileOperation operation : {base::FileOperation::kWrite, base::FileOperation::kSync}) {
    files_.FailAt(operation, 1, "d/s");
    const std::int64_t offset = state_.acked[1].through();
    // The file was written anew at once, which worked.
    EXPECT_TRUE(Acknowledge(*journal, {.partition = 1, .first = offset, .length = 5}).ok());
    EXPECT_EQ(Recover().state.acked[1], state_.acked[1]);
  }
  files_.SetFreeBytes(0);
  const Status full = Acknowledge(*journal, {.partition = 1, .first = state_.acked[1].through(), .length = 5});
  EXPECT_EQ(full.code(), StatusCode::kResourceExhausted) << full;
  files_.SetFreeBytes(std::nullopt);
  EXPECT_TRUE(Acknowledge(*journal, {.partition = 1, .first = state_.acked[1].through(), .length = 5}).ok());
  EXPECT_EQ(Recover().state.acked[1], state_.acked[1]);
  EXPECT_EQ(Recover().torn_bytes, 0);
}

}  // namespace
}  // namespace millrace::pubsub
