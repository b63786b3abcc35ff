// The law of the batch layer: whatever comes in whatever order, and whichever partitions are computed when, each
// version of a partition is what the plain loop makes of the records before its cut; those are dirty to which a later
// record belongs, and no others; and after all that is dirty or missing was computed, the batch layer is the plain
// loop.
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "archive/archiver.h"
#include "base/file_system.h"
#include "cli/batch_layer.h"
#include "columnar/database.h"
#include "epoch_views.h"
#include "law_source.h"
#include "log/log_reader.h"
#include "log/log_writer.h"
#include "millrace/topology/lambda.h"

namespace millrace::laws {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using BatchPair = KV<std::int64_t, std::int64_t>;

constexpr const char* kBatchTopic = "events";
constexpr const char* kBatchView = "sums";

struct BatchRecord {
  std::int64_t key = 0;
  std::int64_t value = 0;
};

struct PlacedRecord {
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  Timestamp at;
  BatchRecord record;
};

// Key, start and end of the window in microseconds.
using BatchCell = std::tuple<std::int64_t, std::int64_t, std::int64_t>;
using BatchCells = std::map<BatchCell, std::int64_t>;

class LambdaCase {
 public:
  explicit LambdaCase(std::uint64_t seed) : chance_(seed), random_(chance_.random) {
    every_ = random_.Chance(0.5) ? Duration(hours(24)) : Duration(hours(1));
    const std::int64_t unit = every_ / minutes(1) / 24;  // an hour of a day, two minutes and a half of an hour
    const Duration step = minutes(std::max<std::int64_t>(unit, 2));
    windows_ = RandomWindows(step);
    if (random_.Chance(0.3)) {
      first_ = FixedWindows{step * random_.Between(1, 3), step / 2 * random_.Between(0, 1)};
      has_two_ = true;
    }
    begin_ = random_.Chance(0.2) ? Timestamp() - every_ : Timestamp::FromSeconds(1'000'000'000);
    partitions_ = static_cast<std::int32_t>(random_.Between(1, 3));
    invocation_.program = "laws";
    invocation_.verb = "recompute";
    invocation_.pipeline.data_dir = folder_.path();
    invocation_.pipeline.topic = kBatchTopic;
    invocation_.pipeline.threads = static_cast<std::int32_t>(random_.Between(1, 3));
    invocation_.batch.keep_versions = static_cast<std::int32_t>(random_.Between(1, 3));
    invocation_.topology = std::make_shared<const detail::TopologyDescription>(
        detail::TopologyDescription{.name = "lambda", .topic = {}, .views = {kBatchView}, .every = every_});
    ends_.resize(static_cast<std::size_t>(partitions_));
  }

  void Run() {
    auto writer = log::LogWriter::Open(
        base::PosixFileSystem(), folder_.path() + "/log", kBatchTopic,
        {.partitions = partitions_, .sync = log::SyncPolicy::kOs, .segment_bytes = random_.Between(500, 20'000)});
    ASSERT_TRUE(writer.ok()) << writer.status();
    writer_ = *std::move(writer);
    Append(random_.Between(1, 200));
    for (std::int64_t step = random_.Between(2, 8); step > 0 && !::testing::Test::HasFailure(); --step) {
      if (random_.Chance(0.7)) Append(random_.Between(1, 60));
      if (random_.Chance(0.5)) Archive();
      Compute(random_.Chance(0.5));
    }
    if (::testing::Test::HasFailure()) return;
    ComputeAll();
  }

 private:
  WindowFn RandomWindows(Duration step) {
    const std::int64_t steps = random_.Between(1, 30);  // at most somewhat more than a partition
    if (random_.Chance(0.5)) return FixedWindows{step * steps, step / 2 * random_.Between(0, 1)};
    const std::int64_t period = random_.Between(std::max<std::int64_t>(1, steps / 5), steps);
    return SlidingWindows{step * steps, step * period, step / 2 * random_.Between(0, 1)};
  }

  Status Build(Pipeline& pipeline, const PipelineOptions& options) const {
    const auto logic = [this](const PCollection<LogRecord>& records) {
      auto pairs = records | "Parse" >> Map([](const LogRecord& record) {
                               const auto parsed = json::Parse<BatchRecord>(record.data);
                               return BatchPair{parsed->key, parsed->value};
                             });
      if (has_two_) pairs = pairs | "First" >> WindowInto(first_) | "FirstSum" >> CombinePerKey(Sum{});
      pairs |
          "Windows" >> WindowInto(windows_)
                           .Triggering(AfterWatermark{.early = AfterCount{5}, .late = AfterCount{1}})
                           .AllowedLateness(minutes(1))
                           .Accumulating() |
          "Sum" >> CombinePerKey(Sum{}) | View(kBatchView);
    };
    const topology::Lambda lambda{.log = {}, .logic = logic, .views = {kBatchView}, .every = every_};
    return lambda.BuildWith(pipeline, detail::NoTopologyOptions{}, options);
  }

  void Append(std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) {
      const Duration spread = every_ * random_.Between(1, random_.Chance(0.1) ? 12 : 4);
      PlacedRecord placed{.at = begin_ + Duration(random_.Between(0, spread.count())), .record = {}};
      if (random_.Chance(0.3)) placed.at = begin_ + every_ * random_.Between(0, 4);  // a boundary
      if (random_.Chance(0.1)) placed.at = placed.at - Duration(1);
      if (random_.Chance(0.02)) placed.at = placed.at - every_ * random_.Between(1, 6);  // before all others
      placed.record = {.key = random_.Between(0, 3), .value = static_cast<std::int64_t>(records_.size()) + 1'000'000};
      const std::string data = json::Write(placed.record);
      const std::string key = std::to_string(random_.Between(0, 9));
      const log::AppendRecord record{.event_time = placed.at, .key = key, .data = data};
      const auto appended = writer_->Append({&record, 1});
      ASSERT_TRUE(appended.ok()) << appended.status();
      const log::Cut end = End();
      for (std::size_t p = 0; p < end.size(); ++p) {
        if (end[p] == ends_[p]) continue;
        placed.partition = static_cast<std::int32_t>(p);
        placed.offset = ends_[p];
      }
      ends_ = end;
      records_.push_back(placed);
    }
  }

  log::Cut End() {
    EXPECT_EQ(writer_->Sync(), OkStatus());
    const auto reader = log::LogReader::Open(base::PosixFileSystem(), folder_.path() + "/log", kBatchTopic);
    return *(*reader)->End();
  }

  void Archive() {
    const auto archiver =
        archive::Archiver::Open({.log_folder = folder_.path() + "/log",
                                 .topic = kBatchTopic,
                                 .store = archive::OpenFolderStore(folder_.path() + "/archive/" + kBatchTopic),
                                 .file_limits = {.records_max = random_.Between(20, 500)},
                                 .compaction = {.files_min = 2}});
    ASSERT_TRUE(archiver.ok()) << archiver.status();
    ASSERT_TRUE((*archiver)->ArchiveClosed(random_.Chance(0.7)).ok());
  }

  // Both aggregations over one record: the windows of the view that it is part of.
  std::vector<BoundedWindow> WindowsOf(Timestamp at) const {
    std::vector<BoundedWindow> all;
    const auto second = [&](Timestamp time) {
      windows_.ForEachWindow(time, [&](const BoundedWindow& window) { all.push_back(window); });
    };
    if (!has_two_) {
      second(at);
    } else {
      first_.ForEachWindow(at, [&](const BoundedWindow& window) { second(window.max_timestamp()); });
    }
    return all;
  }

  static bool IsBefore(const PlacedRecord& record, const log::Cut& cut) {
    return record.offset < cut[static_cast<std::size_t>(record.partition)];
  }

  BatchCells PlainLoop(const log::Cut& cut, const batch::TimeRange& range) const {
    BatchCells cells;
    for (const PlacedRecord& placed : records_) {
      if (!IsBefore(placed, cut)) continue;
      for (const BoundedWindow& window : WindowsOf(placed.at)) {
        if (window.max_timestamp() < range.from || window.max_timestamp() >= range.to) continue;
        cells[{placed.record.key, window.start.micros(), window.end.micros()}] += placed.record.value;
      }
    }
    return cells;
  }

  BatchCells ReadFile(const batch::PartitionVersion& version) {
    BatchCells cells;
    const batch::ViewFile* file = version.Find(kBatchView);
    if (file == nullptr || file->path.empty()) return cells;
    const std::string path = cli::BatchFolder(folder_.path()) + "/" + file->path;
    columnar::Result result = *connection_.Query(
        "SELECT key, epoch_us(window_start), epoch_us(window_end), value FROM "
        "read_parquet(" +
        columnar::QuoteLiteral(path) + ", hive_partitioning = false)");
    while (*result.Next()) {
      for (std::size_t row = 0; row < result.rows(); ++row) {
        const auto number = [&](std::size_t column) { return std::stoll(*result.Text(column, row)); };
        EXPECT_TRUE(cells.emplace(BatchCell{number(0), number(1), number(2)}, number(3)).second) << "a cell twice";
      }
    }
    return cells;
  }

  // Those that were not there yet.
  void CheckVersions(const batch::Manifest& manifest) {
    for (const batch::Partition& partition : manifest.partitions) {
      for (const batch::PartitionVersion& version : partition.versions) {
        if (version.version <= checked_version_) continue;
        EXPECT_EQ(ReadFile(version), PlainLoop(version.cut, {.from = partition.from, .to = partition.to}))
            << "partition " << partition.name << ", version " << version.version;
      }
    }
    checked_version_ = manifest.version;
  }

  // The partitions that a record behind the cut of the current version belongs to.
  std::set<Timestamp> ObviouslyDirty(const batch::Manifest& manifest, const batch::Partitioning& partitioning) const {
    std::set<Timestamp> dirty;
    for (const PlacedRecord& placed : records_) {
      for (const BoundedWindow& window : WindowsOf(placed.at)) {
        const Timestamp from = partitioning.BeginOfWindow(window.end);
        const batch::Partition* partition = manifest.Find(from);
        if (partition != nullptr && !IsBefore(placed, partition->versions.front().cut)) {
          dirty.insert(from);
        }
      }
    }
    return dirty;
  }

  StatusOr<cli::BatchLayer> Open() {
    return cli::BatchLayer::Open(
        invocation_, [this](Pipeline& pipeline, const PipelineOptions& options) { return Build(pipeline, options); });
  }

  static std::set<Timestamp> Flat(const std::vector<batch::TimeRange>& ranges, Duration every) {
    std::set<Timestamp> all;
    for (const batch::TimeRange& range : ranges) {
      for (Timestamp from = range.from; from < range.to; from += every) all.insert(from);
    }
    return all;
  }

  // What is dirty, or some range.
  void Compute(bool is_dirty) {
    StatusOr<cli::BatchLayer> layer = Open();
    ASSERT_TRUE(layer.ok()) << layer.status();
    const StatusOr<cli::TopicExtent> extent = cli::ExtentOfTopic(invocation_);
    ASSERT_TRUE(extent.ok()) << extent.status();
    std::set<Timestamp> expected = ObviouslyDirty(layer->manifest(), layer->partitioning());
    const batch::TimeRange all = layer->RangeOf(*extent);
    const auto& known = layer->manifest().partitions;
    for (Timestamp from = all.from; !known.empty() && from < known.back().from; from += every_) {
      if (layer->manifest().Find(from) == nullptr) expected.insert(from);
    }
    StatusOr<std::vector<batch::TimeRange>> ranges = layer->FindDirty(*extent);
    ASSERT_TRUE(ranges.ok()) << ranges.status();
    const std::set<Timestamp> found = Flat(*ranges, every_);
    for (const Timestamp from : expected) EXPECT_TRUE(found.contains(from)) << "clean: " << from;
    for (const Timestamp from : found) {
      EXPECT_TRUE(expected.contains(from) || has_two_) << "dirty: " << from;  // bounds of windows of windows are rough
    }
    if (!is_dirty) {
      const std::int64_t count = layer->partitioning().CountIn(all);
      const std::int64_t from = random_.Between(0, count - 1);
      const std::int64_t partitions = random_.Between(1, count - from);
      *ranges = {{.from = all.from + every_ * from, .to = all.from + every_ * (from + partitions)}};
    }
    for (const batch::TimeRange& range : layer->Needed(*ranges)) {
      const StatusOr<cli::Recomputed> done = layer->Recompute(range, extent->end, nullptr);
      ASSERT_TRUE(done.ok()) << done.status();
    }
    CheckVersions(layer->manifest());
  }

  void ComputeAll() {
    StatusOr<cli::BatchLayer> layer = Open();
    ASSERT_TRUE(layer.ok()) << layer.status();
    const StatusOr<cli::TopicExtent> extent = cli::ExtentOfTopic(invocation_);
    ASSERT_TRUE(extent.ok()) << extent.status();
    const batch::TimeRange all = layer->RangeOf(*extent);
    ASSERT_TRUE(layer->FindDirty(*extent).ok());
    for (const batch::TimeRange& range : layer->Needed({all})) {
      ASSERT_TRUE(layer->Recompute(range, extent->end, nullptr).ok());
    }
    CheckVersions(layer->manifest());
    const StatusOr<batch::Snapshot> snapshot = batch::SnapshotOf(layer->manifest());
    ASSERT_TRUE(snapshot.ok()) << snapshot.status();
    EXPECT_EQ(snapshot->range, all);
    EXPECT_EQ(snapshot->behind_a_hole, 0);
    BatchCells cells;
    for (const batch::Snapshot::Entry& entry : snapshot->entries) cells.merge(ReadFile(*entry.version));
    EXPECT_EQ(cells, PlainLoop(extent->end, {.from = Timestamp::Min(), .to = Timestamp::Max()}));
    EXPECT_TRUE(layer->Needed({all}).empty());
  }

  Chance chance_;
  base::Random& random_;
  TemporaryCheckpoints folder_;
  cli::Invocation invocation_;
  Duration every_{0};
  WindowFn windows_;
  WindowFn first_;
  bool has_two_ = false;
  Timestamp begin_;
  std::int32_t partitions_ = 1;
  std::unique_ptr<log::LogWriter> writer_;
  log::Cut ends_;
  std::vector<PlacedRecord> records_;
  std::uint64_t checked_version_ = 0;
  columnar::Connection connection_ = *columnar::Database::Open({})->Connect();
};

TEST(LambdaLaws, EachVersionIsThePlainLoopUpToItsCut) {
  for (std::int64_t round = 0; round < base::TestRounds(8, 2'000); ++round) {
    SCOPED_TRACE("MILLRACE_TEST_SEED=" + std::to_string(base::TestSeed()) + ", round " + std::to_string(round));
    LambdaCase lambda(base::TestSeed() * 1'000'000 + 700'000 + static_cast<std::uint64_t>(round));
    lambda.Run();
    if (::testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace millrace::laws
