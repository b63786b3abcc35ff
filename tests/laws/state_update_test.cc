// A program that has changed goes on with the state that its earlier version has left: fields that are new begin with
// their defaults, anything else is refused by name or, if that is asked for, begins anew.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

#include "epoch_views.h"
#include "law_source.h"
#include "storage/checkpoint_store.h"

namespace millrace::laws {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using Pair = KV<std::int64_t, std::int64_t>;
using Counts = std::map<std::int64_t, Pair>;  // by key: how many there were, and the sum of their values

// The accumulator of "Sum" and the cell of "Seen" in each version of the program.
namespace first {
struct Total {
  std::int64_t sum = 0;
};
struct Seen {
  std::int64_t count = 0;
};
void Merge(Total&, const Total&) {}
std::int64_t Tell(const Total& total) { return total.sum; }
std::int64_t Tell(const Seen& seen) { return seen.count; }
}  // namespace first

namespace with_more_fields {
struct Total {
  std::int64_t least_weight = 7;  // before what was there
  std::int64_t sum = 0;
};
struct Seen {
  std::int64_t count = 0;
  std::string note = "four";  // behind it
};
// A weight that was read as 0 would stay.
void Merge(Total& into, const Total& from) { into.least_weight = std::min(into.least_weight, from.least_weight); }
std::int64_t Tell(const Total& total) { return 10 * total.sum + total.least_weight; }
std::int64_t Tell(const Seen& seen) { return 10 * seen.count + static_cast<std::int64_t>(seen.note.size()); }
}  // namespace with_more_fields

namespace with_other_fields {
struct Total {
  double sum = 0;  // another type
};
struct Seen {
  std::int64_t count_of_all = 0;  // another name
};
void Merge(Total&, const Total&) {}
std::int64_t Tell(const Total& total) { return static_cast<std::int64_t>(total.sum); }
std::int64_t Tell(const Seen& seen) { return seen.count_of_all; }
}  // namespace with_other_fields

void AddOne(first::Seen& seen) { ++seen.count; }
void AddOne(with_more_fields::Seen& seen) { ++seen.count; }
void AddOne(with_other_fields::Seen& seen) { ++seen.count_of_all; }

template <class Total>
struct SumAs {
  Total CreateAccumulator() const { return {}; }
  void AddInput(Total& into, std::int64_t value) const {
    into.sum += static_cast<decltype(into.sum)>(value);
    Merge(into, Total{});
  }
  void MergeAccumulators(Total& into, const Total& from) const {
    into.sum += from.sum;
    Merge(into, from);
  }
  std::int64_t ExtractOutput(const Total& total) const { return Tell(total); }
};

template <class Seen>
struct CountAs {
  void ProcessElement(const Pair&, State<"count", Seen> cell, Output<Pair>) const {
    Seen seen = cell.Read();
    AddOne(seen);
    cell.Write(seen);
  }
  void OnWindowExpiration(const std::int64_t& key, State<"count", Seen> cell, Output<Pair> out) const {
    out.Emit(Pair{key, Tell(cell.Read())});
  }
};

/// What has passed in one run, by key. Stops the run when that is enough.
struct Tally {
  explicit Tally(std::int64_t elements = std::numeric_limits<std::int64_t>::max()) : enough(elements) {}

  void Add(const Event& event) {
    std::unique_lock lock(mutex);
    Pair& count = counts[event.key];
    ++count.key;
    count.value += event.value;
    if (++all <= enough) return;
    lock.unlock();
    stop->store(true);
    std::this_thread::sleep_for(std::chrono::microseconds(100));  // so that there is a rest
  }

  const std::int64_t enough;
  const std::shared_ptr<std::atomic<bool>> stop = std::make_shared<std::atomic<bool>>(false);
  std::mutex mutex;  // guards what follows
  Counts counts;
  std::int64_t all = 0;
};

// One window for all, which fires when the input is at its end.
const WindowFn kOneWindow = FixedWindows{seconds(100'000), seconds(-50'000)};

class StateUpdateTest : public ::testing::Test {
 protected:
  template <class Total, class Seen>
  PipelineResult Run(const std::shared_ptr<Tally>& tally, bool allow_lost_state = false) {
    Pipeline pipeline;
    auto pairs = pipeline | "Read" >> Read(EventSource{events_, true}).MaxDisorder(seconds(30)) |
                 "Tally" >> Map([tally](const Event& event) {
                   tally->Add(event);
                   return Pair{event.key, event.value};
                 }) |
                 "Window" >> WindowInto(kOneWindow);
    pairs | "Sum" >> CombinePerKey(SumAs<Total>{}) | View("sums");
    pairs | "Seen" >> ParDo(CountAs<Seen>{}) | View("seen");
    RunOptions options = chance_.Options(true);
    options.bundle_elements = 50;
    options.views = views_;
    // One checkpoint, when the run is stopped.
    options.checkpoints =
        CheckpointOptions{.folder = folder_.path(), .interval = seconds(1'000), .allow_lost_state = allow_lost_state};
    options.cancel = tally->stop;
    options.progress_interval = milliseconds(1);
    PipelineResult result = pipeline.Run(options);
    passed_ = tally->counts;
    return result;
  }
  template <class Total, class Seen>
  void RunToTheEnd(bool allow_lost_state = false) {
    const PipelineResult result = Run<Total, Seen>(std::make_shared<Tally>(), allow_lost_state);
    ASSERT_EQ(result.state, PipelineResult::State::kDone) << result.status;
  }
  template <class Total, class Seen>
  void RunAndStop(bool allow_lost_state = false) {
    const PipelineResult result = Run<Total, Seen>(std::make_shared<Tally>(20'000), allow_lost_state);
    ASSERT_EQ(result.state, PipelineResult::State::kCancelled) << result.status;
    ASSERT_EQ(passed_.size(), kKeys);
  }
  // Leaves state of the first version, and most of the events unread.
  void SetUp() override { RunAndStop<first::Total, first::Seen>(); }

  Counts All() const {
    Tally tally;
    for (const auto& partition : *events_) {
      for (const Event& event : partition) tally.Add(event);
    }
    return tally.counts;
  }
  // What the newest checkpoint has still to read. Its run may have read some of it all the same.
  Counts Unread() const {
    const auto checkpoint = storage::LatestCheckpoint(base::PosixFileSystem(), folder_.path());
    EXPECT_TRUE(checkpoint.ok() && checkpoint->has_value()) << checkpoint.status();
    Tally tally;
    for (const storage::RestrictionPosition& part : (*checkpoint)->FindSource("Read")->unfinished) {
      const Partition& events = events_->at(std::stoul(part.partition));
      for (auto i = static_cast<std::size_t>(part.from); i < events.size(); ++i) tally.Add(events[i]);
    }
    return tally.counts;
  }
  std::map<std::int64_t, std::int64_t> Results(const std::string& view) const {
    std::map<std::int64_t, std::int64_t> results;
    for (const EpochViews::Row& row : views_->Rows(view)) {
      EXPECT_TRUE(results.emplace(row.key, row.value).second) << view << ": key " << row.key << " is there twice";
    }
    return results;
  }
  // Each key's count and sum, as `tell` makes one number of them.
  template <class Tell>
  static std::map<std::int64_t, std::int64_t> Told(const Counts& counts, Tell tell) {
    std::map<std::int64_t, std::int64_t> told;
    for (const auto& [key, count] : counts) told[key] = tell(count.key, count.value);
    return told;
  }

  static constexpr std::int64_t kEvents = 100'000;
  static constexpr std::size_t kKeys = 60;

  Chance chance_{base::TestSeed() + 31};
  const std::shared_ptr<const std::vector<Partition>> events_ = chance_.Events(kEvents, kKeys, seconds(30));
  const std::shared_ptr<EpochViews> views_ = std::make_shared<EpochViews>();
  const TemporaryCheckpoints folder_;
  Counts passed_;  // in the last run
};

TEST_F(StateUpdateTest, FieldsThatAreNewBeginWithTheirDefaults) {
  // The new version's first checkpoint has the new layout throughout.
  RunAndStop<with_more_fields::Total, with_more_fields::Seen>();
  const std::uint64_t of_the_first = views_->restored_epoch();
  EXPECT_GT(of_the_first, 0U);
  RunToTheEnd<with_more_fields::Total, with_more_fields::Seen>();
  EXPECT_GT(views_->restored_epoch(), of_the_first);
  EXPECT_EQ(Results("sums"), Told(All(), [](auto, auto sum) { return 10 * sum + 7; }));
  EXPECT_EQ(Results("seen"), Told(All(), [](auto count, auto) { return 10 * count + 4; }));
}

TEST_F(StateUpdateTest, WhatWouldBeLostIsRefusedByStepStateAndField) {
  const PipelineResult refused = Run<with_other_fields::Total, with_other_fields::Seen>(std::make_shared<Tally>());
  EXPECT_EQ(refused.state, PipelineResult::State::kFailed);
  EXPECT_EQ(refused.status.code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(refused.status.message(),
              AllOf(HasSubstr("step \"Sum\", state \"accumulators\": field sum has changed"),
                    HasSubstr("step \"Seen\", state \"cells\": field count.count is no longer there"),
                    HasSubstr("--allow_lost_state"), Not(HasSubstr("\"windows\""))));
  EXPECT_TRUE(passed_.empty()) << "something was read";
  // Nothing has happened to the state.
  RunToTheEnd<first::Total, first::Seen>();
  EXPECT_EQ(Results("sums"), Told(All(), [](auto, auto sum) { return sum; }));
  EXPECT_EQ(Results("seen"), Told(All(), [](auto count, auto) { return count; }));
}

TEST_F(StateUpdateTest, OnRequestOnlyWhatDoesNotFitBeginsAnew) {
  const Counts unread = Unread();
  RunAndStop<first::Total, with_other_fields::Seen>(true);
  RunToTheEnd<first::Total, with_other_fields::Seen>();  // nothing is lost any more
  EXPECT_EQ(Results("sums"), Told(All(), [](auto, auto sum) { return sum; }));
  EXPECT_EQ(Results("seen"), Told(unread, [](auto count, auto) { return count; }));
}

}  // namespace
}  // namespace millrace::laws
