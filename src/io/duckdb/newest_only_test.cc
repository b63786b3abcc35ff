// SQL views with and without ranking: whatever is done in whatever order, they show the newest cells.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <limits>
#include <map>
#include <optional>
#include <random>
#include <thread>

#include "base/test_settings.h"
#include "io/duckdb/duckdb_view_store.h"

namespace millrace::io_duckdb {
namespace {

// Cells of one key column "n" in the global window, by key: of each, the newest version that is not removed.
using Cells = std::map<std::int64_t, std::int64_t>;

struct Versioned {
  std::uint64_t pane = 0;
  std::optional<std::int64_t> value;
};
using Oracle = std::map<std::int64_t, Versioned>;

struct Write {
  std::int64_t key = 0;
  Versioned cell;
};

// The same for the same epoch: some hundred writes with twice as many keys, so that cells get more than one version.
std::vector<Write> WritesOf(std::uint64_t epoch) {
  std::mt19937_64 random(epoch * 7919);
  std::vector<Write> writes;
  const std::uint64_t count = random() % 4 == 0 ? 0 : random() % 300;
  for (std::uint64_t i = 0; i < count; ++i) {
    Write write{static_cast<std::int64_t>(random() % 600), {epoch * 1000 + i, std::nullopt}};
    if (random() % 8 == 0) write.cell.pane = i;  // an old pane that comes late
    if (random() % 6 != 0) write.cell.value = static_cast<std::int64_t>(random() % 1'000'000);
    writes.push_back(write);
  }
  return writes;
}

// The first epoch from `epoch` on that has cells.
std::uint64_t EpochWithCells(std::uint64_t epoch) {
  while (WritesOf(epoch).empty()) ++epoch;
  return epoch;
}

void ApplyTo(Oracle& oracle, std::uint64_t epoch) {
  for (const Write& write : WritesOf(epoch)) {
    auto [found, is_new] = oracle.try_emplace(write.key, write.cell);
    if (!is_new && write.cell.pane >= found->second.pane) found->second = write.cell;
  }
}

Cells NewestOf(const Oracle& oracle) {
  Cells cells;
  for (const auto& [key, cell] : oracle) {
    if (cell.value) cells[key] = *cell.value;
  }
  return cells;
}

Status AppendEpoch(ViewStore& store, std::uint64_t epoch) {
  const std::vector<Write> writes = WritesOf(epoch);
  std::vector<Cell> cells;
  for (const Write& write : writes) {
    cells.push_back({&write.key,
                     write.cell.value ? &*write.cell.value : nullptr,
                     Timestamp::Min(),
                     Timestamp::Max(),
                     {1, 1, write.cell.pane}});
  }
  return store.Append("n", epoch, cells);
}

class NewestOnlyTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "millrace_newest_XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    store_ = Open();
  }
  void TearDown() override {
    store_.reset();
    std::filesystem::remove_all(folder_);
  }

  std::unique_ptr<DuckdbViewStore> Open() const {
    auto store = DuckdbViewStore::Open({.path = folder_ + "/views.duckdb", .compact_after_cells = 0});
    if (!store.ok()) return nullptr;
    const Status declared =
        (*store)->Declare({.name = "n", .key = &TypeOf<std::int64_t>(), .value = &TypeOf<std::int64_t>()});
    return declared.ok() ? *std::move(store) : nullptr;
  }
  // Fails the test where the SQL view holds a cell twice.
  Cells BySql() const {
    Cells cells;
    columnar::Connection connection = *store_->database().Connect();
    auto result = *connection.Query("SELECT key, value FROM n");
    while (*result.Next()) {
      for (std::size_t row = 0; row < result.rows(); ++row) {
        const std::int64_t key = std::stoll(*result.Text(0, row));
        EXPECT_TRUE(cells.emplace(key, std::stoll(*result.Text(1, row))).second) << "key " << key << " twice";
      }
    }
    return cells;
  }
  Cells ByRead() const {
    Cells cells;
    EXPECT_EQ(store_->Read({.view = "n"},
                           [&](const Cell& cell) {
                             const auto key = *static_cast<const std::int64_t*>(cell.key);
                             EXPECT_TRUE(cells.emplace(key, *static_cast<const std::int64_t*>(cell.value)).second);
                             return true;
                           }),
              OkStatus());
    return cells;
  }
  std::string ViewText() const {
    columnar::Connection connection = *store_->database().Connect();
    auto result = *connection.Query("SELECT sql FROM duckdb_views() WHERE view_name = 'n'");
    return *result.Next() ? result.Text(0, 0).value_or("") : "none";
  }
  bool IsRanking() const { return ViewText().find("row_number") != std::string::npos; }

  std::string folder_;
  std::unique_ptr<DuckdbViewStore> store_;
};

TEST_F(NewestOnlyTest, TheViewDoesWithoutRankingFromACompactionToTheNextCommit) {
  const std::uint64_t first = EpochWithCells(1);
  const std::uint64_t last = EpochWithCells(first + 2);
  EXPECT_TRUE(IsRanking());
  ASSERT_EQ(AppendEpoch(*store_, first), OkStatus());
  ASSERT_EQ(store_->Commit(first), OkStatus());
  EXPECT_TRUE(IsRanking());
  ASSERT_EQ(store_->Compact(), OkStatus());
  EXPECT_FALSE(IsRanking()) << ViewText();
  store_.reset();
  store_ = Open();
  EXPECT_FALSE(IsRanking()) << "it stays so when the file is opened again";
  ASSERT_EQ(store_->Commit(first + 1), OkStatus());
  EXPECT_FALSE(IsRanking()) << "an epoch without cells";
  ASSERT_EQ(AppendEpoch(*store_, last), OkStatus());
  EXPECT_FALSE(IsRanking()) << "what is not committed is not seen";
  ASSERT_EQ(store_->Commit(last), OkStatus());
  EXPECT_TRUE(IsRanking());
}

TEST_F(NewestOnlyTest, AnEpochThatBeganBeforeTheCompactionBringsTheRankingBack) {
  const std::uint64_t first = EpochWithCells(1);
  const std::uint64_t last = EpochWithCells(first + 1);
  ASSERT_EQ(AppendEpoch(*store_, first), OkStatus());
  ASSERT_EQ(store_->Commit(first), OkStatus());
  ASSERT_EQ(AppendEpoch(*store_, last), OkStatus());
  ASSERT_EQ(store_->Compact(), OkStatus());
  ASSERT_FALSE(IsRanking());
  ASSERT_EQ(store_->Commit(last), OkStatus());
  EXPECT_TRUE(IsRanking());
  Oracle oracle;
  ApplyTo(oracle, first);
  ApplyTo(oracle, last);
  EXPECT_EQ(BySql(), NewestOf(oracle));
}

TEST_F(NewestOnlyTest, ZerosAndNansOfOneCellAreFound) {
  ASSERT_EQ(store_->Declare({.name = "d", .key = &TypeOf<double>(), .value = &TypeOf<std::int64_t>()}), OkStatus());
  const double keys[] = {0.0, -0.0, std::numeric_limits<double>::quiet_NaN(),
                         -std::numeric_limits<double>::quiet_NaN()};
  const std::int64_t values[] = {1, 2, 3, 4};
  std::vector<Cell> cells;
  for (std::size_t i = 0; i < 4; ++i) {
    cells.push_back({&keys[i], &values[i], Timestamp::Min(), Timestamp::Max(), {1, 1, i}});
  }
  ASSERT_EQ(store_->Append("d", 1, cells), OkStatus());
  ASSERT_EQ(store_->Commit(1), OkStatus());
  columnar::Connection connection = *store_->database().Connect();
  const std::string sql = "SELECT count(*) * 100 + sum(value)::BIGINT FROM d";
  EXPECT_EQ(*connection.QueryInt64(sql), 206);
  ASSERT_EQ(store_->Compact(), OkStatus());
  EXPECT_EQ(*connection.QueryInt64(sql), 206);
}

TEST_F(NewestOnlyTest, RandomWorkEqualsTheObviousMap) {
  std::mt19937_64 random(2001);
  Oracle oracle;
  std::uint64_t next = 1;
  int plain = 0;
  const int steps = base::kSanitized ? 120 : 300;
  for (int step = 0; step < steps; ++step) {
    const std::uint64_t kind = random() % 8;
    if (kind < 3) {
      const std::uint64_t ahead = next + 1 + random() % 2;  // begun before `next` is committed
      ASSERT_EQ(AppendEpoch(*store_, next), OkStatus());
      ASSERT_EQ(AppendEpoch(*store_, ahead), OkStatus());
      if (random() % 3 == 0) {
        ASSERT_EQ(store_->Compact(), OkStatus());
      }
      ASSERT_EQ(store_->Commit(next), OkStatus());
      ApplyTo(oracle, next);
      if (random() % 3 == 0) {
        ASSERT_EQ(store_->Compact(), OkStatus());
      }
      if (random() % 2 == 0) {
        ASSERT_EQ(store_->Commit(ahead), OkStatus());
        ApplyTo(oracle, ahead);
      } else {
        ASSERT_EQ(store_->Discard(ahead), OkStatus());
      }
      next = ahead + 1;
    } else if (kind == 3) {
      store_.reset();
      store_ = Open();
      ASSERT_NE(store_, nullptr);
    } else if (kind == 4) {
      ASSERT_EQ(store_->Compact(), OkStatus());
    } else {
      plain += IsRanking() ? 0 : 1;
      ASSERT_EQ(BySql(), NewestOf(oracle)) << "step " << step;
      ASSERT_EQ(ByRead(), NewestOf(oracle)) << "step " << step;
    }
  }
  EXPECT_GT(plain, steps / 30) << "views without ranking were looked at";
  EXPECT_GT(oracle.size(), static_cast<std::size_t>(steps));
}

TEST_F(NewestOnlyTest, AKillAtAnyTimeLeavesTheNewestCells) {
  store_.reset();
  std::mt19937_64 random(12);
  int plain = 0;
  int ranking = 0;
  // On a busy machine nothing may be compacted in such a time: then more rounds, of more time each.
  const int rounds = base::kSanitized ? 10 : 25;
  for (int round = 0; round < rounds || ((plain == 0 || ranking == 0) && round < 200); ++round) {
    const useconds_t delay_us =
        15'000 + static_cast<useconds_t>(random() % 60'000) * static_cast<useconds_t>(1 + round / 25);
    const pid_t child = ::fork();
    if (child == 0) {
      const auto store = Open();
      if (store == nullptr) ::_exit(1);
      std::uint64_t epoch = *store->LastEpoch();
      ::ualarm(delay_us, 0);  // SIGALRM ends the process wherever it is
      while (true) {
        ++epoch;
        if (!AppendEpoch(*store, epoch).ok() || !store->Commit(epoch).ok() || !store->Compact().ok()) ::_exit(2);
      }
    }
    int outcome = 0;
    ::waitpid(child, &outcome, 0);
    ASSERT_TRUE(WIFSIGNALED(outcome)) << "exit " << WEXITSTATUS(outcome);
    store_ = Open();
    ASSERT_NE(store_, nullptr);
    Oracle oracle;
    for (std::uint64_t epoch = 1; epoch <= *store_->LastEpoch(); ++epoch) ApplyTo(oracle, epoch);
    ASSERT_EQ(BySql(), NewestOf(oracle)) << "round " << round << ": " << ViewText();
    ASSERT_EQ(ByRead(), NewestOf(oracle)) << "round " << round;
    ++(IsRanking() ? ranking : plain);
    store_.reset();
  }
  EXPECT_GT(plain, 0);
  EXPECT_GT(ranking, 0);
}

TEST_F(NewestOnlyTest, ReadersNeverSeeACellTwiceWhileOthersCommitAndCompact) {
  std::atomic<bool> done = false;
  std::thread compactor([&] {
    while (!done) EXPECT_EQ(store_->Compact(), OkStatus());
  });
  std::thread reader([&] {
    while (!done) {
      BySql();
      ByRead();
    }
  });
  Oracle oracle;
  for (std::uint64_t epoch = 1; epoch <= 150; ++epoch) {
    EXPECT_EQ(AppendEpoch(*store_, epoch), OkStatus());
    EXPECT_EQ(store_->Commit(epoch), OkStatus());
    ApplyTo(oracle, epoch);
  }
  done = true;
  compactor.join();
  reader.join();
  EXPECT_EQ(BySql(), NewestOf(oracle));
  ASSERT_EQ(store_->Compact(), OkStatus());
  EXPECT_FALSE(IsRanking());
  EXPECT_EQ(BySql(), NewestOf(oracle));
}

}  // namespace
}  // namespace millrace::io_duckdb
