// The sinks of a run with checkpoints, in one process: what is visible when, and what a restart makes of a batch.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "visits.h"

namespace millrace::results_test {
namespace {

using cli::RunResults;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

// Opened, the view declared, not restored.
std::unique_ptr<RunResults> Open(const std::string& folder, const cli::EpochBufferOptions& buffer = {}) {
  StatusOr<std::unique_ptr<RunResults>> results =
      RunResults::Create({.folder = folder, .is_streaming = true, .has_checkpoints = true, .buffer = buffer});
  EXPECT_TRUE(results.ok()) << results.status();
  if (!results.ok()) return nullptr;
  EXPECT_EQ((*results)->views()->Declare(VisitsView()), OkStatus());
  return *std::move(results);
}

Visit VisitOf(const std::string& page, std::int64_t minute, std::uint64_t pane, std::int64_t visits) {
  return {.key = {page, 1}, .minute = minute, .pane = pane, .count = VisitCount{visits, "u" + std::to_string(visits)}};
}

TEST(EpochSinksTest, AnEpochIsAppliedOnceItIsCommitted) {
  const Folder folder;
  {
    const auto results = Open(folder.path());
    ASSERT_EQ(results->views()->Restore(0, "", 1), OkStatus());
    ASSERT_EQ(WriteVisits(*results->views(), {VisitOf("a", 0, 0, 1), VisitOf("b", 0, 0, 2)}), OkStatus());
    ASSERT_EQ(WriteLetter(*results->dead_letters(), "\"bad 1\""), OkStatus());
    ASSERT_TRUE(results->views()->Snapshot(1).ok());
    ASSERT_EQ(WriteVisits(*results->views(), {VisitOf("a", 0, 1, 5)}), OkStatus());
    ASSERT_EQ(results->views()->CommitEpoch(1), OkStatus());
    ASSERT_TRUE(results->views()->Snapshot(2).ok());
    ASSERT_EQ(results->views()->Finish(), OkStatus());
    EXPECT_EQ(results->counts().epochs, 1U);
  }
  const Stored stored = ReadStored(folder.path());
  EXPECT_THAT(stored.warehouse, ElementsAre(Pair("a/1@0", "1 u1 (1.0)"), Pair("b/1@0", "2 u2 (1.0)")));
  EXPECT_EQ(stored.lookup, stored.warehouse);
  EXPECT_THAT(stored.letters, ElementsAre(Pair("\"bad 1\"", 1)));
}

TEST(EpochSinksTest, ARestoreAppliesWhatWasNotAppliedAndOnlyOnce) {
  const Folder folder;
  std::string batch;
  {
    const auto results = Open(folder.path());
    ASSERT_EQ(results->views()->Restore(0, "", 1), OkStatus());
    ASSERT_EQ(WriteVisits(*results->views(), {VisitOf("a", 0, 3, 1)}), OkStatus());
    ASSERT_EQ(WriteLetter(*results->dead_letters(), "1"), OkStatus());
    batch = Joined(*results->views()->Snapshot(1));  // killed before the commit reaches the sink
  }
  EXPECT_THAT(ReadStored(folder.path()).lookup, IsEmpty());
  for (std::uint64_t attempt = 2; attempt <= 4; ++attempt) {
    const auto results = Open(folder.path());
    ASSERT_EQ(results->views()->Restore(1, batch, attempt), OkStatus());
  }
  const Stored stored = ReadStored(folder.path());
  EXPECT_THAT(stored.warehouse, ElementsAre(Pair("a/1@0", "1 u1 (1.3)")));
  EXPECT_EQ(stored.lookup, stored.warehouse);
  EXPECT_THAT(stored.letters, ElementsAre(Pair("1", 1)));
}

TEST(EpochSinksTest, ABatchHoldsCommittedEpochsUntilTheyAreApplied) {
  const Folder folder;
  std::string batch;
  {
    // The stores of this one never get anything: its epochs are not committed.
    const auto results = Open(folder.path());
    ASSERT_EQ(results->views()->Restore(0, "", 1), OkStatus());
    for (std::uint64_t epoch = 1; epoch <= 3; ++epoch) {
      ASSERT_EQ(WriteVisits(*results->views(), {VisitOf("a", 0, epoch, 10), VisitOf("b", 0, epoch, 1)}), OkStatus());
      ASSERT_EQ(WriteLetter(*results->dead_letters(), std::to_string(epoch)), OkStatus());
      batch = Joined(*results->views()->Snapshot(epoch));
    }
  }
  {
    const auto results = Open(folder.path());
    ASSERT_EQ(results->views()->Restore(3, batch, 2), OkStatus());
  }
  const Stored stored = ReadStored(folder.path());
  EXPECT_THAT(stored.warehouse, ElementsAre(Pair("a/1@0", "10 u10 (1.3)"), Pair("b/1@0", "1 u1 (1.3)")));
  EXPECT_EQ(stored.lookup, stored.warehouse);
  EXPECT_THAT(stored.letters, ElementsAre(Pair("1", 1), Pair("2", 1), Pair("3", 1)));
}

TEST(EpochSinksTest, ACommitTakesEarlierEpochsAlongWhoseCheckpointFailed) {
  const Folder folder;
  {
    const auto results = Open(folder.path());
    ASSERT_EQ(results->views()->Restore(0, "", 1), OkStatus());
    ASSERT_EQ(WriteVisits(*results->views(), {VisitOf("a", 0, 0, 1)}), OkStatus());
    ASSERT_TRUE(results->views()->Snapshot(1).ok());
    ASSERT_EQ(WriteVisits(*results->views(), {VisitOf("b", 0, 0, 2)}), OkStatus());
    ASSERT_TRUE(results->views()->Snapshot(2).ok());
    ASSERT_EQ(results->views()->CommitEpoch(2), OkStatus());
    ASSERT_EQ(results->views()->Finish(), OkStatus());
  }
  EXPECT_THAT(ReadStored(folder.path()).warehouse,
              ElementsAre(Pair("a/1@0", "1 u1 (1.0)"), Pair("b/1@0", "2 u2 (1.0)")));
}

TEST(EpochSinksTest, ADeadAttemptsLaterPaneNeverBeatsALivingOnes) {
  const Folder folder;
  std::string first;
  {
    const auto results = Open(folder.path());
    ASSERT_EQ(results->views()->Restore(0, "", 1), OkStatus());
    ASSERT_EQ(WriteVisits(*results->views(), {VisitOf("a", 0, 0, 1), VisitOf("b", 0, 7, 700)}), OkStatus());
    first = Joined(*results->views()->Snapshot(1));
    ASSERT_EQ(results->views()->CommitEpoch(1), OkStatus());
    // Pane 9 of this attempt is in no committed checkpoint.
    ASSERT_EQ(WriteVisits(*results->views(), {VisitOf("a", 0, 9, 900)}), OkStatus());
    ASSERT_TRUE(results->views()->Snapshot(2).ok());
    ASSERT_EQ(results->views()->Finish(), OkStatus());
  }
  {
    const auto results = Open(folder.path());
    ASSERT_EQ(results->views()->Restore(1, first, 2), OkStatus());
    ASSERT_EQ(WriteVisits(*results->views(), {VisitOf("a", 0, 0, 2), VisitOf("b", 0, 0, 3)}), OkStatus());
    ASSERT_TRUE(results->views()->Snapshot(2).ok());
    ASSERT_EQ(results->views()->CommitEpoch(2), OkStatus());
    ASSERT_EQ(results->views()->Finish(), OkStatus());
  }
  const Stored stored = ReadStored(folder.path());
  EXPECT_THAT(stored.warehouse, ElementsAre(Pair("a/1@0", "2 u2 (2.0)"), Pair("b/1@0", "3 u3 (2.0)")));
  EXPECT_EQ(stored.lookup, stored.warehouse);
}

TEST(EpochSinksTest, ABatchOfAnotherDirectoryIsOlderThanWhatIsWritten) {
  std::string batch;
  {
    const Folder folder;
    const auto results = Open(folder.path());
    ASSERT_EQ(results->views()->Restore(0, "", 5), OkStatus());
    ASSERT_EQ(WriteVisits(*results->views(), {VisitOf("a", 0, 9, 1), VisitOf("b", 0, 9, 1)}), OkStatus());
    batch = Joined(*results->views()->Snapshot(7));
  }
  const Folder folder;
  {
    const auto results = Open(folder.path());
    ASSERT_EQ(results->views()->Restore(7, batch, 1), OkStatus());
    ASSERT_EQ(WriteVisits(*results->views(), {VisitOf("a", 0, 0, 2)}), OkStatus());
    ASSERT_TRUE(results->views()->Snapshot(8).ok());
    ASSERT_EQ(results->views()->CommitEpoch(8), OkStatus());
    ASSERT_EQ(results->views()->Finish(), OkStatus());
  }
  const Stored stored = ReadStored(folder.path());
  EXPECT_THAT(stored.warehouse, ElementsAre(Pair("a/1@0", "2 u2 (1.0)"), Pair("b/1@0", "1 u1 (0.9)")));
  EXPECT_EQ(stored.lookup, stored.warehouse);
}

TEST(EpochSinksTest, WithinAnEpochOnlyTheNewestVersionIsWritten) {
  const Folder folder;
  {
    const auto results = Open(folder.path());
    ASSERT_EQ(results->views()->Restore(0, "", 1), OkStatus());
    for (std::uint64_t pane = 0; pane < 100; ++pane) {
      ASSERT_EQ(WriteVisits(*results->views(), {VisitOf("a", 0, pane, 1), VisitOf("a", 1, 99 - pane, 2)}), OkStatus());
    }
    // Equal versions: the later write counts, within one write the later cell.
    ASSERT_EQ(WriteVisits(*results->views(), {VisitOf("b", 0, 0, 1), VisitOf("b", 0, 0, 2)}), OkStatus());
    ASSERT_EQ(WriteVisits(*results->views(), {VisitOf("c", 0, 0, 1)}), OkStatus());
    ASSERT_EQ(WriteVisits(*results->views(), {{.key = {"c", 1}, .minute = 0, .pane = 0, .count = {}}}), OkStatus());
    ASSERT_TRUE(results->views()->Snapshot(1).ok());
    ASSERT_EQ(results->views()->CommitEpoch(1), OkStatus());
    ASSERT_EQ(results->views()->Finish(), OkStatus());
    EXPECT_EQ(results->counts().cells, 204U);
    EXPECT_EQ(results->counts().superseded, 200U);
  }
  const Stored stored = ReadStored(folder.path());
  EXPECT_THAT(stored.warehouse,
              ElementsAre(Pair("a/1@0", "1 u1 (1.99)"), Pair("a/1@1", "2 u2 (1.99)"), Pair("b/1@0", "2 u2 (1.0)")));
  EXPECT_EQ(stored.lookup, stored.warehouse);
}

TEST(EpochSinksTest, AStoreThatIsAheadOfTheCheckpointIsRefused) {
  const Folder folder;
  std::string first;
  {
    const auto results = Open(folder.path());
    ASSERT_EQ(results->views()->Restore(0, "", 1), OkStatus());
    first = Joined(*results->views()->Snapshot(1));
    ASSERT_EQ(results->views()->CommitEpoch(1), OkStatus());
    ASSERT_TRUE(results->views()->Snapshot(2).ok());
    ASSERT_EQ(results->views()->CommitEpoch(2), OkStatus());
    ASSERT_EQ(results->views()->Finish(), OkStatus());
  }
  const auto results = Open(folder.path());
  const Status refused = results->views()->Restore(1, first, 2);
  EXPECT_EQ(refused.code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(refused.message(), HasSubstr("epoch 2"));
  EXPECT_THAT(refused.message(), HasSubstr("--fresh"));
}

TEST(EpochSinksTest, CellsThatNoStoreTakesAreRefusedBeforeTheyAreInACheckpoint) {
  const Folder folder;
  const auto results = Open(folder.path());
  ASSERT_EQ(results->views()->Restore(0, "", 1), OkStatus());
  const Status text = WriteVisits(*results->views(), {VisitOf("\xFF", 0, 0, 1)});
  EXPECT_EQ(text.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(text.message(), HasSubstr("view visits: key: field page"));
  Visit early = VisitOf("a", 0, 0, 1);
  early.minute = Timestamp::Min().micros() / 60'000'000 + 1;
  EXPECT_THAT(WriteVisits(*results->views(), {early}).message(), HasSubstr("view visits: window"));
  EXPECT_THAT(WriteLetter(*results->dead_letters(), "\xFF").message(), HasSubstr("dead letters: field element"));
  ASSERT_TRUE(results->views()->Snapshot(1).ok());
  ASSERT_EQ(results->views()->CommitEpoch(1), OkStatus());
  EXPECT_EQ(results->views()->Finish(), OkStatus());
}

TEST(EpochSinksTest, PressureAsksForOneCheckpointPerEpochAndWritesFailAtTheLimit) {
  const Folder folder;
  const auto results = Open(folder.path(), {.block_bytes = 512, .pressure_bytes = 2000, .bytes_max = 6000});
  int asked = 0;
  results->views()->OnPressure([&] { ++asked; });
  ASSERT_EQ(results->views()->Restore(0, "", 1), OkStatus());
  std::uint64_t epoch = 0;
  for (int round = 1; round <= 3; ++round) {
    for (int i = 0; i < 100; ++i) {  // of some 40 bytes
      ASSERT_EQ(WriteVisits(*results->views(), {VisitOf("page", i, static_cast<std::uint64_t>(round), 1)}), OkStatus());
    }
    EXPECT_EQ(asked, round);
    ASSERT_TRUE(results->views()->Snapshot(++epoch).ok());
    ASSERT_EQ(results->views()->CommitEpoch(epoch), OkStatus());
  }
  Status status;
  for (int i = 0; i < 1000 && status.ok(); ++i) status = WriteVisits(*results->views(), {VisitOf("page", i, 9, 1)});
  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted);
  EXPECT_THAT(status.message(), HasSubstr("make checkpoints more often"));
}

TEST(EpochSinksTest, ThreadsWriteSideBySide) {
  const Folder folder;
  {
    const auto results = Open(folder.path(), {.block_bytes = 4096});
    ASSERT_EQ(results->views()->Restore(0, "", 1), OkStatus());
    for (std::uint64_t epoch = 1; epoch <= 3; ++epoch) {
      std::vector<std::thread> threads;
      for (int thread = 0; thread < 4; ++thread) {
        threads.emplace_back([&, thread] {
          for (int i = 0; i < 200; ++i) {
            EXPECT_EQ(WriteVisits(*results->views(), {VisitOf("p" + std::to_string(thread), i, epoch, i)}), OkStatus());
            if (i % 50 == 0) {
              EXPECT_EQ(WriteLetter(*results->dead_letters(), std::to_string(thread)), OkStatus());
            }
          }
        });
      }
      for (std::thread& thread : threads) thread.join();
      ASSERT_TRUE(results->views()->Snapshot(epoch).ok());
      ASSERT_EQ(results->views()->CommitEpoch(epoch), OkStatus());
    }
    ASSERT_EQ(results->views()->Finish(), OkStatus());
  }
  const Stored stored = ReadStored(folder.path());
  EXPECT_EQ(stored.warehouse.size(), 800U);
  EXPECT_EQ(stored.warehouse.at("p2/1@7"), "7 u7 (1.3)");
  EXPECT_EQ(stored.lookup, stored.warehouse);
  EXPECT_THAT(stored.letters, UnorderedElementsAre(Pair("0", 12), Pair("1", 12), Pair("2", 12), Pair("3", 12)));
}

}  // namespace
}  // namespace millrace::results_test
