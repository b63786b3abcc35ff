// What every store must do with views whose windows merge: a cell whose window lies within that of another cell of its
// key is not there. To be instantiated beside the ViewStoreSuite of `io/view_store_suite.h`, with the same Maker.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <map>
#include <random>
#include <tuple>
#include <vector>

#include "io/view_store_suite.h"

namespace millrace {

inline ViewDescriptor SessionView() {
  return {.name = "sessions", .key = &TypeOf<SuiteKey>(), .value = &TypeOf<SuiteValue>(), .merges_windows = true};
}

inline SuiteCell SessionCell(const std::string& page, int start, int end, std::int64_t count, std::uint64_t pane = 0) {
  SuiteCell cell = MakeCell(page, 0, pane, count);
  cell.start = Timestamp::FromSeconds(start);
  cell.end = Timestamp::FromSeconds(end);
  return cell;
}

template <class Maker>
class SessionViewsSuite : public ViewStoreSuite<Maker> {
 protected:
  void SetUp() override {
    ViewStoreSuite<Maker>::SetUp();
    ReopenSessions();
  }
  void ReopenSessions() {
    this->Reopen();
    ASSERT_EQ(this->store_->Declare(SessionView()), OkStatus());
  }
  void Write(std::uint64_t epoch, const std::vector<SuiteCell>& cells) {
    std::vector<Cell> written;
    for (const SuiteCell& cell : cells) written.push_back(cell.Get());
    ASSERT_EQ(this->store_->Append("sessions", epoch, written), OkStatus());
    ASSERT_EQ(this->store_->Commit(epoch), OkStatus());
  }
  std::vector<SuiteCell> ReadSessions(ViewQuery query = {}) {
    query.view = "sessions";
    std::vector<SuiteCell> cells;
    EXPECT_EQ(
        this->store_->Read(query,
                           [&cells](const Cell& cell) {
                             cells.push_back({*static_cast<const SuiteKey*>(cell.key), cell.window_start,
                                              cell.window_end, cell.version,
                                              *static_cast<const SuiteValue*>(cell.value), cell.timing, cell.is_final});
                             return true;
                           }),
        OkStatus());
    return cells;
  }
};

TYPED_TEST_SUITE_P(SessionViewsSuite);

TYPED_TEST_P(SessionViewsSuite, ALongerSessionTakesThePlaceOfThoseWithinIt) {
  using ::testing::ElementsAre;
  this->Write(1, {SessionCell("a", 0, 10, 1), SessionCell("a", 20, 30, 2), SessionCell("b", 0, 10, 3)});
  EXPECT_EQ(this->ReadSessions().size(), 3U);
  this->Write(2, {SessionCell("a", 0, 15, 4)});
  EXPECT_THAT(this->ReadSessions(),
              ElementsAre(SessionCell("a", 0, 15, 4), SessionCell("a", 20, 30, 2), SessionCell("b", 0, 10, 3)));
  this->Write(3, {SessionCell("a", -5, 30, 5)});
  EXPECT_THAT(this->ReadSessions(), ElementsAre(SessionCell("a", -5, 30, 5), SessionCell("b", 0, 10, 3)));
  ASSERT_EQ(this->store_->Compact(), OkStatus());
  this->ReopenSessions();
  EXPECT_THAT(this->ReadSessions(), ElementsAre(SessionCell("a", -5, 30, 5), SessionCell("b", 0, 10, 3)));
  this->Write(4, {SessionCell("b", 0, 12, 6)});
  EXPECT_THAT(this->ReadSessions(), ElementsAre(SessionCell("a", -5, 30, 5), SessionCell("b", 0, 12, 6)));
}

// Threads may write the panes of one key in another order than they were made.
TYPED_TEST_P(SessionViewsSuite, TheOrderOfWritesMakesNoDifference) {
  using ::testing::ElementsAre;
  this->Write(1, {SessionCell("a", 5, 8, 1), SessionCell("a", 0, 20, 2), SessionCell("a", 0, 5, 3)});
  EXPECT_THAT(this->ReadSessions(), ElementsAre(SessionCell("a", 0, 20, 2)));
  this->Write(2, {SessionCell("a", 10, 20, 4, 7)});
  this->Write(3, {SessionCell("a", 0, 10, 5, 8), SessionCell("a", 5, 8, 6, 9)});
  EXPECT_THAT(this->ReadSessions(), ElementsAre(SessionCell("a", 0, 20, 2)));
  this->Write(4, {SessionCell("a", 0, 20, 7, 1)});
  EXPECT_THAT(this->ReadSessions(), ElementsAre(SessionCell("a", 0, 20, 7, 1)));
}

// An element that comes after its session has expired begins another one, which may overlap it.
TYPED_TEST_P(SessionViewsSuite, SessionsThatOverlapStayBeside) {
  using ::testing::ElementsAre;
  this->Write(1, {SessionCell("a", 0, 20, 1)});
  this->Write(2, {SessionCell("a", 15, 25, 2)});
  EXPECT_THAT(this->ReadSessions(), ElementsAre(SessionCell("a", 0, 20, 1), SessionCell("a", 15, 25, 2)));
  ASSERT_EQ(this->store_->Compact(), OkStatus());
  EXPECT_THAT(this->ReadSessions(), ElementsAre(SessionCell("a", 0, 20, 1), SessionCell("a", 15, 25, 2)));
}

TYPED_TEST_P(SessionViewsSuite, OtherViewsKeepWindowsWithinWindows) {
  const SuiteCell longer = SessionCell("a", 0, 20, 1);
  const SuiteCell shorter = SessionCell("a", 5, 10, 2);
  ASSERT_EQ(this->Append(1, {longer, shorter}), OkStatus());
  ASSERT_EQ(this->store_->Commit(1), OkStatus());
  EXPECT_THAT(this->Read(), ::testing::ElementsAre(longer, shorter));
}

TYPED_TEST_P(SessionViewsSuite, AViewDoesNotBecomeOneOfSessions) {
  ViewDescriptor changed = SessionView();
  changed.merges_windows = false;
  const Status refused = this->store_->Declare(changed);
  EXPECT_EQ(refused.code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(refused.message(), ::testing::HasSubstr("in sessions, but the pipeline declares"));
}

// By the obvious rule: all cells that were ever written, newest versions, less those within another.
TYPED_TEST_P(SessionViewsSuite, EqualsTheObviousRule) {
  const char* given = std::getenv("MILLRACE_TEST_SEED");
  const std::uint64_t seed = given == nullptr ? 1 : std::strtoull(given, nullptr, 10);
  SCOPED_TRACE("MILLRACE_TEST_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  const auto below = [&](int n) { return static_cast<int>(random() % static_cast<std::uint64_t>(n)); };
  std::map<std::tuple<SuiteKey, Timestamp, Timestamp>, SuiteCell> written;
  for (std::uint64_t epoch = 1; epoch <= 40; ++epoch) {
    std::vector<SuiteCell> cells;
    for (int i = below(30); i > 0; --i) {
      const int start = below(60);
      cells.push_back(SessionCell(std::string(1, static_cast<char>('a' + below(4))), start, start + 1 + below(12),
                                  below(1'000), static_cast<std::uint64_t>(below(4))));
      auto [found, is_new] =
          written.try_emplace({cells.back().key, cells.back().start, cells.back().end}, cells.back());
      if (!is_new && found->second.version <= cells.back().version) found->second = cells.back();
    }
    this->Write(epoch, cells);
    if (epoch % 7 == 0) {
      ASSERT_EQ(this->store_->Compact(), OkStatus());
    }
    if (epoch % 11 == 0) this->ReopenSessions();
    for (int q = 0; q < 6; ++q) {
      ViewQuery query;
      if (q > 0) query.starts_from = Timestamp::FromSeconds(below(60));
      if (q > 1) query.ends_by = query.starts_from + std::chrono::seconds(below(30));
      const SuiteKey key{std::string(1, static_cast<char>('a' + below(4))), 1};
      if (q > 2) query.key = &key;
      if (q > 4) query.ExactWindow(query.starts_from, query.ends_by);
      std::vector<SuiteCell> expected;
      for (const auto& [identity, cell] : written) {
        const bool is_within = std::any_of(written.begin(), written.end(), [&](const auto& other) {
          const SuiteCell& outer = other.second;
          return outer.key == cell.key && outer.start <= cell.start && outer.end >= cell.end &&
                 (outer.start != cell.start || outer.end != cell.end);
        });
        const bool is_window = query.is_exact_window ? cell.start == query.starts_from && cell.end == query.ends_by
                                                     : cell.start >= query.starts_from && cell.end <= query.ends_by;
        if (!is_within && is_window && (query.key == nullptr || cell.key == key)) expected.push_back(cell);
      }
      ASSERT_EQ(this->ReadSessions(query), expected) << "epoch " << epoch << ", query " << q;
    }
  }
}

REGISTER_TYPED_TEST_SUITE_P(SessionViewsSuite, ALongerSessionTakesThePlaceOfThoseWithinIt,
                            TheOrderOfWritesMakesNoDifference, SessionsThatOverlapStayBeside,
                            OtherViewsKeepWindowsWithinWindows, AViewDoesNotBecomeOneOfSessions, EqualsTheObviousRule);

}  // namespace millrace
