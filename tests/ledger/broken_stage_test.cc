// A stage that loses or doubles a single element is found, with its step, its epoch and the offsets that were read.
#include "broken_stage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <optional>

#include "../laws/epoch_views.h"
#include "../laws/law_source.h"

namespace millrace::ledger_test {
namespace {

using laws::Event;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

// One source, whose elements go two ways from each of three stages.
void Build(Pipeline& pipeline, std::shared_ptr<const std::vector<laws::Partition>> events) {
  auto pairs = pipeline | "Read" >> Read(laws::EventSource{std::move(events), true}).MaxDisorder(seconds(30)) |
               "Pairs" >> Map([](const Event& event) { return Pair{event.key, event.value}; });
  auto even = pairs | "Even" >> Filter([](const Pair& pair) { return pair.value % 2 == 0; });
  auto twice = pairs | "Twice" >> ParDo([](const Pair& pair, Output<Pair> out) {
                         out.Emit(pair);
                         if (pair.value % 3 == 0) out.Emit(pair);
                       });
  auto shuffled = even | "Shuffle" >> Reshuffle{};
  shuffled | "Fixed" >> WindowInto(FixedWindows{seconds(300)}) | "Sum" >> CombinePerKey(Sum{}) | View("sums");
  twice | "Sliding" >> WindowInto(SlidingWindows{seconds(600), seconds(200)}) | "SlidingSum" >> CombinePerKey(Sum{}) |
      View("sliding_sums");
}

struct Found {
  const LedgerEpoch* epoch = nullptr;
  LedgerProblem problem;
};

class BrokenStage : public ::testing::TestWithParam<int> {
 protected:
  using Count = std::shared_ptr<std::atomic<int>>;

  // Breaks a stage in some batch of some epoch.
  template <class Breaks>
  void Run(Breaks&& breaks, std::optional<StateOptions> state = std::nullopt) {
    laws::Chance chance(base::TestSeed() * 77 + static_cast<std::uint64_t>(GetParam()));
    const auto events = chance.Events(40'000, 50, seconds(30));
    Pipeline pipeline;
    Build(pipeline, events);
    breaks(pipeline, std::make_shared<std::atomic<int>>(static_cast<int>(chance.random.Between(0, 60))));
    RunOptions options;
    options.streaming = true;
    options.threads = GetParam();
    options.bundle_elements = 200;
    options.views = std::make_shared<laws::EpochViews>();
    if (state) options.state = *state;
    const laws::TemporaryCheckpoints folder;
    options.checkpoints = CheckpointOptions{.folder = folder.path(), .interval = milliseconds(10)};
    const PipelineResult result = pipeline.Run(options);
    ASSERT_EQ(result.status, OkStatus());
    ledger_ = result.ledger;
    for (const LedgerEpoch& epoch : ledger_.epochs) {
      for (const LedgerProblem& problem : ProblemsOf(epoch)) found_.push_back({&epoch, problem});
    }
  }
  // The problem, the same in the sums, and an epoch that says what was read.
  void Expect(const std::string& step, const std::string& text) {
    const auto is_it = [&](const LedgerProblem& problem) {
      return problem.step == step && problem.text.find(text) != std::string::npos;
    };
    const auto found = std::find_if(found_.begin(), found_.end(), [&](const Found& one) { return is_it(one.problem); });
    std::string all;
    for (const Found& one : found_) all += "\n  " + one.problem.step + ": " + one.problem.text;
    ASSERT_NE(found, found_.end()) << step << ": " << text << "; found:" << all;
    EXPECT_FALSE(found->epoch->sources.at(0).ranges.empty());
    const std::vector<LedgerProblem> of_sums = ProblemsOf(ledger_.total);
    EXPECT_EQ(std::count_if(of_sums.begin(), of_sums.end(), is_it), 1);
    found_.erase(found);
  }
  void ExpectNothingElse() {
    for (const Found& one : found_) ADD_FAILURE() << one.problem.step << ": " << one.problem.text;
  }

  Ledger ledger_;
  std::vector<Found> found_;
};
INSTANTIATE_TEST_SUITE_P(Threads, BrokenStage, ::testing::Values(1, 3));

TEST_P(BrokenStage, NoneIsFoundWhereNoneIs) {
  Run([](Pipeline&, const Count&) {});
  ExpectNothingElse();
  EXPECT_TRUE(ProblemsOf(ledger_.total).empty());
  EXPECT_EQ(ledger_.total.sources.at(0).elements, 40'000);
  EXPECT_TRUE(ledger_.epochs.back().is_end);
}

TEST_P(BrokenStage, AnElementIsLostAtTheBeginningOfAStep) {
  Run([](Pipeline& pipeline, const Count& at) {
    Break<TamperedOperator, detail::ReshufflePayload>(pipeline, "Shuffle", Once(DropLast<Pair>, at));
  });
  Expect("Shuffle", "1 element is missing at its beginning");
  ExpectNothingElse();
}

TEST_P(BrokenStage, AnElementIsDoubledAtTheBeginningOfAStep) {
  Run([](Pipeline& pipeline, const Count& at) {
    Break<TamperedOperator, detail::ReshufflePayload>(pipeline, "Shuffle", Once(DoubleLast<Pair>, at));
  });
  Expect("Shuffle", "1 element too many at its beginning");
  ExpectNothingElse();
}

// A step that changes a batch which another one reads after it: that one gets too little.
TEST_P(BrokenStage, AnElementIsTakenFromAnotherStep) {
  Run([](Pipeline& pipeline, const Count& at) { Break<TamperedOperator>(pipeline, "Even", Once(DropLast<Pair>, at)); });
  Expect("Even", "1 element is missing at its beginning");
  Expect("Twice", "1 element is missing on the way from Pairs");
  ExpectNothingElse();
}

TEST_P(BrokenStage, AnElementIsLostBehindAStep) {
  Run([](Pipeline& pipeline, const Count& at) { Break<TamperedOutput>(pipeline, "Even", Once(DropLast<Pair>, at)); });
  Expect("Even", "1 element is missing behind it");
  ExpectNothingElse();
}

TEST_P(BrokenStage, AnElementIsLostInTheTableOfAnAggregation) {
  Run([](Pipeline& pipeline, const Count& at) { BreakAggregation(pipeline, "Sum", Once(DropLast<Pair>, at)); });
  Expect("Sum", "1 unit is missing");
  ExpectNothingElse();
}

TEST_P(BrokenStage, AnElementIsDoubledInTheTablesOfSlices) {
  Run([](Pipeline& pipeline, const Count& at) {
    BreakAggregation(pipeline, "SlidingSum", Once(DoubleLast<Pair>, at));
  });
  Expect("SlidingSum", "3 units too many");
  ExpectNothingElse();
}

// A state backend that loses an entry which it is given for the first time.
class Forgetful final : public detail::SpillStore {
 public:
  explicit Forgetful(std::shared_ptr<detail::SpillStore> inner) : inner_(std::move(inner)) {}
  std::unique_ptr<detail::SpillTable> NewTable() override {
    return std::make_unique<Table>(inner_->NewTable(), forgets_after_);
  }

 private:
  struct Table final : detail::SpillTable {
    Table(std::unique_ptr<detail::SpillTable> i, std::atomic<int>& f) : inner(std::move(i)), forgets_after(f) {}
    void Put(int shard, std::string_view key, std::string_view value) override {
      std::string before;
      const bool is_new = !inner->Get(shard, key, &before);
      if (!is_new || forgets_after.fetch_sub(1) != 0) inner->Put(shard, key, value);
    }
    void Remove(int shard, std::string_view key) override { inner->Remove(shard, key); }
    bool Get(int shard, std::string_view key, std::string* value) override { return inner->Get(shard, key, value); }
    void ForEach(int shard, const detail::SpillVisitor& visit) override { inner->ForEach(shard, visit); }
    std::shared_ptr<const detail::SpillSnapshot> Snapshot() override { return inner->Snapshot(); }
    std::unique_ptr<detail::SpillTable> inner;
    std::atomic<int>& forgets_after;
  };
  std::shared_ptr<detail::SpillStore> inner_;
  std::atomic<int> forgets_after_{300};
};

TEST_P(BrokenStage, AKeyIsLostByTheStateBackend) {
  laws::Chance chance(base::TestSeed());
  StateOptions state = chance.SmallMemory();
  state.memory_bytes = 1;
  state.open = [open = state.open](const StateOptions& options) -> StatusOr<std::shared_ptr<detail::SpillStore>> {
    auto store = open(options);
    if (!store.ok()) return store.status();
    return std::shared_ptr<detail::SpillStore>(std::make_shared<Forgetful>(*store));
  };
  Run([](Pipeline&, const Count&) {}, state);
  ASSERT_FALSE(found_.empty());
  // A slice is walked for each of its windows.
  for (const Found& one : found_) EXPECT_THAT(one.problem.text, HasSubstr("in the state of its windows"));
}

}  // namespace
}  // namespace millrace::ledger_test
