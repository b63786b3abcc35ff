#include "millrace/runner/ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

LedgerStep Filtered() {
  return {.step = "Filter",
          .kind = "Filter",
          .inputs = {"Read"},
          .put_out = 10,
          .taken_in = 10,
          .units = 10,
          .emitted = 7,
          .filtered = 3,
          .out = {7},
          .one_each = true};
}
LedgerStep Summed() {
  return {.step = "Sum",
          .kind = "CombinePerKey",
          .inputs = {"Filter"},
          .put_out = 7,
          .taken_in = 7,
          .units = 21,
          .late = 2,
          .closed = 9,
          .open_before = 1,
          .open_after = 11,
          .out = {4}};
}
LedgerEpoch EpochOf(std::uint64_t number, std::vector<LedgerStep> steps) {
  return {.first_epoch = number, .epoch = number, .attempt = 1, .sources = {}, .steps = std::move(steps)};
}
std::vector<std::string> Texts(const LedgerEpoch& epoch) {
  std::vector<std::string> texts;
  for (const LedgerProblem& problem : ProblemsOf(epoch)) texts.push_back(problem.step + ": " + problem.text);
  return texts;
}

TEST(Ledger, WhatBalancesHasNoProblem) { EXPECT_THAT(Texts(EpochOf(1, {Filtered(), Summed()})), SizeIs(0)); }

TEST(Ledger, EachEquationIsLookedAt) {
  LedgerStep edge = Filtered();
  edge.put_out = 12;
  LedgerStep units = Summed();
  units.closed = 10;
  LedgerStep outputs = Filtered();
  outputs.out = {5, 1};
  LedgerStep exchange = Summed();
  exchange.shipped = 4;
  exchange.received = 3;
  LedgerStep keys = Summed();
  keys.keys_lost = 1;
  EXPECT_THAT(Texts(EpochOf(1, {edge})),
              ElementsAre("Filter: 2 elements are missing on the way from Read: 12 put out, 10 taken in"));
  EXPECT_THAT(
      Texts(EpochOf(1, {units})),
      ElementsAre("Sum: 1 unit too many: 21 came, 2 dropped as too late, 10 in closed windows, open before 1 and "
                  "after 11"));
  EXPECT_THAT(Texts(EpochOf(1, {outputs})),
              ElementsAre("Filter: 1 element is missing behind it: 7 units emitted, 6 elements put out"));
  EXPECT_THAT(Texts(EpochOf(1, {exchange})),
              ElementsAre("Sum: 1 row is missing between the workers: 4 sent, 3 received"));
  EXPECT_THAT(Texts(EpochOf(1, {keys})), ElementsAre("Sum: 1 key is missing in the state of its windows"));
  LedgerEpoch end = EpochOf(1, {Summed()});
  end.is_end = true;
  EXPECT_THAT(Texts(end), ElementsAre("Sum: 11 units are still open though the input has ended"));
}

TEST(Ledger, ASourceHasNoInputAndAParDoMayPutOutMore) {
  LedgerStep source{.step = "Read", .kind = "Read", .out = {10, 0}, .is_source = true};
  LedgerStep par_do = Filtered();
  par_do.one_each = false;
  par_do.out = {20};
  EXPECT_THAT(Texts(EpochOf(1, {source, par_do})), SizeIs(0));
  par_do.out = {6};
  EXPECT_THAT(Texts(EpochOf(1, {par_do})), SizeIs(1));
}

TEST(Ledger, SumsGoOnWhereEpochsMeet) {
  Ledger ledger;
  for (std::uint64_t number = 1; number <= 100; ++number) {
    LedgerStep step = Summed();
    step.open_before = static_cast<std::int64_t>(10 * (number - 1));
    step.open_after = static_cast<std::int64_t>(10 * number);
    LedgerEpoch epoch = EpochOf(number, {step});
    const auto at = static_cast<std::int64_t>(number);
    epoch.sources = {
        {.step = "Read", .ranges = {{"0", 10 * at, 10 * at + 10}, {"1", 20 * at, 20 * at + 5}}, .elements = 15}};
    EXPECT_THAT(Texts(epoch), SizeIs(0));
    AddEpoch(std::move(epoch), &ledger);
  }
  EXPECT_EQ(ledger.epochs.size(), Ledger::kEpochsMax);
  EXPECT_EQ(ledger.epochs.front().epoch, 37U);
  EXPECT_EQ(ledger.total.first_epoch, 1U);
  EXPECT_EQ(ledger.total.epoch, 100U);
  EXPECT_EQ(ledger.total.sources[0].elements, 1'500);
  EXPECT_EQ(ledger.total.sources[0].ranges[0], (LedgerRange{"0", 10, 1'010}));
  EXPECT_EQ(ledger.total.sources[0].ranges.size(), 101U);  // those of partition 1 do not meet
  EXPECT_EQ(ledger.total.steps[0].units, 2'100);
  EXPECT_EQ(ledger.total.steps[0].open_before, 0);
  EXPECT_EQ(ledger.total.steps[0].open_after, 1'000);
  EXPECT_THAT(Texts(ledger.total), SizeIs(0));
}

}  // namespace
}  // namespace millrace
