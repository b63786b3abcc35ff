#include "nexmark/loop.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "base/test_settings.h"
#include "nexmark/loop_queries.h"
#include "nexmark/oracle.h"
#include "nexmark/python_reference.h"

namespace millrace::nexmark {
namespace {

using Bids = PositionCursor<BidCursor>;
using PersonsAndAuctions = PositionCursor<PersonAuctionCursor>;

// Collects the rows of a loop.
template <class Row>
class RowSink {
 public:
  void Add(Row&& row) { rows_.push_back(std::move(row)); }
  std::vector<Row> Sorted() {
    std::sort(rows_.begin(), rows_.end());
    return std::move(rows_);
  }

 private:
  std::vector<Row> rows_;
};

template <class Row, class Loop>
std::vector<Row> RowsOf(Loop loop) {
  RowSink<Row> sink;
  loop(sink);
  return sink.Sorted();
}

// gtest would print every row, so only the first that differs is named.
template <class Row>
void ExpectSameRows(const std::vector<Row>& actual, const std::vector<Row>& expected, const std::string& what) {
  EXPECT_EQ(actual.size(), expected.size()) << what;
  const std::size_t size = std::min(actual.size(), expected.size());
  for (std::size_t i = 0; i < size; ++i) {
    ASSERT_TRUE(actual[i] == expected[i]) << what << ": sorted row " << i << " of " << size << " differs";
  }
}

struct Case {
  GeneratorConfig config;
  std::uint64_t events;
  std::uint64_t keys;

  std::string ToString() const {
    std::ostringstream text;
    text << "seed " << config.seed << " rate " << config.rate << " disorder 2^" << config.disorder_log2 << " events "
         << events << " keys " << keys;
    return text.str();
  }
};

// Rates from one window in all to one event in several windows; event numbers around epochs and blocks.
std::vector<Case> RandomCases() {
  std::vector<Case> cases = {{{}, 0, 1}, {{}, 1, 1}, {{.rate = 1, .disorder_log2 = 3}, 300, 2}};
  std::mt19937_64 random(20'260'101);
  for (int i = 0; i < 60; ++i) {
    constexpr std::uint64_t kRates[] = {1, 3, 17, 100, 999, 1'000, 7'919, 50'000};
    const GeneratorConfig config{.seed = random(),
                                 .rate = kRates[random() % std::size(kRates)],
                                 .disorder_log2 = static_cast<int>(random() % 13)};
    cases.push_back({config, random() % 6'000, 1 + random() % 3'000});
  }
  return cases;
}

TEST(LoopTest, BidQueriesWithoutWindowsEqualTheOracle) {
  for (const Case& c : RandomCases()) {
    const Bids bids(c.config, c.events);
    const auto q0 = [&](auto& sink) { LoopQ0<OwnedBid>(bids, c.events, sink); };
    ExpectSameRows(RowsOf<Timed<OwnedBid>>(q0), OracleQ0(c.config, c.events), "q0, " + c.ToString());
    const auto q1 = [&](auto& sink) { LoopQ1<OwnedBid>(bids, c.events, sink); };
    ExpectSameRows(RowsOf<Timed<OwnedBid>>(q1), OracleQ1(c.config, c.events), "q1, " + c.ToString());
    const auto q2 = [&](auto& sink) { LoopQ2(bids, c.events, sink); };
    ExpectSameRows(RowsOf<SelectedBid>(q2), OracleQ2(c.config, c.events), "q2, " + c.ToString());
    const auto qk = [&](auto& sink) { LoopQk(bids, c.events, c.keys, sink); };
    ExpectSameRows(RowsOf<KeyCount>(qk), OracleQk(c.config, c.events, c.keys), "qk, " + c.ToString());
  }
}

TEST(LoopTest, WindowedQueriesEqualTheOracle) {
  for (const Case& c : RandomCases()) {
    const Bids bids(c.config, c.events);
    const std::int64_t bid_ms = BidMaxDisorder(c.config).count() / 1'000;
    const auto q5 = [&](auto& sink) { LoopQ5(bids, c.events, bid_ms, sink); };
    ExpectSameRows(RowsOf<HotItem>(q5), OracleQ5(c.config, c.events), "q5, " + c.ToString());
    const auto q7 = [&](auto& sink) { LoopQ7(bids, c.events, bid_ms, sink); };
    ExpectSameRows(RowsOf<HighestBid>(q7), OracleQ7(c.config, c.events), "q7, " + c.ToString());
    const auto q12 = [&](auto& sink) { LoopQ12(bids, c.events, bid_ms, sink); };
    ExpectSameRows(RowsOf<BidderCount>(q12), OracleQ12(c.config, c.events), "q12, " + c.ToString());
    const PersonsAndAuctions rows(c.config, c.events);
    const std::int64_t row_ms = PersonAuctionMaxDisorder(c.config).count() / 1'000;
    const auto q8 = [&](auto& sink) { LoopQ8(rows, c.events, row_ms, sink); };
    ExpectSameRows(RowsOf<NewSeller>(q8), OracleQ8(c.config, c.events), "q8, " + c.ToString());
  }
}

// The input's windows may lie several periods apart at a low rate: the windows between are empty and give no row.
TEST(LoopTest, HotItemsSkipEmptyWindows) {
  HotItemWindows windows;
  RowSink<HotItem> sink;
  CountTable counts;
  counts.Add(1'001, 2);
  counts.Add(1'002, 2);
  windows.AddSlice(1'000'000, counts, sink);
  windows.AddSlice(1'030'000, counts, sink);
  windows.Finish(sink);
  const std::vector<HotItem> rows = sink.Sorted();
  ASSERT_EQ(rows.size(), 20U) << "two auctions in five windows, twice";
  EXPECT_TRUE(rows.front() == (HotItem{Timestamp::FromMillis(992'000), 1'001, 2}));
  EXPECT_TRUE(rows.back() == (HotItem{Timestamp::FromMillis(1'030'000), 1'002, 2}));
}

std::string CheckText(const LoopOptions& options) {
  StatusOr<Check> check = RunLoop(options);
  return check.ok() ? check->ToString(SumsOfCheck(options.query)) : check.status().ToString();
}

// Given from outside, in NEXMARK's description: other systems were checked against the same values.
const std::vector<std::pair<Query, std::string>>& PublishedChecks() {
  static const std::vector<std::pair<Query, std::string>> checks = {{Query::kQ0, "4000000,40656142710266"},
                                                                    {Query::kQ1, "4000000,36915776662916"},
                                                                    {Query::kQ2, "32852,338638035442"},
                                                                    {Query::kQ5, "53,44229,7090600"},
                                                                    {Query::kQ7, "9,899100000"},
                                                                    {Query::kQ8, "509983,255437675513"},
                                                                    {Query::kQ12, "93504,4000000,10423290360"}};
  return checks;
}

TEST(LoopTest, PublishedChecksInOrder) {
  if (base::kSanitized) GTEST_SKIP() << "4,000,000 events take too long under a sanitizer; other builds check them";
  for (const auto& [query, expected] : PublishedChecks()) {
    EXPECT_EQ(CheckText({.query = query}), expected) << QueryName(query);
  }
}

TEST(LoopTest, PublishedChecksOutOfOrder) {
  if (base::kSanitized) GTEST_SKIP() << "4,000,000 events take too long under a sanitizer; other builds check them";
  for (const auto& [query, expected] : PublishedChecks()) {
    EXPECT_EQ(CheckText({.query = query, .generator = {.disorder_log2 = 12}}), expected) << QueryName(query);
  }
}

TEST(LoopTest, EveryFormOfRowsGivesTheSameCheck) {
  for (const Query query : kQueries) {
    for (const int disorder_log2 : {0, 9}) {
      LoopOptions options{.query = query, .generator = {.disorder_log2 = disorder_log2}, .events = 30'011};
      const std::string expected = CheckText(options);
      for (const bool whole_rows : {false, true}) {
        for (const bool owned_strings : {false, true}) {
          options.whole_rows = whole_rows;
          options.owned_strings = owned_strings;
          EXPECT_EQ(CheckText(options), expected) << QueryName(query) << " whole " << whole_rows;
        }
      }
    }
  }
}

TEST(LoopTest, ChecksEqualTheIndependentImplementation) {
  if (!HasPython()) GTEST_SKIP() << "no python3";
  for (const Query query : kQueries) {
    const LoopOptions options{.query = query, .generator = {.seed = 5, .rate = 400}, .events = 9'999, .keys = 700};
    EXPECT_EQ(CheckText(options) + "\n", PythonReference("check " + std::string(QueryName(query)) + " 5 400 9999 700"))
        << QueryName(query);
  }
}

TEST(LoopTest, RefusesWhatIsOutOfRange) {
  EXPECT_EQ(RunLoop({.generator = {.rate = 0}}).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(RunLoop({.query = Query::kQk, .keys = 0}).status().code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace millrace::nexmark
