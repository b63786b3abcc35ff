// The law of Kappa: a live run and a replay over archive and log, cut anywhere and broken off anywhere, both give what
// the plain loop gives, less the (element, window) pairs that each has itself written down as too late.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include "archive/archiver.h"
#include "epoch_views.h"
#include "law_source.h"
#include "log/holds.h"
#include "log/log_writer.h"
#include "millrace/topology/kappa.h"

namespace millrace::laws {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Pair = KV<std::int64_t, std::int64_t>;

constexpr const char* kTopic = "clicks";
constexpr const char* kHold = "live";  // keeps the log for the live run
// A sum of values tells how many they are, so that a cell without elements is known from one with zeros.
constexpr std::int64_t kOne = 1'000'000;

struct KeyedValue {
  std::int64_t key = 0;
  std::int64_t value = 0;
};

/// What comes too late, visible with the checkpoint that holds it or not at all. Thread safe.
class EpochLetters final : public DeadLetterSink {
 public:
  struct Late {
    std::string step;
    std::int64_t key;
    std::int64_t value;
    BoundedWindow window;
  };

  Status Write(std::span<const DeadLetter> letters) override {
    const std::lock_guard lock(mutex_);
    for (const DeadLetter& letter : letters) {
      const StatusOr<KeyedValue> element = json::Parse<KeyedValue>(letter.element);
      if (!element.ok() || letter.name != "late") return InternalError("no late element: " + letter.element);
      open_.push_back({letter.step, element->key, element->value, *letter.window});
    }
    return OkStatus();
  }
  Status Finish() override { return OkStatus(); }
  StatusOr<EpochBatch> Snapshot(std::uint64_t epoch) override {
    const std::lock_guard lock(mutex_);
    sealed_[epoch] = std::exchange(open_, {});
    return EpochBatch{std::make_shared<const std::string>()};
  }
  Status CommitEpoch(std::uint64_t epoch) override {
    const std::lock_guard lock(mutex_);
    Commit(epoch);
    return OkStatus();
  }
  Status Restore(std::uint64_t epoch, std::string_view /*batch*/, std::uint64_t /*attempt*/) override {
    const std::lock_guard lock(mutex_);
    Commit(epoch);
    sealed_.clear();
    open_.clear();
    return OkStatus();
  }
  std::vector<Late> late() const {
    const std::lock_guard lock(mutex_);
    return visible_;
  }

 private:
  void Commit(std::uint64_t epoch) {
    while (!sealed_.empty() && sealed_.begin()->first <= epoch) {
      const std::vector<Late>& letters = sealed_.begin()->second;
      visible_.insert(visible_.end(), letters.begin(), letters.end());
      sealed_.erase(sealed_.begin());
    }
  }

  mutable std::mutex mutex_;
  std::vector<Late> open_;
  std::map<std::uint64_t, std::vector<Late>> sealed_;
  std::vector<Late> visible_;
};

/// A case: its windows, and what a run of it is broken off by.
struct Definition {
  WindowFn windows = FixedWindows{seconds(10)};
  Duration allowed_lateness{0};
  std::shared_ptr<std::atomic<std::int64_t>> left;  // elements that pass before the run is broken off
};

struct BurnRecord {
  std::shared_ptr<std::atomic<std::int64_t>> left;
  void ProcessElement(const LogRecord& record, Output<LogRecord> out) const {
    if (left->fetch_sub(1) <= 0) throw std::runtime_error("broken off");
    out.Emit(record);
  }
};

auto KappaOf(const Definition& definition, Duration max_disorder) {
  return topology::Kappa{.log = {.max_disorder = max_disorder},
                         .logic =
                             [definition](const PCollection<LogRecord>& records) {
                               records | "Burn" >> ParDo(BurnRecord{definition.left}) |
                                   "Parse" >> Map([](const LogRecord& record) {
                                     const auto click = json::Parse<KeyedValue>(record.data);
                                     return Pair{click->key, click->value};
                                   }) |
                                   "Windows" >>
                                       WindowInto(definition.windows)
                                           .Triggering(AfterWatermark{.early = AfterCount{5}, .late = AfterCount{1}})
                                           .AllowedLateness(definition.allowed_lateness)
                                           .Accumulating() |
                                   "Sum" >> CombinePerKey(Sum{}) | View("sums");
                             },
                         .views = {"sums"}};
}

struct Click {
  Timestamp at;
  KeyedValue value;
};

using Cells = std::map<std::pair<BoundedWindow, std::int64_t>, std::int64_t>;

Cells PlainLoop(const std::vector<Click>& clicks, const WindowFn& windows) {
  Cells cells;
  for (const Click& click : clicks) {
    windows.ForEachWindow(click.at,
                          [&](const BoundedWindow& window) { cells[{window, click.value.key}] += click.value.value; });
  }
  return cells;
}

class KappaCase {
 public:
  explicit KappaCase(std::uint64_t seed) : chance_(seed), random_(chance_.random) {
    disorder_ = milliseconds(random_.Between(0, 20'000));
    definition_.allowed_lateness = seconds(random_.Chance(0.5) ? 0 : random_.Between(1, 40));
    if (random_.Chance(0.5)) definition_.windows = SlidingWindows{seconds(30), seconds(10)};
    std::filesystem::create_directories(folder_.path() + "/live");
    std::filesystem::create_symlink("../log", folder_.path() + "/live/log");
  }

  /// Some events are appended, archived, and others are appended behind them.
  void AppendAndArchive() {
    const auto partitions = static_cast<std::int32_t>(random_.Between(1, 3));
    auto writer = log::LogWriter::Open(base::PosixFileSystem(), folder_.path() + "/log", kTopic,
                                       {.partitions = partitions,
                                        .sync = log::SyncPolicy::kOs,
                                        .segment_bytes = random_.Between(500, 50'000),
                                        .retention_bytes = 1});
    ASSERT_TRUE(writer.ok()) << writer.status();
    writer_ = *std::move(writer);
    ASSERT_EQ(log::SetHold(base::PosixFileSystem(), folder_.path() + "/log", kTopic,
                           {.name = kHold, .next_offsets = log::Cut(static_cast<std::size_t>(partitions))}),
              OkStatus());
    // A source reads some hundred elements before the watermark moves.
    const std::int64_t events = random_.Chance(0.3) ? random_.Between(1, 300) : random_.Between(300, 4'000);
    const std::int64_t archived = random_.Chance(0.2) ? 0 : random_.Between(0, events);
    for (std::int64_t i = 0; i < events; ++i) {
      if (i == archived && archived > 0) Archive();
      Append(i);
    }
    if (archived == events) Archive();
    ASSERT_EQ(writer_->AdvanceWatermark(Timestamp::Max()), OkStatus());
  }

  /// Removes what is archived from the log, as retention does; nothing where there is no archive to hold the rest.
  void Retain() {
    if (!std::filesystem::exists(folder_.path() + "/archive")) return;
    ASSERT_EQ(log::RemoveHold(base::PosixFileSystem(), folder_.path() + "/log", kTopic, kHold), OkStatus());
    ASSERT_EQ(writer_->Sync(), OkStatus());
    ASSERT_TRUE(writer_->ApplyRetention().ok());
  }

  /// Runs until the topic's end, broken off and resumed `breaks` times, and checks the outcome.
  void RunAndCheck(const std::string& data_dir, int breaks) {
    auto views = std::make_shared<EpochViews>();
    auto letters = std::make_shared<EpochLetters>();
    const TemporaryCheckpoints checkpoints;
    while (true) {
      definition_.left = std::make_shared<std::atomic<std::int64_t>>(
          breaks-- > 0 ? random_.Between(0, static_cast<std::int64_t>(clicks_.size())) : std::int64_t{1} << 40);
      Pipeline pipeline;
      PipelineOptions options;
      options.data_dir = data_dir;
      options.topic = kTopic;
      ASSERT_EQ(KappaOf(definition_, disorder_).BuildWith(pipeline, detail::NoTopologyOptions{}, options), OkStatus());
      RunOptions run = chance_.Options(true);
      run.bundle_elements = random_.Between(1, 40);
      // Slowly enough for the watermark to come between the elements.
      run.elements_per_s_max = random_.Chance(0.3) ? 0 : static_cast<double>(random_.Between(20'000, 200'000));
      run.views = views;
      run.dead_letters = letters;
      run.checkpoints =
          CheckpointOptions{.folder = checkpoints.path(), .interval = milliseconds(random_.Between(3, 30))};
      const PipelineResult result = pipeline.Run(run);
      if (result.ok()) break;
      ASSERT_THAT(result.status.message(), ::testing::HasSubstr("broken off"));
    }
    Cells expected = PlainLoop(clicks_, definition_.windows);
    for (const EpochLetters::Late& late : letters->late()) expected[{late.window, late.key}] -= late.value;
    std::erase_if(expected, [](const auto& cell) { return cell.second == 0; });
    Cells got;
    for (const EpochViews::Row& row : views->Rows("sums")) got[{row.window, row.key}] = row.value;
    EXPECT_EQ(got, expected);
    late_ += letters->late().size();
  }

  std::string data_dir() const { return folder_.path(); }
  std::string live_dir() const { return folder_.path() + "/live"; }
  base::Random& random() { return random_; }
  std::size_t late() const { return late_; }

 private:
  void Append(std::int64_t i) {
    Timestamp at =
        Timestamp::FromSeconds(1'000'000'000) + milliseconds(i * 700) - Duration(random_.Between(0, disorder_.count()));
    if (random_.Chance(0.05)) at = at - seconds(random_.Between(30, 300));
    const KeyedValue value{.key = random_.Between(0, 4), .value = kOne + i};
    const std::string data = json::Write(value);
    const std::string key = std::to_string(value.key);
    const log::AppendRecord record{.event_time = at, .key = key, .data = data};
    ASSERT_TRUE(writer_->Append({&record, 1}).ok());
    clicks_.push_back({at, value});
  }

  void Archive() {
    const auto archiver =
        archive::Archiver::Open({.log_folder = folder_.path() + "/log",
                                 .topic = kTopic,
                                 .store = archive::OpenFolderStore(folder_.path() + "/archive/" + kTopic),
                                 .file_limits = {.records_max = random_.Between(200, 5'000)},
                                 .compaction = {.files_min = 2}});
    ASSERT_TRUE(archiver.ok()) << archiver.status();
    ASSERT_TRUE((*archiver)->ArchiveClosed(random_.Chance(0.7)).ok());
    if (!random_.Chance(0.3)) return;
    ASSERT_TRUE((*archiver)->Compact().ok());
  }

  Chance chance_;
  base::Random& random_;
  Duration disorder_{0};
  Definition definition_;
  TemporaryCheckpoints folder_;
  std::unique_ptr<log::LogWriter> writer_;
  std::vector<Click> clicks_;
  std::size_t late_ = 0;
};

TEST(KappaLaws, LiveAndReplayGiveWhatThePlainLoopGives) {
  std::size_t late = 0;
  for (std::int64_t round = 0; round < base::TestRounds(20, 5'000); ++round) {
    SCOPED_TRACE("MILLRACE_TEST_SEED=" + std::to_string(base::TestSeed()) + ", round " + std::to_string(round));
    KappaCase kappa(base::TestSeed() * 1'000'000 + 500'000 + static_cast<std::uint64_t>(round));
    kappa.AppendAndArchive();
    if (::testing::Test::HasFatalFailure()) return;
    kappa.RunAndCheck(kappa.live_dir(), static_cast<int>(kappa.random().Between(0, 2)));
    if (kappa.random().Chance(0.5)) kappa.Retain();
    kappa.RunAndCheck(kappa.data_dir(), static_cast<int>(kappa.random().Between(0, 2)));
    if (::testing::Test::HasFailure()) return;
    late += kappa.late();
  }
  EXPECT_GT(late, 0U) << "the cases have no late element";
}

}  // namespace
}  // namespace millrace::laws
