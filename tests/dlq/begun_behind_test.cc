// A generation that begins behind what retention has removed counts the record that was put into the log again for an
// original that it has never met, once, wherever it is broken off; one that has met the original does not. Against the
// plain loop over places.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "../laws/epoch_views.h"
#include "base/random.h"
#include "base/simulated_file_system.h"
#include "base/test_settings.h"
#include "log/holds.h"
#include "log/log_writer.h"
#include "log/reinjected.h"
#include "millrace/io/log.h"
#include "millrace/millrace.h"

namespace millrace::dlq_test {
namespace {

using log::LogWriter;
using Sums = std::map<std::int64_t, std::int64_t>;

constexpr std::int32_t kTopicPartitions = 2;
constexpr std::uint64_t kOld = 1;  // the generation that refused what was put back
constexpr std::uint64_t kNew = 2;

struct ParseNumber {
  void ProcessElement(const LogRecord& record, Output<KV<std::int64_t, std::int64_t>> pairs) const {
    const std::int64_t value = std::stoll(record.data);
    pairs.Emit(KV<std::int64_t, std::int64_t>{value % 5, value});
  }
};

/// What happened, and where each of the records that tell of it is: the first, then the ones put back for it.
struct Happening {
  std::int64_t value = 0;
  std::int32_t partition = 0;
  std::vector<std::int64_t> offsets = {};
};

/// A topic, and a generation that reads it run after run.
class World {
 public:
  explicit World(base::Random& random) : random_(random) {
    auto writer = LogWriter::Open(files_, "log", "numbers",
                                  {.partitions = kTopicPartitions, .segment_bytes = 300, .retention_bytes = 1});
    EXPECT_TRUE(writer.ok()) << writer.status();
    writer_ = *std::move(writer);
  }

  void Events(std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) {
      const Happening event{.value = random_.Between(1, 999),
                            .partition = static_cast<std::int32_t>(random_.Below(kTopicPartitions))};
      events_.push_back(event);
      Append(events_.back(), {});
    }
  }
  /// Some are put back, for the old generation: the first one, or what was put back before and was refused again.
  void PutBack(double chance) {
    for (Happening& event : events_) {
      if (!random_.Chance(chance)) continue;
      std::map<std::string, std::string> attributes;
      log::AddOrigin({.topic = "numbers", .partition = event.partition, .offset = event.offsets.back()}, kOld,
                     &attributes);
      Append(event, attributes);
    }
  }
  /// Removes what no run needs, or a part of that.
  void Retain() {
    log::Cut cut = writer_->Start();
    for (std::size_t p = 0; p < cut.size(); ++p) cut[p] = random_.Between(cut[p], writer_->End()[p]);
    ASSERT_TRUE(log::SetHold(files_, "log", "numbers", {.name = "part", .next_offsets = cut}).ok());
    ASSERT_TRUE(writer_->ApplyRetention().ok());
    ASSERT_TRUE(log::RemoveHold(files_, "log", "numbers", "part").ok());
  }
  void Close() { ASSERT_TRUE(writer_->AdvanceWatermark(Timestamp::Max()).ok()); }
  log::Cut start() const { return writer_->Start(); }

  /// Goes on until the topic is closed, or until a checkpoint at which `breaks` says so. Whether it was the end.
  bool Run(bool breaks) {
    Pipeline pipeline;
    auto read = log::Read({.folder = "log", .topic = "numbers", .until_closed = true});
    read.files = &files_;
    pipeline | "Numbers" >> read | "Parse" >> ParDo(ParseNumber{}) |
        "Windows" >> WindowInto(GlobalWindows{}).Triggering(Repeatedly{AfterCount{1}}).Accumulating() |
        "Sum" >> CombinePerKey(Sum{}) | View("sums");
    RunOptions options;
    options.threads = static_cast<int>(random_.Between(1, 3));
    options.bundle_elements = random_.Between(1, 20);
    options.elements_per_s_max = breaks ? 4'000 : 0;
    options.generation = kNew;
    options.streaming = true;
    options.views = views_;
    options.cancel = std::make_shared<std::atomic<bool>>(false);
    options.checkpoints = CheckpointOptions{.folder = checkpoints_.path(), .interval = std::chrono::milliseconds(3)};
    const std::int64_t commits = random_.Between(1, 4);
    options.checkpoints->on_commit = [&, seen = std::int64_t{0}](std::uint64_t) mutable {
      if (breaks && ++seen >= commits) options.cancel->store(true);
      return OkStatus();
    };
    const PipelineResult result = pipeline.Run(options);
    EXPECT_EQ(result.status, OkStatus());
    return result.state != PipelineResult::State::kCancelled;
  }
  Sums Result() const {
    Sums sums;
    for (const auto& row : views_->Rows("sums")) sums[row.key] = row.value;
    return sums;
  }
  /// Each event once of which any record is where the reading began or behind.
  Sums Loop(const log::Cut& began) const {
    Sums sums;
    for (const Happening& event : events_) {
      if (event.offsets.back() >= began[static_cast<std::size_t>(event.partition)])
        sums[event.value % 5] += event.value;
    }
    return sums;
  }
  /// Events whose first record a generation that began there does not meet, but a later one.
  std::int64_t OnlyPutBack(const log::Cut& began) const {
    return std::count_if(events_.begin(), events_.end(), [&](const Happening& event) {
      const std::int64_t from = began[static_cast<std::size_t>(event.partition)];
      return event.offsets.front() < from && event.offsets.back() >= from;
    });
  }
  /// Events of which such a generation meets more than one record.
  std::int64_t MetTwice(const log::Cut& began) const {
    return std::count_if(events_.begin(), events_.end(), [&](const Happening& event) {
      const std::int64_t from = began[static_cast<std::size_t>(event.partition)];
      return std::count_if(event.offsets.begin(), event.offsets.end(), [&](std::int64_t at) { return at >= from; }) > 1;
    });
  }

 private:
  void Append(Happening& event, const std::map<std::string, std::string>& attributes) {
    const std::string data = std::to_string(event.value);
    const log::AppendRecord record{.event_time = Timestamp::FromSeconds(event.value),
                                   .data = data,
                                   .attributes = attributes.empty() ? nullptr : &attributes,
                                   .partition = event.partition};
    const auto appended = writer_->Append({&record, 1});
    ASSERT_TRUE(appended.ok()) << appended.status();
    event.offsets.push_back(appended->front().offset);
  }

  base::Random& random_;
  base::SimulatedFileSystem files_{{.seed = 1}};
  std::unique_ptr<LogWriter> writer_;
  std::vector<Happening> events_;
  const laws::TemporaryCheckpoints checkpoints_;
  std::shared_ptr<laws::EpochViews> views_ = std::make_shared<laws::EpochViews>();
};

TEST(BegunBehindTest, OneOfBothCountsWhereverTheRunIsBrokenOff) {
  base::Random random(base::TestSeed());
  std::int64_t only_put_back = 0;
  std::int64_t met_twice = 0;
  int broken_off = 0;
  int moved = 0;
  // Under sanitizers no fewer: what is asked at the end needs them.
  for (std::int64_t round = 0; round < std::max<std::int64_t>(20, base::TestRounds(20, 300)); ++round) {
    SCOPED_TRACE("MILLRACE_TEST_SEED=" + std::to_string(base::TestSeed()) + ", round " + std::to_string(round));
    World world(random);
    world.Events(random.Between(10, 80));
    world.PutBack(0.2);
    world.Events(random.Between(0, 30));
    world.Retain();
    const log::Cut began = world.start();
    world.PutBack(0.2);
    for (std::int64_t run = random.Between(0, 3); run > 0; --run) {
      EXPECT_FALSE(world.Run(true)) << "the topic is open";
      ++broken_off;
      world.PutBack(0.1);
      world.Events(random.Between(0, 20));
      world.Retain();
    }
    if (world.start() != began) ++moved;
    world.Close();
    EXPECT_TRUE(world.Run(false));
    EXPECT_EQ(world.Result(), world.Loop(began));
    only_put_back += world.OnlyPutBack(began);
    met_twice += world.MetTwice(began);
    if (::testing::Test::HasFailure()) return;
  }
  // Else the rounds would show nothing.
  EXPECT_GT(only_put_back, 20);
  EXPECT_GT(met_twice, 20);
  EXPECT_GT(broken_off, 10);
  EXPECT_GT(moved, 3) << "retention has gone on beside the generation";
}

}  // namespace
}  // namespace millrace::dlq_test
