// Crashes and faults at seeded moments, over a file system that loses what was not synced. The oracle is a plain list:
// what each producer has sent and what was acknowledged.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/random.h"
#include "base/simulated_file_system.h"
#include "base/test_settings.h"
#include "log/log_samples.h"

namespace millrace::log {
namespace {

using base::FileOperation;
using base::Random;
using base::SimulatedFileSystem;

constexpr std::int64_t kProducers = 3;
constexpr int kKeys = 5;

/// What one producer sends: record n is always the same one.
SampleRecord RecordOf(std::int64_t producer, std::int64_t sequence) {
  Random random(static_cast<std::uint64_t>(producer * 1'000'003 + sequence));
  SampleRecord record;
  const std::uint64_t key = random.Below(kKeys + 1);
  if (key < kKeys) record.key = "p" + std::to_string(producer) + "-k" + std::to_string(key);
  record.data = std::to_string(producer) + ":" + std::to_string(sequence) + ":" +
                std::string(random.Below(random.Chance(0.05) ? 3'000 : 60), 'x');
  record.event_time = Timestamp::FromMillis(random.Between(-1'000'000, 1'000'000));
  if (random.Chance(0.1)) record.attributes["a"] = "b";
  return record;
}

/// Sends, crashes and compares.
class Trial {
 public:
  explicit Trial(std::uint64_t seed, SyncPolicy policy)
      : random_(seed), files_({.seed = seed, .names_in_order = seed % 2 == 0}) {
    options_.partitions = static_cast<std::int32_t>(random_.Between(1, 4));
    options_.segment_bytes = random_.Between(200, 5'000);
    options_.sync = policy;
    options_.sync_interval = std::chrono::hours(1);
    options_.clock = &clock_;
    options_.report = messages_.Report();
  }

  void Run(bool kill, bool faults) {
    for (int life = 0; life < 6; ++life) {
      clock_.Advance(std::chrono::seconds(random_.Between(0, 100)));
      if (random_.Chance(0.85)) {
        const auto changes = random_.Below(random_.Chance(0.3) ? 15 : 250);
        kill ? files_.KillAfter(changes) : files_.CrashAfter(changes);
      }
      if (faults) AskForFaults();
      Live();
      if (::testing::Test::HasFatalFailure()) return;
      writer_.reset();
      if (!files_.crashed()) kill ? files_.Kill() : files_.Crash();
      files_.Restart();
      files_.SetFreeBytes(std::nullopt);
    }
    Check(kill || options_.sync == SyncPolicy::kAlways);
  }

  /// Something that was acknowledged is not there.
  bool lost() const { return lost_; }

 private:
  void AskForFaults() {
    if (random_.Chance(0.4)) files_.FailAt(FileOperation::kSync, 1 + random_.Below(20));
    if (random_.Chance(0.4)) files_.FailAt(FileOperation::kWrite, 1 + random_.Below(60));
    if (random_.Chance(0.2)) files_.FailAt(FileOperation::kSyncFolder, 1 + random_.Below(10));
    if (random_.Chance(0.2)) files_.FailAt(FileOperation::kNames, 1 + random_.Below(10));
    if (random_.Chance(0.3)) files_.SetFreeBytes(files_.used_bytes() + random_.Below(8'000));
  }

  // One process: opens the topic and appends until it crashes, or for a while.
  void Live() {
    auto opened = LogWriter::Open(files_, "log", "t", options_);
    if (!opened.ok()) {
      ASSERT_NE(opened.status().code(), StatusCode::kFailedPrecondition) << opened.status();
      return;  // the crash, or the fault, came early
    }
    writer_ = *std::move(opened);
    CheckNothingIsLost();
    for (int i = 0; i < 40 && !files_.crashed(); ++i) {
      if (random_.Chance(0.02)) files_.SetFreeBytes(std::nullopt);  // somebody makes room
      if (random_.Chance(0.05)) {
        static_cast<void>(writer_->Sync());
      } else if (random_.Chance(0.03)) {
        static_cast<void>(writer_->AdvanceWatermark(Timestamp::FromMillis(++watermark_)));
      } else {
        AppendSome();
      }
    }
    if (random_.Chance(0.3)) static_cast<void>(writer_->Close());
  }

  void AppendSome() {
    const std::int64_t producer = static_cast<std::int64_t>(random_.Below(kProducers));
    std::int64_t& acknowledged = acknowledged_[producer];
    // Retries begin at or before what was not acknowledged; sometimes far before it, as a publisher that starts anew.
    std::int64_t first = acknowledged;
    if (random_.Chance(0.2)) first -= random_.Between(0, std::min<std::int64_t>(acknowledged, 60));
    std::vector<SampleRecord> records;
    const std::int64_t count = random_.Between(1, 30);
    for (std::int64_t i = 0; i < count; ++i) records.push_back(RecordOf(producer, first + i));
    const std::string id = "producer-" + std::to_string(producer);
    const auto appended = AppendAll(*writer_, records, Producer{.id = id, .first_sequence = first});
    if (!appended.ok()) {
      ASSERT_NE(appended.status().code(), StatusCode::kFailedPrecondition) << appended.status();
      ASSERT_NE(appended.status().code(), StatusCode::kInvalidArgument) << appended.status();
      return;
    }
    for (std::int64_t i = 0; i < count; ++i) {
      const Appended& place = (*appended)[static_cast<std::size_t>(i)];
      if (place.offset < 0) continue;
      const auto [at, is_new] = places_.try_emplace({producer, first + i}, std::pair(place.partition, place.offset));
      if (!is_new && options_.sync == SyncPolicy::kAlways) {
        ASSERT_EQ(at->second, std::pair(place.partition, place.offset)) << producer << ":" << first + i;
        ASSERT_TRUE(place.duplicate);
      }
    }
    acknowledged = std::max(acknowledged, first + count);
  }

  // A producer's retry is only right when the log holds what it acknowledged.
  void CheckNothingIsLost() {
    if (options_.sync == SyncPolicy::kAlways) return;  // checked at the end
    // What was acknowledged may be lost in a power cut: the producers begin anew where the log ends.
    const auto partitions = ReadTopicRecords(files_, "log", "t");
    if (!partitions.ok()) return;
    places_.clear();
    std::map<std::int64_t, std::set<std::int64_t>> there;
    for (const auto& partition : *partitions) {
      for (const LogRecord& record : partition) {
        if (record.data != "control") there[std::stoll(record.data)].insert(SequenceOf(record));
      }
    }
    for (std::int64_t p = 0; p < kProducers; ++p) {
      std::int64_t first = 0;
      while (there[p].contains(first)) ++first;
      acknowledged_[p] = std::min(acknowledged_[p], first);
    }
  }

  static std::int64_t SequenceOf(const LogRecord& record) {
    return std::stoll(record.data.substr(record.data.find(':') + 1));
  }

  void Check(bool all_acknowledged_is_there) {
    const auto partitions = ReadTopicRecords(files_, "log", "t");
    if (!partitions.ok() && partitions.status().code() == StatusCode::kNotFound) {
      for (const auto& [producer, count] : acknowledged_) ASSERT_EQ(count, 0);
      return;
    }
    ASSERT_TRUE(partitions.ok()) << partitions.status();
    std::map<std::pair<std::int64_t, std::int64_t>, std::pair<std::int32_t, std::int64_t>> found;
    std::map<std::string, std::int64_t> last_of_key;
    for (const auto& partition : *partitions) {
      for (const LogRecord& record : partition) {
        if (record.data == "control") continue;
        const std::int64_t producer = std::stoll(record.data);
        const std::int64_t sequence = SequenceOf(record);
        const SampleRecord sent = RecordOf(producer, sequence);
        ASSERT_EQ(record.data, sent.data);
        ASSERT_EQ(record.key, sent.key);
        ASSERT_EQ(record.event_time, sent.event_time);
        ASSERT_EQ(record.attributes, sent.attributes);
        const auto [at, is_new] = found.try_emplace({producer, sequence}, std::pair(record.partition, record.offset));
        ASSERT_TRUE(is_new) << producer << ":" << sequence << " is there twice";
        if (record.key.empty()) continue;
        const auto [last, first_time] = last_of_key.try_emplace(record.key, sequence);
        ASSERT_TRUE(first_time || last->second < sequence) << "key " << record.key << " is out of order";
        last->second = sequence;
      }
    }
    for (const auto& [producer, count] : acknowledged_) {
      for (std::int64_t i = 0; i < count; ++i) lost_ = lost_ || !found.contains({producer, i});
    }
    if (!all_acknowledged_is_there) return;
    for (const auto& [producer, count] : acknowledged_) {
      for (std::int64_t i = 0; i < count; ++i) {
        ASSERT_TRUE(found.contains({producer, i})) << producer << ":" << i << " of " << count << " is lost";
      }
    }
    for (const auto& [record, place] : places_) {
      ASSERT_EQ(found.at(record), place) << "the offset that was acknowledged is another one";
    }
  }

  Random random_;
  SimulatedFileSystem files_;
  base::ManualClock clock_{Timestamp::FromSeconds(1'000'000)};
  Messages messages_;
  WriterOptions options_;
  std::unique_ptr<LogWriter> writer_;
  std::map<std::int64_t, std::int64_t> acknowledged_;  // by producer: so many of its records are
  std::map<std::pair<std::int64_t, std::int64_t>, std::pair<std::int32_t, std::int64_t>> places_;
  std::int64_t watermark_ = 0;
  bool lost_ = false;
};

/// Gives in how many trials something acknowledged was lost.
std::int64_t RunTrials(std::int64_t short_count, std::int64_t long_count, SyncPolicy policy, bool kill, bool faults) {
  std::int64_t lost = 0;
  Random seeds(base::TestSeed() * 7 + (kill ? 1 : 0) + (faults ? 2 : 0));
  for (std::int64_t i = 0; i < base::TestRounds(short_count, long_count); ++i) {
    const std::uint64_t seed = seeds.Next();
    SCOPED_TRACE("seed " + std::to_string(seed));
    Trial trial(seed, policy);
    trial.Run(kill, faults);
    if (::testing::Test::HasFailure()) break;
    lost += trial.lost() ? 1 : 0;
  }
  return lost;
}

TEST(LogCrashTest, WhatWasAcknowledgedSurvivesPowerCuts) { RunTrials(150, 5'000, SyncPolicy::kAlways, false, false); }

TEST(LogCrashTest, WhatWasAcknowledgedSurvivesPowerCutsFaultsAndFullDisks) {
  EXPECT_EQ(RunTrials(150, 5'000, SyncPolicy::kAlways, false, true), 0);
}

TEST(LogCrashTest, AKilledProcessLosesNothingUnderAnyPolicy) {
  EXPECT_EQ(RunTrials(50, 2'000, SyncPolicy::kOs, true, false), 0);
  EXPECT_EQ(RunTrials(50, 2'000, SyncPolicy::kInterval, true, false), 0);
}

TEST(LogCrashTest, WithoutSyncAPowerCutLeavesAWholeLog) {
  // That something is lost here shows that the trials with `always` could find a loss.
  const std::int64_t more_than = base::kSanitized ? 1 : 10;  // there a third of the trials
  EXPECT_GT(RunTrials(50, 2'000, SyncPolicy::kOs, false, false), more_than);
  EXPECT_GT(RunTrials(50, 2'000, SyncPolicy::kInterval, false, false), more_than);
}

}  // namespace
}  // namespace millrace::log
