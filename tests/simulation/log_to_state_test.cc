// The log, its archive, retention and a pipeline with checkpoints, all at once over one file system that loses power or
// is killed again and again: in the end everything that was acknowledged has been counted once and archived once.
//
// The parts run in threads of their own, so a seed repeats the plan and the losses, not the order of operations.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <iterator>
#include <map>
#include <memory>
#include <numeric>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "archive/archiver.h"
#include "archive/folder_store.h"
#include "archive/range_reader.h"
#include "archive/row_record_file.h"
#include "base/random.h"
#include "base/simulated_file_system.h"
#include "base/test_settings.h"
#include "log/holds.h"
#include "log/log_writer.h"
#include "millrace/io/log.h"
#include "millrace/millrace.h"
#include "millrace/testing/collect.h"

namespace millrace {
namespace {

using std::chrono::milliseconds;
using Sum64 = KV<std::string, std::int64_t>;

constexpr std::int32_t kPartitions = 2;
constexpr std::int64_t kKeys = 7;
constexpr const char* kLog = "data/log";
constexpr const char* kTopic = "clicks";
constexpr const char* kArchive = "data/archive/clicks";
constexpr const char* kCheckpoints = "data/checkpoints";
const WindowFn kWindows = FixedWindows{std::chrono::seconds(50)};

std::string KeyOf(std::int64_t id) { return "key" + std::to_string(id * 31 % kKeys); }
Timestamp TimeOf(std::int64_t id) { return Timestamp::FromSeconds(id); }

// Of all runs.
struct Outcome {
  std::vector<Sum64> totals;
  std::vector<testing::Collected<Sum64>> panes;
};

class Simulation {
 public:
  explicit Simulation(std::uint64_t seed)
      : random_(seed), files_({.seed = seed}), format_(files_), events_(random_.Between(100, 1'500)) {}

  void Run() {
    const std::int64_t crashes = random_.Between(1, 6);
    for (std::int64_t crash = 0; crash < crashes && !is_done_; ++crash) {
      const std::uint64_t after = random_.Below(crash == 0 ? 150 : 600);
      if (random_.Chance(0.7)) {
        files_.CrashAfter(after);
      } else {
        files_.KillAfter(after);
      }
      Live();
      files_.Restart();
    }
    if (!is_done_) Live();
    ASSERT_TRUE(is_done_);
    CheckTotals();
    CheckWindows();
    CheckArchive();
  }

 private:
  // All parts, until the power fails or everything is done.
  void Live() {
    is_stopping_ = std::make_shared<std::atomic<bool>>(false);
    const std::uint64_t pace = random_.Between(1, 40);
    std::thread publisher([&] { Publish(pace); });
    std::thread archiver([&] { Archive(); });
    std::thread watch([&] {
      while (!files_.crashed() && !*is_stopping_) std::this_thread::sleep_for(milliseconds(1));
      *is_stopping_ = true;
    });
    is_done_ = Process();
    *is_stopping_ = true;
    publisher.join();
    archiver.join();
    watch.join();
  }

  // Publishes what is not acknowledged yet, in small appends, and removes what nobody needs.
  void Publish(std::uint64_t records_max) {
    auto writer = log::LogWriter::Open(
        files_, kLog, kTopic,
        {.partitions = kPartitions, .segment_bytes = 2'000, .retention_bytes = 1'000, .report = [](const std::string&) {
         }});
    if (!writer.ok()) return MayFail(writer.status(), "open the log");
    base::Random random(events_ * 977 + acknowledged_);
    EXPECT_GE((*writer)->LastSequence("p") + 1, acknowledged_) << "acknowledged records are lost";
    while (acknowledged_ < events_ && !*is_stopping_) {
      const std::int64_t end =
          std::min<std::int64_t>(events_, acknowledged_ + 1 + static_cast<std::int64_t>(random.Below(records_max)));
      std::vector<std::string> texts;
      std::vector<log::AppendRecord> records;
      for (std::int64_t id = acknowledged_; id < end; ++id) {
        texts.push_back(KeyOf(id));
        texts.push_back(std::to_string(id));
      }
      for (std::int64_t id = acknowledged_; id < end; ++id) {
        const auto at = static_cast<std::size_t>(id - acknowledged_) * 2;
        records.push_back({.event_time = TimeOf(id), .key = texts[at], .data = texts[at + 1]});
      }
      const auto appended = (*writer)->Append(records, log::Producer{"p", acknowledged_});
      if (!appended.ok()) return MayFail(appended.status(), "append");
      acknowledged_ = end;
      if (random.Chance(0.2) && !ApplyRetention(**writer)) return;
    }
    if (acknowledged_ < events_) return;
    // A publisher that is faster than the archive and the pipeline would leave nothing for retention to do.
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(2);
    while (events_ >= 600 && removed_ == 0 && !*is_stopping_ && std::chrono::steady_clock::now() < deadline) {
      if (!ApplyRetention(**writer)) return;
      std::this_thread::sleep_for(milliseconds(1));
    }
    if (const Status closed = (*writer)->AdvanceWatermark(Timestamp::Max()); !closed.ok()) MayFail(closed, "close");
    if (const Status closed = (*writer)->Close(); !closed.ok()) MayFail(closed, "close");
  }

  bool ApplyRetention(log::LogWriter& writer) {
    if (!AreHoldsThere()) return true;
    const StatusOr<std::int64_t> removed = writer.ApplyRetention();
    if (removed.ok()) removed_ += *removed;
    MayFail(removed.status(), "retention");
    return removed.ok();
  }

  // Before its consumers have said what they need, a log is theirs who set its retention.
  bool AreHoldsThere() {
    const auto holds = log::ListHolds(files_, kLog, kTopic);
    return holds.ok() && holds->size() == 2;
  }

  void Archive() {
    while (!*is_stopping_) {
      auto archiver = OpenArchiver();
      if (archiver == nullptr) {
        std::this_thread::sleep_for(milliseconds(1));  // no topic yet
        continue;
      }
      while (!*is_stopping_) {
        const auto round = archiver->ArchiveClosed();
        if (!round.ok()) return MayFail(round.status(), "archive");
        if (const auto merged = archiver->Compact(); !merged.ok()) return MayFail(merged.status(), "compact");
        std::this_thread::sleep_for(milliseconds(2));
      }
    }
  }
  std::unique_ptr<archive::Archiver> OpenArchiver() {
    auto archiver = archive::Archiver::Open({.log_folder = kLog,
                                             .topic = kTopic,
                                             .store = std::make_shared<archive::FolderStore>(files_, kArchive),
                                             .archive_after = std::nullopt,
                                             .files = &files_,
                                             .format = &format_});
    if (archiver.ok()) return *std::move(archiver);
    if (archiver.status().code() != StatusCode::kNotFound) MayFail(archiver.status(), "open the archive");
    return nullptr;
  }

  // Counts until the topic is closed; true if it came to the end.
  bool Process() {
    while (!*is_stopping_) {
      if (const auto ends = files_.Exists(std::string(kLog) + "/" + kTopic + "/ends"); ends.ok() && *ends) break;
      std::this_thread::sleep_for(milliseconds(1));
    }
    Pipeline pipeline;
    detail::LogReadTransform read =
        log::Read({.folder = kLog, .topic = kTopic, .max_disorder = Duration(0), .until_closed = true});
    read.files = &files_;
    auto ids = pipeline | "Read" >> read |
               "Ids" >> Map([](const LogRecord& record) { return Sum64{record.key, std::stoll(record.data)}; });
    auto totals = testing::Collect(ids | "Total" >> CombinePerKey(Sum{}), "Totals");
    auto panes = testing::Collect(ids | "Windows" >> WindowInto(kWindows) | "Sum" >> CombinePerKey(Sum{}), "Panes");
    const RunOptions options{
        .streaming = true,
        .threads = static_cast<int>(random_.Between(1, 2)),
        .bundle_elements = random_.Between(1, 60),
        .cancel = is_stopping_,
        .checkpoints = CheckpointOptions{.folder = kCheckpoints, .interval = milliseconds(2), .files = &files_}};
    const PipelineResult result = pipeline.Run(options);
    for (auto& pane : panes->elements) outcome_.panes.push_back(pane);
    for (auto& total : totals->elements) outcome_.totals.push_back(total.value);
    if (result.state == PipelineResult::State::kFailed) MayFail(result.status, "run");
    return result.ok();
  }

  void MayFail(const Status& status, const char* what) {
    EXPECT_TRUE(status.ok() || files_.crashed()) << what << ": " << status;
  }

  // What a run tells at the end of its input, one that goes on from there may tell again, or not at all.
  void CheckTotals() {
    std::map<std::string, std::int64_t> expected;
    for (std::int64_t id = 0; id < events_; ++id) expected[KeyOf(id)] += id;
    std::map<std::string, std::int64_t> found;
    for (const Sum64& total : outcome_.totals) {
      EXPECT_EQ(found.emplace(total.key, total.value).first->second, total.value) << total.key;
    }
    EXPECT_EQ(found, expected);
  }

  // A window that fired before a crash may fire again, with the same sum.
  void CheckWindows() {
    std::map<std::pair<BoundedWindow, std::string>, std::int64_t> expected;
    for (std::int64_t id = 0; id < events_; ++id) {
      expected[{kWindows.At(kWindows.LastStart(TimeOf(id))), KeyOf(id)}] += id;
    }
    std::map<std::pair<BoundedWindow, std::string>, std::int64_t> found;
    for (const auto& pane : outcome_.panes) {
      const auto [at, fresh] = found.emplace(std::pair(pane.window, pane.value.key), pane.value.value);
      EXPECT_EQ(at->second, pane.value.value) << pane.value.key << " in " << pane.window.ToString();
    }
    EXPECT_EQ(found, expected);
  }

  // The archive has every record, each once.
  void CheckArchive() {
    const auto archiver = OpenArchiver();
    ASSERT_NE(archiver, nullptr);
    const auto round = archiver->ArchiveClosed(true);
    ASSERT_TRUE(round.ok()) << round.status();
    std::vector<std::int64_t> ids;
    archive::FolderStore store(files_, kArchive);
    for (const archive::ArchivedRange& range : archiver->manifest().ranges) {
      auto reader = archive::RangeReader::Open(store, format_, range, range.from, range.to);
      ASSERT_TRUE(reader.ok()) << reader.status();
      for (auto found = reader->Next();; found = reader->Next()) {
        ASSERT_TRUE(found.ok()) << found.status();
        if (*found == log::Found::kEnd) break;
        if (*found == log::Found::kRecord) ids.push_back(std::stoll(reader->record().data));
      }
    }
    std::sort(ids.begin(), ids.end());
    std::vector<std::int64_t> expected(static_cast<std::size_t>(events_));
    std::iota(expected.begin(), expected.end(), 0);
    std::vector<std::int64_t> missing;
    std::set_difference(expected.begin(), expected.end(), ids.begin(), ids.end(), std::back_inserter(missing));
    EXPECT_THAT(missing, ::testing::IsEmpty());
    EXPECT_EQ(ids.size(), expected.size()) << "something is archived twice";
  }

  base::Random random_;
  base::SimulatedFileSystem files_;
  archive::RowRecordFormat format_;
  const std::int64_t events_;
  std::int64_t acknowledged_ = 0;
  std::int64_t removed_ = 0;  // segments
  bool is_done_ = false;
  std::shared_ptr<std::atomic<bool>> is_stopping_;
  Outcome outcome_;

 public:
  std::int64_t removed() const { return removed_; }
};

TEST(LogToStateSimulation, WhateverCrashesAllIsCountedOnceAndArchivedOnce) {
  const std::int64_t rounds = base::TestRounds(25, 3'000);
  std::int64_t removed = 0;
  for (std::int64_t i = 0; i < rounds; ++i) {
    const std::uint64_t seed = base::TestSeed() * 1'000'003 + static_cast<std::uint64_t>(i);
    SCOPED_TRACE("seed " + std::to_string(seed));
    Simulation simulation(seed);
    simulation.Run();
    removed += simulation.removed();
    if (HasFailure()) return;
  }
  EXPECT_GT(removed, 0) << "retention has removed nothing, so nothing about holds was shown";
}

}  // namespace
}  // namespace millrace
