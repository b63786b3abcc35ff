// Of a record and the one that was put into the log again for it exactly one counts: in the generation that goes on and
// in one that reads everything anew, from the log and from the archive, against the plain loop.
#include "log/reinjected.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "../laws/epoch_views.h"
#include "base/random.h"
#include "base/simulated_file_system.h"
#include "base/test_settings.h"
#include "log/log_reader.h"
#include "log/log_writer.h"
#include "millrace/io/log.h"
#include "millrace/millrace.h"

namespace millrace::dlq_test {
namespace {

using log::AppendRecord;
using log::LogWriter;
using log::RecordPlace;
using Pair = KV<std::int64_t, std::int64_t>;
using Sums = std::map<std::int64_t, std::int64_t>;

constexpr std::int32_t kPartitions = 3;

struct Reject {
  std::string data;
  std::string why;
};

/// What the code of a version takes: one that is fixed takes more.
struct Parse {
  std::int64_t refuses_from = 0;  // values from here on
  void ProcessElement(const LogRecord& record, Output<Pair> pairs, Output<Reject> rejects) const {
    const std::int64_t value = std::stoll(record.data);
    if (value >= refuses_from) {
      rejects.Emit(Reject{record.data, "too large"});
    } else {
      pairs.Emit(Pair{value % 7, value});
    }
  }
};

/// Dead letters, each when its epoch is committed.
class EpochLetters final : public DeadLetterSink {
 public:
  Status Write(std::span<const DeadLetter> letters) override {
    const std::lock_guard lock(mutex_);
    open_.insert(open_.end(), letters.begin(), letters.end());
    return OkStatus();
  }
  Status Finish() override { return OkStatus(); }
  StatusOr<EpochBatch> Snapshot(std::uint64_t epoch) override {
    const std::lock_guard lock(mutex_);
    sealed_[epoch] = std::exchange(open_, {});
    return EpochBatch{};
  }
  Status CommitEpoch(std::uint64_t epoch) override {
    const std::lock_guard lock(mutex_);
    while (!sealed_.empty() && sealed_.begin()->first <= epoch) {
      const auto& letters = sealed_.begin()->second;
      visible_.insert(visible_.end(), letters.begin(), letters.end());
      sealed_.erase(sealed_.begin());
    }
    return OkStatus();
  }
  Status Restore(std::uint64_t epoch, std::string_view, std::uint64_t) override {
    static_cast<void>(CommitEpoch(epoch));
    const std::lock_guard lock(mutex_);
    sealed_.clear();
    open_.clear();
    return OkStatus();
  }
  std::vector<DeadLetter> Take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(visible_, {});
  }

 private:
  std::mutex mutex_;
  std::vector<DeadLetter> open_;
  std::map<std::uint64_t, std::vector<DeadLetter>> sealed_;
  std::vector<DeadLetter> visible_;
};

class ReinjectedTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto writer = LogWriter::Open(files_, "log", "numbers", {.partitions = kPartitions, .segment_bytes = 5'000});
    ASSERT_TRUE(writer.ok()) << writer.status();
    writer_ = *std::move(writer);
  }

  void Append(std::int32_t partition, std::int64_t value, const std::map<std::string, std::string>& attributes = {}) {
    const std::string data = std::to_string(value);
    const AppendRecord record{.event_time = Timestamp::FromSeconds(value),
                              .data = data,
                              .attributes = attributes.empty() ? nullptr : &attributes,
                              .partition = partition};
    ASSERT_TRUE(writer_->Append({&record, 1}).ok());
  }
  void Events(std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t value = random_.Between(0, 999);
      events_.push_back(value);
      Append(static_cast<std::int32_t>(random_.Below(kPartitions)), value);
      if (random_.Chance(0.02)) {
        ASSERT_TRUE(writer_->AdvanceWatermark(Timestamp::FromSeconds(++control_)).ok());
      }
    }
  }
  // Puts the records of letters into the log again, as `dlq replay` does.
  void Replay(const std::vector<DeadLetter>& letters, std::uint64_t generation) {
    for (const DeadLetter& letter : letters) {
      const auto place = log::ParsePlace(letter.origin + "/" + std::to_string(letter.position));
      ASSERT_TRUE(place) << letter.origin;
      auto reader = log::LogReader::Open(files_, "log", "numbers");
      ASSERT_TRUE(reader.ok());
      auto cursor = (*reader)->Read(place->partition, place->offset);
      ASSERT_TRUE(cursor.ok());
      log::RecordView view;
      ASSERT_EQ(*(*cursor)->Next(&view), log::Found::kRecord);
      LogRecord record;
      view.CopyTo(&record);
      EXPECT_NE(letter.element.find("\"" + record.data + "\""), std::string::npos) << "another record's place";
      log::AddOrigin(*place, generation, &record.attributes);
      Append(place->partition, std::stoll(record.data), record.attributes);
    }
  }

  // What a run of that generation and version makes of the log as it is.
  Sums Run(std::uint64_t generation, std::int64_t refuses_from, const std::string& checkpoints = "",
           std::vector<std::int64_t> from = {}) {
    Pipeline pipeline;
    auto read = log::Read({.folder = "log", .topic = "numbers", .from = std::move(from), .to = writer_->End()});
    read.files = &files_;
    auto [pairs, rejects] = pipeline | "Numbers" >> read | "Parse" >> ParDo(Parse{refuses_from});
    rejects | "Refused" >> DeadLetters("numbers");
    // A pane for each element: what came until now is seen though the window never ends.
    pairs | "Windows" >> WindowInto(GlobalWindows{}).Triggering(Repeatedly{AfterCount{1}}).Accumulating() |
        "Sum" >> CombinePerKey(Sum{}) | View("sums");
    RunOptions options;
    options.threads = static_cast<int>(random_.Between(1, 4));
    options.bundle_elements = random_.Between(1, 50);
    options.generation = generation;
    options.streaming = !checkpoints.empty() || random_.Chance(0.5);
    if (checkpoints.empty()) {
      views_ = std::make_shared<laws::EpochViews>();
      letters_ = std::make_shared<EpochLetters>();
    }
    options.views = views_;
    options.dead_letters = letters_;
    const laws::TemporaryCheckpoints own;
    options.checkpoints = CheckpointOptions{.folder = checkpoints.empty() ? own.path() : checkpoints,
                                            .interval = std::chrono::milliseconds(5)};
    const PipelineResult result = pipeline.Run(options);
    EXPECT_EQ(result.status, OkStatus());
    Sums sums;
    for (const auto& row : views_->Rows("sums")) sums[row.key] = row.value;
    return sums;
  }

  // Each event once, whatever was put into the log again.
  Sums Loop(std::int64_t refuses_from) const {
    Sums sums;
    for (const std::int64_t value : events_) {
      if (value < refuses_from) sums[value % 7] += value;
    }
    return sums;
  }

  base::SimulatedFileSystem files_{{.seed = 1}};
  std::unique_ptr<LogWriter> writer_;
  base::Random random_{base::TestSeed()};
  std::vector<std::int64_t> events_;
  std::int64_t control_ = 0;
  std::shared_ptr<laws::EpochViews> views_;
  std::shared_ptr<EpochLetters> letters_;
};

TEST_F(ReinjectedTest, AFullReplayCountsNoneTwice) {
  for (std::int64_t round = 0; round < base::TestRounds(10, 200); ++round) {
    SCOPED_TRACE("MILLRACE_TEST_SEED=" + std::to_string(base::TestSeed()) + ", round " + std::to_string(round));
    Events(random_.Between(1, 300));
    const auto generation = static_cast<std::uint64_t>(round + 1);
    EXPECT_EQ(Run(generation, 900), Loop(900));
    const std::vector<DeadLetter> letters = letters_->Take();
    EXPECT_EQ(letters.size(), static_cast<std::size_t>(std::count_if(events_.begin(), events_.end(),
                                                                     [](std::int64_t value) { return value >= 900; })));
    Replay(letters, generation);
    Events(random_.Between(0, 100));
    EXPECT_EQ(Run(generation + 1'000, 1'000), Loop(1'000)) << "with the fixed code";
    EXPECT_EQ(Run(0, 950), Loop(950)) << "with code that is fixed in part, outside of a data directory";
    if (HasFailure()) return;
  }
}

// The generation goes on from its last position, with the fixed code: it has what it refused from the later records.
TEST_F(ReinjectedTest, TheGenerationThatGoesOnHasThemToo) {
  for (std::int64_t round = 0; round < base::TestRounds(10, 200); ++round) {
    SCOPED_TRACE("MILLRACE_TEST_SEED=" + std::to_string(base::TestSeed()) + ", round " + std::to_string(round));
    const auto generation = static_cast<std::uint64_t>(round + 1);
    Events(random_.Between(1, 200));
    const std::vector<std::int64_t> cut = writer_->End();
    static_cast<void>(Run(generation, 900));
    const std::vector<DeadLetter> refused = letters_->Take();
    const Sums before = Loop(900);
    Replay(refused, generation);
    Events(random_.Between(0, 100));
    // What a run that stands at the cut reads from there on.
    Sums gone_on = Run(generation, 1'000, "", cut);
    for (const auto& [key, value] : before) gone_on[key] += value;
    EXPECT_EQ(gone_on, Loop(1'000));
    if (HasFailure()) return;
  }
}

// A record that is refused, replayed, refused again and replayed again counts once.
TEST_F(ReinjectedTest, TwiceReplayedCountsOnce) {
  Events(200);
  static_cast<void>(Run(1, 800));
  Replay(letters_->Take(), 1);
  const std::vector<std::int64_t> cut = writer_->End();
  static_cast<void>(Run(1, 900));  // reads all: what it was meant for, and what that one stands for
  std::vector<DeadLetter> again;
  for (DeadLetter& letter : letters_->Take()) {
    if (letter.position >= 0) again.push_back(std::move(letter));
  }
  Replay(again, 2);
  EXPECT_EQ(Run(7, 1'000), Loop(1'000));
  for (const DeadLetter& letter : again) EXPECT_EQ(letter.reason, "too large");
}

TEST_F(ReinjectedTest, PlacesAreReadBack) {
  const RecordPlace place{.topic = "a/b", .partition = 2, .offset = 1'000};
  EXPECT_EQ(log::ParsePlace(place.ToString()), place);
  for (const char* text : {"", "a", "a/1", "/1/2", "a/x/2", "a/1/x", "a/-1/2", "a/1/-2", "a/1/"}) {
    EXPECT_EQ(log::ParsePlace(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace millrace::dlq_test
