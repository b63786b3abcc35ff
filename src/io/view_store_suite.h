// What every store of views must do: one test suite that each store's own tests instantiate with
//   INSTANTIATE_TYPED_TEST_SUITE_P(Duckdb, ViewStoreSuite, Maker);
// where Maker::Open(folder) gives a StatusOr<std::unique_ptr<ViewStore>> and Maker::Damage(folder) damages its files.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "millrace/io/view_store.h"

namespace millrace {

struct SuiteKey {
  std::string page;
  std::optional<std::int32_t> shard;
  friend auto operator<=>(const SuiteKey&, const SuiteKey&) = default;  // an empty optional comes first
  friend bool operator==(const SuiteKey&, const SuiteKey&) = default;
};
struct SuiteValue {
  std::int64_t count = 0;
  std::vector<std::string> users;
  friend auto operator<=>(const SuiteValue&, const SuiteValue&) = default;
  friend bool operator==(const SuiteValue&, const SuiteValue&) = default;
};
struct SuiteOtherValue {
  double count = 0;
};

// One cell with its objects.
struct SuiteCell {
  SuiteKey key;
  Timestamp start;
  Timestamp end;
  CellVersion version;
  std::optional<SuiteValue> value;
  CellTiming timing = CellTiming::kOnTime;
  bool is_final = true;

  Cell Get() const { return {&key, value ? &*value : nullptr, start, end, version, timing, is_final}; }
  friend bool operator==(const SuiteCell&, const SuiteCell&) = default;
};

inline void PrintTo(const SuiteCell& cell, std::ostream* out) {
  *out << cell.key.page << "/" << cell.key.shard.value_or(-1) << " [" << cell.start << ", " << cell.end << ") "
       << cell.version.generation << "." << cell.version.attempt << "." << cell.version.pane << " = "
       << (cell.value ? std::to_string(cell.value->count) : "removed");
}

inline SuiteCell MakeCell(const std::string& page, int minute, std::uint64_t pane, std::int64_t count) {
  return {{page, 1},
          Timestamp::FromSeconds(minute * 60),
          Timestamp::FromSeconds(minute * 60 + 60),
          {1, 1, pane},
          SuiteValue{count, {"a", "b of " + page}}};
}

template <class Maker>
class ViewStoreSuite : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ =
        std::filesystem::temp_directory_path() / ("millrace_views_" + std::to_string(getpid()) + "_" +
                                                  ::testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override {
    store_.reset();
    std::filesystem::remove_all(folder_);
  }

  static ViewDescriptor Views() {
    return {.name = "page views", .key = &TypeOf<SuiteKey>(), .value = &TypeOf<SuiteValue>()};
  }
  void Reopen() {
    store_.reset();
    auto store = Maker::Open(folder_);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = std::move(*store);
    ASSERT_EQ(store_->Declare(Views()), OkStatus());
  }
  Status Append(std::uint64_t epoch, const std::vector<SuiteCell>& cells) { return AppendTo(*store_, epoch, cells); }
  static Status AppendTo(ViewStore& store, std::uint64_t epoch, const std::vector<SuiteCell>& cells) {
    std::vector<Cell> views;
    for (const SuiteCell& cell : cells) views.push_back(cell.Get());
    return store.Append("page views", epoch, views);
  }
  std::vector<SuiteCell> Read(ViewQuery query = {}) {
    query.view = "page views";
    std::vector<SuiteCell> cells;
    Status status = store_->Read(query, [&cells](const Cell& cell) {
      cells.push_back({*static_cast<const SuiteKey*>(cell.key), cell.window_start, cell.window_end, cell.version,
                       *static_cast<const SuiteValue*>(cell.value), cell.timing, cell.is_final});
      return true;
    });
    EXPECT_EQ(status, OkStatus());
    return cells;
  }

  std::filesystem::path folder_;
  std::unique_ptr<ViewStore> store_;
};

TYPED_TEST_SUITE_P(ViewStoreSuite);

TYPED_TEST_P(ViewStoreSuite, AnEpochIsVisibleAsAWholeAfterItsCommit) {
  this->Reopen();
  ASSERT_EQ(this->Append(1, {MakeCell("a", 0, 1, 10), MakeCell("b", 0, 1, 20)}), OkStatus());
  ASSERT_EQ(this->Append(2, {MakeCell("a", 0, 2, 11)}), OkStatus());
  EXPECT_TRUE(this->Read().empty());
  ASSERT_EQ(this->store_->Commit(1), OkStatus());
  EXPECT_THAT(this->Read(), ::testing::ElementsAre(MakeCell("a", 0, 1, 10), MakeCell("b", 0, 1, 20)));
  ASSERT_EQ(this->store_->Commit(2), OkStatus());
  EXPECT_THAT(this->Read(), ::testing::ElementsAre(MakeCell("a", 0, 2, 11), MakeCell("b", 0, 1, 20)));
  EXPECT_EQ(*this->store_->LastEpoch(), 2U);
  ASSERT_EQ(this->store_->Commit(5), OkStatus());  // an epoch without cells
  EXPECT_EQ(*this->store_->LastEpoch(), 5U);
}

TYPED_TEST_P(ViewStoreSuite, AnAppliedEpochIsNotAppliedAgain) {
  this->Reopen();
  ASSERT_EQ(this->Append(3, {MakeCell("a", 0, 1, 10)}), OkStatus());
  ASSERT_EQ(this->store_->Commit(3), OkStatus());
  this->Reopen();
  EXPECT_EQ(*this->store_->LastEpoch(), 3U);
  ASSERT_EQ(this->Append(3, {MakeCell("a", 0, 9, 99), MakeCell("c", 0, 1, 1)}), OkStatus());
  ASSERT_EQ(this->store_->Commit(3), OkStatus());
  EXPECT_THAT(this->Read(), ::testing::ElementsAre(MakeCell("a", 0, 1, 10)));
}

TYPED_TEST_P(ViewStoreSuite, EpochsAreCommittedInOrderOrDiscarded) {
  this->Reopen();
  ASSERT_EQ(this->Append(1, {MakeCell("a", 0, 1, 10)}), OkStatus());
  ASSERT_EQ(this->Append(2, {MakeCell("b", 0, 1, 20)}), OkStatus());
  EXPECT_EQ(this->store_->Commit(2).code(), StatusCode::kFailedPrecondition);
  ASSERT_EQ(this->store_->Discard(1), OkStatus());
  ASSERT_EQ(this->store_->Commit(2), OkStatus());
  EXPECT_THAT(this->Read(), ::testing::ElementsAre(MakeCell("b", 0, 1, 20)));
}

TYPED_TEST_P(ViewStoreSuite, TheNewestVersionWinsWhateverTheOrder) {
  this->Reopen();
  SuiteCell oldest = MakeCell("a", 0, 7, 1);
  SuiteCell next_attempt = MakeCell("a", 0, 1, 2);
  next_attempt.version.attempt = 2;
  SuiteCell next_generation = MakeCell("a", 0, 0, 3);
  next_generation.version = {2, 0, 0};
  ASSERT_EQ(this->Append(1, {next_attempt, oldest}), OkStatus());
  ASSERT_EQ(this->store_->Commit(1), OkStatus());
  EXPECT_THAT(this->Read(), ::testing::ElementsAre(next_attempt));
  ASSERT_EQ(this->Append(2, {next_generation, oldest}), OkStatus());
  ASSERT_EQ(this->store_->Commit(2), OkStatus());
  EXPECT_THAT(this->Read(), ::testing::ElementsAre(next_generation));
  ASSERT_EQ(this->store_->Compact(), OkStatus());
  EXPECT_THAT(this->Read(), ::testing::ElementsAre(next_generation));
  // A removed cell is not given, until a newer version brings it back.
  SuiteCell removed = next_generation;
  removed.version.pane = 1;
  removed.value.reset();
  ASSERT_EQ(this->Append(3, {removed}), OkStatus());
  ASSERT_EQ(this->store_->Commit(3), OkStatus());
  EXPECT_TRUE(this->Read().empty());
  ASSERT_EQ(this->store_->Compact(), OkStatus());
  EXPECT_TRUE(this->Read().empty());
  SuiteCell again = next_generation;
  again.version.pane = 2;
  ASSERT_EQ(this->Append(4, {again}), OkStatus());
  ASSERT_EQ(this->store_->Commit(4), OkStatus());
  EXPECT_THAT(this->Read(), ::testing::ElementsAre(again));
}

TYPED_TEST_P(ViewStoreSuite, AFencedAttemptIsRefused) {
  this->Reopen();
  ASSERT_EQ(this->Append(1, {MakeCell("a", 0, 1, 10)}), OkStatus());
  ASSERT_EQ(this->store_->Fence(1, 2), OkStatus());
  ASSERT_EQ(this->store_->Commit(1), OkStatus());
  EXPECT_TRUE(this->Read().empty()) << "what the dead attempt left was discarded";
  for (int round = 0; round < 2; ++round) {
    Status status = this->Append(2, {MakeCell("a", 0, 9, 10)});
    EXPECT_EQ(status.code(), StatusCode::kAborted);
    EXPECT_THAT(status.message(), ::testing::HasSubstr("attempt 1 is refused, since generation 1, attempt 2"));
    this->Reopen();  // the fence is durable
  }
  ASSERT_EQ(this->store_->Fence(1, 1), OkStatus());  // never goes back
  EXPECT_EQ(this->Append(2, {MakeCell("a", 0, 9, 10)}).code(), StatusCode::kAborted);
  EXPECT_EQ(this->Append(1, {MakeCell("a", 0, 9, 10)}), OkStatus()) << "a redo of an applied epoch is no harm";
  SuiteCell living = MakeCell("a", 0, 1, 5);
  living.version.attempt = 2;
  ASSERT_EQ(this->Append(2, {living}), OkStatus());
  ASSERT_EQ(this->store_->Commit(2), OkStatus());
  EXPECT_THAT(this->Read(), ::testing::ElementsAre(living));
}

TYPED_TEST_P(ViewStoreSuite, WhatCannotBeAViewIsRefused) {
  this->Reopen();
  ViewDescriptor changed = this->Views();
  changed.value = &TypeOf<SuiteOtherValue>();
  EXPECT_EQ(this->store_->Declare(changed).code(), StatusCode::kFailedPrecondition);
  ViewDescriptor twice{
      .name = "twice", .key = &TypeOf<std::int64_t>(), .value = &TypeOf<SuiteValue>(), .key_column = "Count"};
  EXPECT_THAT(this->store_->Declare(twice).message(), ::testing::HasSubstr("column name count is used twice"));
  ViewDescriptor list_key{.name = "list", .key = &TypeOf<std::vector<std::string>>(), .value = &TypeOf<SuiteValue>()};
  EXPECT_THAT(this->store_->Declare(list_key).message(), ::testing::HasSubstr("keys are scalars"));
  EXPECT_EQ(this->store_->Append("none", 1, {}).code(), StatusCode::kNotFound);
  ViewQuery both{.view = "page views"};
  SuiteKey key;
  both.key = &key;
  both.key_from = &key;
  EXPECT_EQ(this->store_->Read(both, [](const Cell&) { return true; }).code(), StatusCode::kInvalidArgument);
}

TYPED_TEST_P(ViewStoreSuite, ScalarKeysAndValuesHaveTheirTypes) {
  this->Reopen();
  ASSERT_EQ(this->store_->Declare({.name = "scalars", .key = &TypeOf<double>(), .value = &TypeOf<Duration>()}),
            OkStatus());
  const std::vector<double> keys = {1.5, -1e300, 0.0, -2.5, 1e-300, 7};
  std::vector<Cell> cells;
  const Duration took(1234);
  for (const double& key : keys) cells.push_back({&key, &took, Timestamp::Min(), Timestamp::Max(), {1, 1, 1}});
  ASSERT_EQ(this->store_->Append("scalars", 1, cells), OkStatus());
  ASSERT_EQ(this->store_->Commit(1), OkStatus());
  std::vector<double> read;
  ASSERT_EQ(this->store_->Read({.view = "scalars"},
                               [&](const Cell& cell) {
                                 read.push_back(*static_cast<const double*>(cell.key));
                                 EXPECT_EQ(*static_cast<const Duration*>(cell.value), took);
                                 EXPECT_EQ(cell.window_start, Timestamp::Min());
                                 EXPECT_EQ(cell.window_end, Timestamp::Max());
                                 return true;
                               }),
            OkStatus());
  EXPECT_THAT(read, ::testing::ElementsAre(-1e300, -2.5, 0.0, 1e-300, 1.5, 7));
}

TYPED_TEST_P(ViewStoreSuite, AKillBetweenAppendAndCommitLosesTheEpochAndNothingElse) {
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    auto store = TypeParam::Open(this->folder_);
    std::vector<SuiteCell> many;
    for (int i = 0; i < 30'000; ++i) many.push_back(MakeCell("page " + std::to_string(i), 0, 2, i));
    bool is_ok = store.ok() && (*store)->Declare(this->Views()).ok() &&
                 this->AppendTo(**store, 1, {MakeCell("a", 0, 1, 10)}).ok() && (*store)->Commit(1).ok() &&
                 this->AppendTo(**store, 2, many).ok();
    const char answer = is_ok ? 'y' : 'n';
    if (write(ready[1], &answer, 1) == 1) pause();
    _exit(0);
  }
  char answer = 'n';
  ASSERT_EQ(read(ready[0], &answer, 1), 1);
  EXPECT_EQ(answer, 'y');
  // Meanwhile the child holds the store.
  Status held = TypeParam::Open(this->folder_).status();
  EXPECT_EQ(held.code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(held.message(), ::testing::HasSubstr("is held by another process"));
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  this->Reopen();
  EXPECT_EQ(*this->store_->LastEpoch(), 1U);
  EXPECT_THAT(this->Read(), ::testing::ElementsAre(MakeCell("a", 0, 1, 10)));
  ASSERT_EQ(this->Append(2, {MakeCell("b", 0, 1, 20)}), OkStatus());
  ASSERT_EQ(this->store_->Commit(2), OkStatus());
  EXPECT_EQ(this->Read().size(), 2U);
}

TYPED_TEST_P(ViewStoreSuite, AKillWhileCompactingLosesNothing) {
  const pid_t child = fork();
  if (child == 0) {
    auto store = TypeParam::Open(this->folder_);
    if (!store.ok() || !(*store)->Declare(this->Views()).ok()) _exit(1);
    for (std::uint64_t epoch = 1; epoch <= 5; ++epoch) {
      std::vector<SuiteCell> cells;
      for (int i = 0; i < 5000; ++i) cells.push_back(MakeCell("p" + std::to_string(i), 0, epoch, i));
      if (!this->AppendTo(**store, epoch, cells).ok() || !(*store)->Commit(epoch).ok()) _exit(2);
    }
    alarm(0);
    ualarm(3000, 0);  // SIGALRM ends the process in the middle
    while (true) {
      if (!(*store)->Compact().ok()) _exit(3);
    }
  }
  int outcome = 0;
  waitpid(child, &outcome, 0);
  ASSERT_TRUE(WIFSIGNALED(outcome)) << "exit " << WEXITSTATUS(outcome);
  this->Reopen();
  EXPECT_EQ(*this->store_->LastEpoch(), 5U);
  const std::vector<SuiteCell> cells = this->Read();
  ASSERT_EQ(cells.size(), 5000U);
  for (const SuiteCell& cell : cells) ASSERT_EQ(cell.version.pane, 5U);
}

TYPED_TEST_P(ViewStoreSuite, AKillAtAnyTimeLeavesWholeEpochs) {
  constexpr int kCells = 60'000;
  std::uint64_t before = 0;
  for (const int delay_ms : {60, 130, 210, 340, 500, 2'000, 8'000, 30'000}) {
    if (delay_ms > 500 && before > 0) break;  // only a slow machine needs longer for an epoch
    const pid_t child = fork();
    if (child == 0) {
      const itimerval timer{.it_interval = {},
                            .it_value = {.tv_sec = delay_ms / 1000, .tv_usec = delay_ms % 1000 * 1000}};
      setitimer(ITIMER_REAL, &timer, nullptr);  // SIGALRM ends the process wherever it is
      auto store = TypeParam::Open(this->folder_);
      if (!store.ok() || !(*store)->Declare(this->Views()).ok()) _exit(1);
      for (std::uint64_t epoch = before + 1;; ++epoch) {
        std::vector<SuiteCell> cells;
        for (int i = 0; i < kCells; ++i) cells.push_back(MakeCell("p" + std::to_string(i), 0, epoch, i));
        if (!this->AppendTo(**store, epoch, cells).ok() || !(*store)->Commit(epoch).ok()) _exit(2);
      }
    }
    int outcome = 0;
    waitpid(child, &outcome, 0);
    ASSERT_TRUE(WIFSIGNALED(outcome)) << "exit " << WEXITSTATUS(outcome);
    this->Reopen();
    const std::uint64_t last = *this->store_->LastEpoch();
    ASSERT_GE(last, before);
    before = last;
    const std::vector<SuiteCell> cells = this->Read();
    ASSERT_EQ(cells.size(), last == 0 ? 0U : static_cast<std::size_t>(kCells));
    for (const SuiteCell& cell : cells) ASSERT_EQ(cell.version.pane, last);
    this->store_.reset();
  }
  EXPECT_GT(before, 0U);
}

TYPED_TEST_P(ViewStoreSuite, ManyThreadsAppendWhileOthersRead) {
  this->Reopen();
  for (std::uint64_t epoch = 1; epoch <= 5; ++epoch) {
    std::vector<std::thread> threads;
    std::atomic<int> failures = 0;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (int batch = 0; batch < 10; ++batch) {
          std::vector<SuiteCell> cells;
          for (int i = 0; i < 50; ++i) {
            cells.push_back(MakeCell(std::to_string(t) + " " + std::to_string(batch * 50 + i), 0, epoch, i));
          }
          if (!this->Append(epoch, cells).ok()) ++failures;
        }
      });
    }
    threads.emplace_back([&] {
      for (int i = 0; i < 5; ++i) {
        const std::vector<SuiteCell> cells = this->Read();
        if (cells.size() != (epoch == 1 ? 0U : 2000U)) ++failures;
        for (const SuiteCell& cell : cells) failures += cell.version.pane == epoch - 1 ? 0 : 1;
      }
    });
    for (std::thread& thread : threads) thread.join();
    ASSERT_EQ(failures, 0);
    ASSERT_EQ(this->store_->Commit(epoch), OkStatus());
  }
  EXPECT_EQ(this->Read().size(), 2000U);
}

TYPED_TEST_P(ViewStoreSuite, AFullDiskIsToldAndNothingIsHalfWritten) {
  this->Reopen();
  ASSERT_EQ(this->Append(1, {MakeCell("a", 0, 1, 10)}), OkStatus());
  ASSERT_EQ(this->store_->Commit(1), OkStatus());
  this->store_.reset();
  const pid_t child = fork();
  if (child == 0) {
    auto store = TypeParam::Open(this->folder_);
    if (!store.ok() || !(*store)->Declare(this->Views()).ok()) _exit(1);
    // No file may grow beyond 600 KB: as good as a full disk, for this process alone.
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{600'000, 600'000};
    setrlimit(RLIMIT_FSIZE, &limit);
    std::mt19937_64 random(1);
    std::vector<SuiteCell> cells;
    for (int i = 0; i < 100'000; ++i) cells.push_back(MakeCell(std::to_string(random()), 0, 2, i));
    Status status = this->AppendTo(**store, 2, cells);
    if (status.ok()) status = (*store)->Commit(2);
    const bool is_told = status.code() == StatusCode::kResourceExhausted &&
                         status.message().find("free some space") != std::string::npos;
    if (!is_told) std::fprintf(stderr, "%s\n", status.ToString().c_str());
    _exit(is_told ? 0 : 2);
  }
  int outcome = 0;
  waitpid(child, &outcome, 0);
  EXPECT_TRUE(WIFEXITED(outcome));
  EXPECT_EQ(WEXITSTATUS(outcome), 0);
  this->Reopen();
  EXPECT_EQ(*this->store_->LastEpoch(), 1U);
  EXPECT_THAT(this->Read(), ::testing::ElementsAre(MakeCell("a", 0, 1, 10)));
}

TYPED_TEST_P(ViewStoreSuite, ADamagedStoreIsNamed) {
  this->Reopen();
  ASSERT_EQ(this->Append(1, {MakeCell("a", 0, 1, 10)}), OkStatus());
  ASSERT_EQ(this->store_->Commit(1), OkStatus());
  this->store_.reset();
  TypeParam::Damage(this->folder_);
  Status status = TypeParam::Open(this->folder_).status();
  EXPECT_EQ(status.code(), StatusCode::kDataLoss) << status;
  EXPECT_THAT(status.message(), ::testing::HasSubstr(this->folder_.string()));
  EXPECT_THAT(status.message(), ::testing::HasSubstr("replay"));
}

// Random cells and queries against the obvious map.
TYPED_TEST_P(ViewStoreSuite, EqualsTheObviousMap) {
  using Identity = std::tuple<SuiteKey, Timestamp, Timestamp>;
  std::mt19937_64 random(20'010'101);
  auto below = [&random](std::uint64_t bound) { return random() % bound; };
  const std::string pages[] = {"",  "a", std::string("a\0", 2), std::string("a\0b", 3), "aa",
                               "b", "é", "zz zz zz zz zz"};
  auto random_key = [&] {
    return SuiteKey{pages[below(8)],
                    below(4) == 0 ? std::nullopt : std::optional(static_cast<std::int32_t>(below(5)) - 2)};
  };
  std::map<Identity, SuiteCell> oracle;
  this->Reopen();
  for (std::uint64_t epoch = 1; epoch <= 12; ++epoch) {
    std::vector<SuiteCell> cells;
    for (int i = 0; i < 300; ++i) {
      const bool is_global = below(10) == 0;
      const Timestamp start = is_global ? Timestamp::Min() : Timestamp::FromSeconds(static_cast<int>(below(6)) - 3);
      const Timestamp end = is_global ? Timestamp::Max() : start + std::chrono::seconds(1 + below(3));
      SuiteCell cell{random_key(), start, end, {1, 1 + below(3), below(1000) * 1000 + epoch * 20 + below(20)}, {}};
      cell.version.pane = cell.version.pane * 1000 + static_cast<std::uint64_t>(i);  // distinct versions
      if (below(8) != 0) cell.value = SuiteValue{static_cast<std::int64_t>(random()), {}};
      cell.timing = static_cast<CellTiming>(below(4));
      cell.is_final = below(2) == 0;
      cells.push_back(cell);
    }
    ASSERT_EQ(this->Append(epoch, cells), OkStatus());
    if (epoch % 5 == 4) {
      ASSERT_EQ(this->store_->Discard(epoch), OkStatus());
      continue;
    }
    ASSERT_EQ(this->store_->Commit(epoch), OkStatus());
    for (const SuiteCell& cell : cells) {
      auto [found, is_new] = oracle.try_emplace({cell.key, cell.start, cell.end}, cell);
      if (!is_new && found->second.version < cell.version) found->second = cell;
    }
    if (epoch % 4 == 0) {
      ASSERT_EQ(this->store_->Compact(), OkStatus());
    }
    if (epoch % 6 == 0) this->Reopen();
    for (int q = 0; q < 40; ++q) {
      const SuiteKey first = random_key();
      const SuiteKey second = random_key();
      ViewQuery query;
      const std::uint64_t kind = below(4);
      if (kind == 0) query.key = &first;
      if (kind == 0 && below(2) == 0) query.key_columns = 1;
      if (kind == 1) query.key_from = &first;
      if (kind == 1 || kind == 2) query.key_to = &second;
      if (below(3) == 0) query.starts_from = Timestamp::FromSeconds(static_cast<int>(below(6)) - 3);
      if (below(3) == 0) query.ends_by = Timestamp::FromSeconds(static_cast<int>(below(6)) - 3);
      if (below(5) == 0) query.ExactWindow(query.starts_from, query.ends_by);
      if (below(4) == 0) query.limit = below(30);
      std::vector<SuiteCell> expected;
      for (const auto& [identity, cell] : oracle) {
        const bool is_key =
            query.key == nullptr || (cell.key.page == first.page && (query.key_columns == 1 || cell.key == first));
        const bool is_in_range =
            (query.key_from == nullptr || cell.key >= first) && (query.key_to == nullptr || cell.key < second);
        const bool is_window = query.is_exact_window ? cell.start == query.starts_from && cell.end == query.ends_by
                                                     : cell.start >= query.starts_from && cell.end <= query.ends_by;
        if (is_key && is_in_range && is_window && cell.value && expected.size() < query.limit) expected.push_back(cell);
      }
      ASSERT_EQ(this->Read(query), expected) << "epoch " << epoch << ", query " << q << " of kind " << kind;
    }
  }
  EXPECT_GT(oracle.size(), 500U);
}

REGISTER_TYPED_TEST_SUITE_P(ViewStoreSuite, ManyThreadsAppendWhileOthersRead, AnEpochIsVisibleAsAWholeAfterItsCommit,
                            AnAppliedEpochIsNotAppliedAgain, EpochsAreCommittedInOrderOrDiscarded,
                            TheNewestVersionWinsWhateverTheOrder, AFencedAttemptIsRefused, WhatCannotBeAViewIsRefused,
                            ScalarKeysAndValuesHaveTheirTypes, AKillBetweenAppendAndCommitLosesTheEpochAndNothingElse,
                            AKillWhileCompactingLosesNothing, AFullDiskIsToldAndNothingIsHalfWritten,
                            AKillAtAnyTimeLeavesWholeEpochs, ADamagedStoreIsNamed, EqualsTheObviousMap);

}  // namespace millrace
